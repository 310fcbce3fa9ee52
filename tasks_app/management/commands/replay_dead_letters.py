"""`manage.py replay_dead_letters`: give the messages nobody could work on another chance."""

from typing import Any

import dramatiq
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tasks_app.management.arguments import whole
from tasks_app.queue.broker import DoorbellBroker
from tasks_app.queue.doorbell import DEAD_LETTER_QUEUE
from tasks_app.queue.publisher import QueueUnavailable


class Command(BaseCommand):
    """Each message leaves the dead-letter queue only once its old queue has confirmed it."""

    help = f"Moves messages from {DEAD_LETTER_QUEUE} back to where they came from."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only print them")
        at_most = whole(1, 1_000_000)
        parser.add_argument("--limit", type=at_most, default=1000, help="at most (default: 1000)")

    def handle(self, *args: Any, dry_run: bool, limit: int, **options: Any) -> None:
        queue = dramatiq.get_broker()
        if not isinstance(queue, DoorbellBroker):
            raise CommandError("The in-memory broker keeps no dead letters.")
        try:
            count = 0
            for body in queue.dead_letters(limit=limit, keep=dry_run):
                count += 1
                self.stdout.write(body.decode(errors="replace")[:300])
            self.stdout.write(f"{count} message(s) {'found' if dry_run else 'replayed'}")
        except QueueUnavailable as error:
            raise CommandError(f"RabbitMQ is unavailable: {error}") from error
        finally:
            queue.close()
