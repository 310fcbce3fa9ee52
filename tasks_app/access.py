"""Who may do what: tokens, limits and the audit."""

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.dispatch import receiver
from django.http import HttpRequest

from tasks_app import sql
from tasks_app.models import ApiToken, AuditEntry, OwnerLimits, Status, Task, TaskQuerySet
from tasks_app.postgresql.base import prepared

TOKEN_PREFIX = "qt_"  # noqa: S105  # lets secret scanners find a leaked one
LOGIN_FAILURES = 5  # with one name from one address
ADDRESS_FAILURES = 20  # with whatever names
LOGIN_WINDOW_S = 300

_DECLARED = re.compile(
    r"\bqubit\s*\[\s*(\d{1,9})\s*\]|\bqreg\s+\w+\s*\[\s*(\d{1,9})\s*\]|\bqubit\s+\w"
)

log = structlog.get_logger(__name__)


# -- tokens ------------------------------------------------------------------------------------


def create_token(
    owner: User, *, label: str, read_only: bool = False, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """A new token and its text, which nobody can read again."""
    text = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        owner=owner, label=label, read_only=read_only, expires_at=expires_at, sha256=_hash(text)
    )
    return token, text


_VALID = sql.statement("token")


def valid_token(text: str) -> ApiToken | None:
    """The token with this text if it is neither revoked nor expired and its owner is active.

    Its owner and the owner's limits come with it: a program sends it with every request.
    """
    rows = prepared(_VALID, {"sha256": _hash(text)})
    if not rows:
        return None
    row = rows[0]
    alias = connection.alias
    token = ApiToken.from_db(alias, ("id", "label", "read_only"), row[:3])
    owner = User.from_db(alias, ("id", "username", "is_staff", "is_active"), row[3:7])
    limits = OwnerLimits.from_db(alias, ("id", *settings.OWNER_LIMITS), row[7:])
    User._meta.get_field("task_limits").set_cached_value(owner, limits if limits.pk else None)
    token.owner = owner
    return token


def revoke(tokens: QuerySet[ApiToken]) -> None:
    """From now on they open nothing."""
    tokens.filter(revoked_at__isnull=True).update(revoked_at=Now())


def _hash(text: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(text.encode()).hexdigest()


# -- what one may see --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Visibility:
    """Whose tasks somebody may know of: everybody's, or those of one owner (None: nobody's)."""

    everything: bool
    owner_id: int | None


def visibility(user: AbstractBaseUser | AnonymousUser | None) -> Visibility:
    """Everybody's for staff, or where access is open; otherwise one's own."""
    owner = owner_of(user)
    everything = settings.API_AUTH == "open" or bool(owner and owner.is_staff)
    return Visibility(everything, owner.pk if owner else None)


def visible_tasks(user: AbstractBaseUser | AnonymousUser | None) -> TaskQuerySet:
    """The tasks that the user may know of."""
    seen = visibility(user)
    if seen.everything:
        return Task.objects.all()
    return Task.objects.filter(owner=seen.owner_id) if seen.owner_id else Task.objects.none()


def owner_of(user: AbstractBaseUser | AnonymousUser | None) -> User | None:
    """The user that a submission belongs to; None if anonymous."""
    return user if isinstance(user, User) else None


# -- limits ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LimitExceeded(Exception):
    """An owner's limit. `retry_after_s` is None where waiting does not help."""

    limit: str
    allowed: int
    retry_after_s: int | None


def check_limits(tasks: Sequence[Task]) -> None:
    """Raises `LimitExceeded` if their one owner may not submit these unsaved tasks now.

    Counts come from the database, so that all API processes share them; requests that arrive
    together may pass a limit by as many as there are.
    """
    owner = tasks[0].owner
    limits = _limits_of(owner)
    if owner is None or not any(limits.values()):
        return
    _require("shots", limits, max(task.shots for task in tasks), retry_after_s=None)
    if limits["qubits"]:
        widest = max(declared_qubits(task.program) for task in tasks)
        _require("qubits", limits, widest, retry_after_s=None)
    own = Task.objects.filter(owner=owner)

    def after(name: str, seconds: int) -> int | None:
        return seconds if len(tasks) <= limits[name] else None  # else it would never fit

    if limits["pending"]:
        pending = own.with_status(Status.PENDING)[: limits["pending"] + 1].count()
        _require("pending", limits, pending + len(tasks), retry_after_s=after("pending", 10))
    if limits["per_minute"]:
        recent = own.filter(submitted_at__gt=Now() - timedelta(seconds=60))
        count = recent[: limits["per_minute"] + 1].count()
        _require("per_minute", limits, count + len(tasks), retry_after_s=after("per_minute", 60))


def declared_qubits(circuit: str) -> int:
    """Qubits that the program's declarations name with literal sizes: cheap, and never too many."""
    return sum(int(a or b or 1) for a, b in _DECLARED.findall(circuit))


def _limits_of(owner: User | None) -> Mapping[str, int]:
    own = getattr(owner, "task_limits", None)
    return {
        name: default if own is None or getattr(own, name) is None else getattr(own, name)
        for name, default in settings.OWNER_LIMITS.items()
    }


def _require(
    name: str, limits: Mapping[str, int], value: int, *, retry_after_s: int | None
) -> None:
    if limits[name] and value > limits[name]:
        raise LimitExceeded(name, limits[name], retry_after_s)


# -- audit and logins --------------------------------------------------------------------------


def audit(request: HttpRequest | None, action: str, target: object) -> None:
    """Add an entry for what the request's user just did (the command line has no request)."""
    user = getattr(request, "user", None)
    AuditEntry.objects.create(
        actor=user.get_username() if user is not None else "",
        action=action,
        target=str(target)[:200],
        address=_address(request),
        correlation_id=structlog.contextvars.get_contextvars().get("correlation_id", ""),
    )


def _address(request: HttpRequest | None) -> str | None:
    return request.META.get("REMOTE_ADDR") or None if request else None


class ThrottledBackend(ModelBackend):
    """User name and password, refused for a while to an address that has failed too often."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> Any:
        if login_blocked(request, username or ""):
            log.warning("login_throttled")
            raise PermissionDenied
        return super().authenticate(request, username=username, password=password, **kwargs)


def login_blocked(request: HttpRequest | None, username: str) -> bool:
    """Whether the request's address has failed too often within `LOGIN_WINDOW_S`.

    With this name or with any: a name alone is never blocked, or anybody could lock it out.
    """
    failures = AuditEntry.objects.filter(
        action="login_failed",
        address=_address(request),
        at__gt=Now() - timedelta(seconds=LOGIN_WINDOW_S),
    )
    named = failures.filter(target=username[:200])
    return (
        named[:LOGIN_FAILURES].count() >= LOGIN_FAILURES
        or failures[:ADDRESS_FAILURES].count() >= ADDRESS_FAILURES
    )


@receiver(user_login_failed)
def _note_failed_login(
    credentials: Mapping[str, Any], request: HttpRequest | None = None, **_: Any
) -> None:
    username = str(credentials.get("username") or "")
    if not login_blocked(request, username):  # what is refused anyway must not prolong the block
        audit(request, "login_failed", username)
