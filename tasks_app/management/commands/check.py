"""`manage.py check`: Django's, which also looks whether code and database fit."""

from typing import Any

from django.core import checks
from django.core.checks.registry import registry
from django.core.management.commands import check

from tasks_app.postgresql import schema
from tasks_app.postgresql.base import DATABASE_ERRORS, why

MISSING, UNKNOWN, UNSEEN = "tasks_app.W001", "tasks_app.W002", "tasks_app.I001"


def schema_fits(**_: Any) -> list[checks.CheckMessage]:
    """What an operator is to know before one of the two goes on without the other."""
    try:
        missing, unknown = schema.difference()
    except DATABASE_ERRORS as error:
        sentence = f"PostgreSQL was not asked whether its tables fit: {why(error)}"
        return [checks.Info(sentence, id=UNSEEN)]
    found: list[checks.CheckMessage] = []
    if missing:
        sentence = f"The database lacks migrations of this code: {_told(missing)}."
        hint = "Run manage.py migrate. Until then the API is not ready, and workers wait."
        found.append(checks.Warning(sentence, hint=hint, id=MISSING))
    if unknown:
        sentence = f"The database has migrations that this code does not know: {_told(unknown)}."
        hint = (
            "It belongs to a newer version. That is right while an upgrade is under way, and one "
            "version back (docs/operations.md, Without downtime); else install the newer one."
        )
        found.append(checks.Warning(sentence, hint=hint, id=UNKNOWN))
    return found


def _told(names: schema.Names) -> str:
    return ", ".join(f"{app}.{name}" for app, name in sorted(names))


class Command(check.Command):
    """Asks the database too, where there is one.

    The check is there for this command only: others do without a database, and `migrate`, which
    begins with checks, would be told to run `migrate`.
    """

    def handle(self, *app_labels: Any, **options: Any) -> None:
        checks.register(schema_fits, "schema")
        try:
            super().handle(*app_labels, **options)
        finally:
            registry.registered_checks.discard(schema_fits)
