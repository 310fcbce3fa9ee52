"""Whether the database has the tables that this code was written for."""

from functools import cache
from typing import NamedTuple

from django.db import ProgrammingError, connection
from django.db.migrations.loader import MigrationLoader

Names = frozenset[tuple[str, str]]  # of migrations: app and name


class Difference(NamedTuple):
    """Migrations that one has and the other has not."""

    missing: Names  # in the database
    unknown: Names  # to this code, of apps that it has


def fits() -> bool:
    """Whether every migration that this code has was applied.

    One that the code does not know is none of its business: an upgrade migrates first and then
    restarts one process after the other. Raises `DATABASE_ERRORS`.
    """
    return not difference().missing


def difference() -> Difference:
    """Between the database and this code. Raises `DATABASE_ERRORS`."""
    known = _migrations()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT app, name FROM django_migrations")
            applied = frozenset(cursor.fetchall())
    except ProgrammingError:  # nothing was ever migrated here
        applied = frozenset()
    apps = {app for app, _ in known}
    return Difference(
        known - applied, frozenset(each for each in applied - known if each[0] in apps)
    )


@cache
def _migrations() -> Names:
    return frozenset(MigrationLoader(None).graph.nodes)
