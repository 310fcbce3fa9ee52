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
    "tasks_app_runtimejob": "SELECT (batch_id, session_id)",
    "tasks_app_runtimesession": "SELECT (session_id, created_at), DELETE",
    "tasks_app_ownerlimits": "SELECT (owner_id, qubits, max_running)",
    "tasks_app_backend": "SELECT",
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
            with transaction.atomic(), connection.cursor() as cursor:
                _make(cursor, role, password)
                _refuse_power(cursor, role)
                _grant(cursor, role)
        except ProgrammingError as error:
            raise CommandError(
                f"PostgreSQL refused: {str(error).splitlines()[0]}. Run this as the tables' owner; "
                "to make a role, or change its password, it needs CREATEROLE as well."
            ) from error
        self.stdout.write(f"The role {role} can do a worker's work.")


def _make(cursor: Any, role: str, password: str) -> None:
    cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", [role])
    verb = "CREATE" if cursor.fetchone() is None else "ALTER"
    # Hashed here, so that no log of PostgreSQL's holds the password.
    pgconn = cursor.connection.pgconn
    hashed = pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    statement = sql.SQL(f"{verb} ROLE {{}} LOGIN PASSWORD {{}}")
    cursor.execute(statement.format(sql.Identifier(role), sql.Literal(hashed)))


def _refuse_power(cursor: Any, role: str) -> None:
    """A superuser, or a member of the tables' owner, can do everything whatever is granted."""
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


def _grant(cursor: Any, role: str) -> None:
    cursor.execute("SELECT current_schema()")
    names = {"role": sql.Identifier(role), "schema": sql.Identifier(cursor.fetchone()[0])}
    for statement in (
        "REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}",
        "REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {role}",
        "GRANT USAGE ON SCHEMA {schema} TO {role}",
        *(f"GRANT {privileges} ON {table} TO {{role}}" for table, privileges in _GRANTS.items()),
        "GRANT USAGE ON SEQUENCE tasks_app_statushistory_id_seq TO {role}",
    ):
        cursor.execute(sql.SQL(statement).format(**names))
