"""`manage.py purge_tasks --older-than 90d`: delete old terminal tasks."""

import argparse
import re
from datetime import timedelta
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tasks_app.models import TERMINAL
from tasks_app.retention import old_tasks, purge, purge_leftovers


def duration(text: str) -> timedelta:
    """`90d`, `12h` or `30m`."""
    match = re.fullmatch(r"(\d{1,6})([dhm])", text)
    if match is None:
        raise argparse.ArgumentTypeError("write it like 90d, 12h or 30m")
    return timedelta(**{{"d": "days", "h": "hours", "m": "minutes"}[match[2]]: int(match[1])})


class Command(BaseCommand):
    """Deletes in small transactions that skip locked rows; may be stopped at any time."""

    help = "Deletes terminal tasks that are older than a given age, with their history."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--older-than", type=duration, required=True, help="90d, 12h, 30m")
        parser.add_argument(
            "--status",
            action="append",
            choices=[status.value for status in TERMINAL],
            help="only these (default: every terminal state)",
        )
        parser.add_argument("--dry-run", action="store_true", help="only count them")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = {"older_than": options["older_than"], "statuses": options["status"] or TERMINAL}
        if options["dry_run"]:
            self.stdout.write(f"{old_tasks(**wanted).count()} task(s) would be deleted")
            return
        tasks, _ = purge(**wanted)
        left = sum(iter(partial(purge_leftovers, older_than=options["older_than"]), 0))
        self.stdout.write(f"{tasks} task(s) and {left} empty batch(es) or session(s) deleted")
