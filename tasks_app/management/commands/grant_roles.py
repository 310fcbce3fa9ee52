"""`manage.py grant_roles`: a database role for workers that can do a worker's work and no more."""

from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from psycopg import sql

# What the statements of `lifecycle`, `recovery`, `retention` and `pace` need. A worker never
# changes what was submitted, and never reads users, tokens, keys or the audit.
_MOVES = (
    *("current_status", "attempt", "handed_back", "worker", "lease_expires_at", "enqueued_at"),
    *("started_at", "completed_at", "result", "stored_bytes", "error_code", "error_message"),
)
_GRANTS = {
    "tasks_app_task": (f"SELECT, DELETE, UPDATE ({', '.join(_MOVES)})"),
    "tasks_app_statushistory": "SELECT, INSERT",
    "tasks_app_batch": "SELECT, DELETE",
    "tasks_app_ownerlimits": "SELECT (owner_id, qubits)",
    "tasks_app_worker": "SELECT, INSERT, UPDATE, DELETE",
    "django_migrations": "SELECT",
}


class Command(BaseCommand):
    """Run after each `migrate`, as the tables' owner; it may be run again at any time."""

    help = "Makes the role of WORKER_DATABASE_URL, and grants it what a worker needs."

    def handle(self, *args: Any, **options: Any) -> None:
        url = urlsplit(settings.WORKER_DATABASE_URL)
        role, password = unquote(url.username or ""), unquote(url.password or "")
        if not role or not password:
            raise CommandError(
                "WORKER_DATABASE_URL names no role with a password. It is the workers' "
                "DATABASE_URL: for example postgres://worker:password@localhost:5432/tasks."
            )
        if role == connection.settings_dict["USER"]:
            raise CommandError("WORKER_DATABASE_URL must name another role than DATABASE_URL.")
        try:
            with transaction.atomic():
                _make(role, password)
                _refuse_power(role)
                _grant(role)
        except ProgrammingError as error:
            raise CommandError(
                f"PostgreSQL refused: {str(error).splitlines()[0]}. Run this as the tables' owner; "
                "to make a role, or change its password, it needs CREATEROLE as well."
            ) from error
        self.stdout.write(f"The role {role} can do a worker's work.")


def _make(role: str, password: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", [role])
        verb = "CREATE" if cursor.fetchone() is None else "ALTER"
        # Hashed here, so that no log of PostgreSQL's holds the password.
        pgconn = cursor.connection.pgconn
        hashed = pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
        statement = "{} ROLE {} LOGIN PASSWORD {}"
        _execute(statement, sql.SQL(verb), sql.Identifier(role), sql.Literal(hashed.decode()))


def _refuse_power(role: str) -> None:
    """A superuser, or a member of the tables' owner, can do everything whatever is granted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper OR rolcreaterole OR pg_has_role(rolname, current_user, 'MEMBER')"
            " FROM pg_roles WHERE rolname = %s",
            [role],
        )
        if cursor.fetchone() != (False,):
            raise CommandError(
                f"The role {role} is a superuser, may make roles, or belongs to the tables' "
                "owner: nothing would be kept from it. Name another role."
            )


def _grant(role: str) -> None:
    name = sql.Identifier(role)
    for kind in ("TABLES", "SEQUENCES"):
        _execute("REVOKE ALL ON ALL {} IN SCHEMA {} FROM {}", sql.SQL(kind), _schema(), name)
    _execute("GRANT USAGE ON SCHEMA {} TO {}", _schema(), name)
    for table, privileges in _GRANTS.items():
        _execute("GRANT {} ON {} TO {}", sql.SQL(privileges), sql.Identifier(table), name)
    ids = sql.Identifier("tasks_app_statushistory_id_seq")
    _execute("GRANT USAGE ON SEQUENCE {} TO {}", ids, name)


def _schema() -> sql.Identifier:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        return sql.Identifier(cursor.fetchone()[0])


def _execute(statement: str, *parts: sql.Composable) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(*parts))
