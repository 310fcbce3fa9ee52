"""`manage.py purge_tasks --older-than 90d`: delete old terminal tasks."""

import argparse
import re
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tasks_app.models import TERMINAL, Status
from tasks_app.retention import old_tasks, purge, purge_empty_batches


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

    def handle(
        self,
        *args: Any,
        older_than: timedelta,
        status: list[str] | None,
        dry_run: bool,
        **options: Any,
    ) -> None:
        statuses = [Status(value) for value in status] if status else TERMINAL
        if dry_run:
            count = old_tasks(older_than=older_than, statuses=statuses).count()
            self.stdout.write(f"{count} task(s) would be deleted")
            return
        tasks = purge(older_than=older_than, statuses=statuses)
        batches = purge_empty_batches(older_than=older_than)
        self.stdout.write(f"{tasks} task(s) and {batches} empty batch(es) deleted")
