"""`manage.py create_token USER --label laptop`: a token for the API, printed once."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from tasks_app import access
from tasks_app.management.arguments import text, whole


class Command(BaseCommand):
    """The token's text goes to standard output and nowhere else."""

    help = "Makes an API token for a user and prints it; it cannot be read again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", type=text(150))
        what_for = text(100)
        parser.add_argument("--label", type=what_for, default="command line", help="what it is for")
        parser.add_argument("--read-only", action="store_true", help="may read, not submit")
        days = whole(1, 3650)  # as at POST /tokens
        parser.add_argument("--days", type=days, help="valid for so long (default: for ever)")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = User.objects.filter(username=options["username"]).first()
        if owner is None:
            raise CommandError(f"There is no user {options['username']!r}.")
        days = options["days"]
        try:
            token, secret = access.create_token(
                owner,
                label=options["label"],
                read_only=options["read_only"],
                expires_at=timezone.now() + timedelta(days=days) if days else None,
            )
        except access.TooManyTokens as error:
            raise CommandError(f"{owner.get_username()} has {error}") from None
        access.audit(None, "token_created", f"{token.pk} {token}")
        self.stdout.write(secret)
