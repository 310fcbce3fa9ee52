"""What `make run` finds in its database, and puts there: tables, a first user, a token."""

import fcntl
import secrets
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

ADMIN = "admin"


def migrate(data_dir: Path) -> int:
    """Apply what is missing and return how many migrations that was.

    One copy at a time; needs a Django that is set up.
    """
    with (data_dir / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if missing:
            call_command("migrate", interactive=False, verbosity=0)
        return len(missing)


def demonstration_token() -> str:
    """What the demonstration needs to be let in, for ten minutes; empty where access is open.

    Raises CommandError if there is nobody to be let in as, or who has too many tokens.
    """
    from tasks_app.access import TooManyTokens, create_token  # models need a Django that is set up

    if settings.API_AUTH == "open":
        return ""
    owner = get_user_model().objects.filter(is_superuser=True, is_active=True).first()
    if owner is None:
        raise CommandError("API_AUTH is required, and there is no superuser: createsuperuser")
    expires_at = timezone.now() + timedelta(minutes=10)
    try:
        return create_token(owner, label="make run", expires_at=expires_at)[1]
    except TooManyTokens:
        raise CommandError(f"{owner} has as many tokens as may be; revoke one") from None


def create_admin() -> str | None:
    """Make the first user of the admin pages; its password, or None if there is a user."""
    users = get_user_model().objects
    if users.exists():
        return None
    password = secrets.token_hex(10)
    users.create_superuser(ADMIN, password=password)
    return password
