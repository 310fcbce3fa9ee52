"""`manage.py recover_tasks`: do by hand, or look at, what the workers' recovery does."""

import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tasks_app.postgresql.base import DATABASE_ERRORS
from tasks_app.queue.publisher import QueueUnavailable
from tasks_app.recovery import Findings, recover


class Command(BaseCommand):
    """Safe beside running workers: a doubled ring is harmless."""

    help = "Finds tasks whose worker or message is lost, and rings for them again."

    def add_arguments(self, parser: CommandParser) -> None:
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--once", action="store_true", help="one pass (default: until Ctrl-C)")
        mode.add_argument("--dry-run", action="store_true", help="one pass that changes nothing")

    def handle(self, *args: Any, once: bool, dry_run: bool, **options: Any) -> None:
        while True:
            try:
                self._print(recover(dry_run=dry_run))
            except (*DATABASE_ERRORS, QueueUnavailable) as error:
                if once or dry_run:
                    raise CommandError(f"{type(error).__name__}: {error}") from error
                self.stderr.write(f"waiting: {type(error).__name__}: {error}")
            if once or dry_run:
                return
            threading.Event().wait(settings.RECOVERY_S)

    def _print(self, findings: Findings) -> None:
        for label, task_ids in (
            ("worker lost, rung again", findings.lost),
            ("attempts used up, failed", findings.exhausted),
            ("message lost, rung again", findings.silent),
        ):
            for task_id in task_ids:
                self.stdout.write(f"{task_id}  {label}")
        if not findings:
            self.stdout.write("nothing to recover")
