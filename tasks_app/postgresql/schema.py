"""Whether the database has the tables that this code was written for."""

from functools import cache

from django.db import ProgrammingError, connection
from django.db.migrations.loader import MigrationLoader


def fits() -> bool:
    """Whether every migration that this code has was applied.

    One that the code does not know is none of its business: an upgrade migrates first and then
    restarts one process after the other. Raises `DATABASE_ERRORS`.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT app, name FROM django_migrations")
            return _migrations() <= set(cursor.fetchall())
    except ProgrammingError:  # nothing was ever migrated here
        return False


@cache
def _migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).graph.nodes)
