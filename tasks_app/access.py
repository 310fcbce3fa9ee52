"""Who may do what: tokens, visibility, limits and the audit."""

import hashlib
import math
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db.models import BigIntegerField, Exists, Func, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Now
from django.db.models.lookups import Exact
from django.http import HttpRequest

from tasks_app import sql
from tasks_app.correlation import correlation_id
from tasks_app.models import (
    ApiToken,
    AuditEntry,
    Batch,
    OwnerLimits,
    RuntimeJob,
    Status,
    Task,
    TaskQuerySet,
)
from tasks_app.postgresql.base import connection
from tasks_app.retention import purge_audit, purge_tokens

TOKEN_PREFIX = "qt_"  # noqa: S105  # lets secret scanners find a leaked one
MAX_TOKENS = 100  # of one owner that still open something
PURGE_EACH = 100  # so many entries of the audit make room for themselves, by more old ones
NEAR = 1000  # tasks below a limit, from where on they are counted at each submission
TRUST_S = 1  # how long a count is good for until then
WEIGH_S = 60  # how long the sum of an owner's bytes is

Owned = TypeVar("Owned", bound=QuerySet[Any])


# -- tokens ------------------------------------------------------------------------------------


class TooManyTokens(Exception):
    """The owner has `MAX_TOKENS` already."""

    def __str__(self) -> str:
        return f"{MAX_TOKENS} tokens. Revoke those that are not needed."


def create_token(
    owner: User, *, label: str, read_only: bool = False, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """A new token and its text, which nobody can read again. Raises `TooManyTokens`."""
    purge_tokens(owner)
    if live_tokens(owner)[:MAX_TOKENS].count() >= MAX_TOKENS:
        raise TooManyTokens
    text = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        owner=owner, label=label, read_only=read_only, expires_at=expires_at, sha256=hash_of(text)
    )
    return token, text


_VALID = sql.statement("token")


def valid_token(text: str) -> ApiToken | None:
    """The token with this text if it is neither revoked nor expired and its owner is active.

    Its owner and the owner's limits come with it: a program sends it with every request.
    """
    return valid_hash(hash_of(text))


def valid_hash(sha256: str) -> ApiToken | None:
    """`valid_token` for the token whose text has this hash."""
    rows = connection.prepared(_VALID, {"sha256": sha256})
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


def live_tokens(owner: User) -> QuerySet[ApiToken]:
    """Those of the owner's tokens that open something."""
    unexpired = Q(expires_at=None) | Q(expires_at__gt=Now())
    return ApiToken.objects.filter(unexpired, owner=owner, revoked_at=None)


def revoke(tokens: QuerySet[ApiToken]) -> None:
    """From now on they open nothing."""
    tokens.filter(revoked_at__isnull=True).update(revoked_at=Now())


def hash_of(text: str) -> str:
    """What is kept of a token's text."""
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(text.encode()).hexdigest()


# -- what one may see --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Visibility:
    """Whose tasks somebody may know of: everybody's, or those of one owner (None: nobody's)."""

    everything: bool
    owner_id: int | None

    def of(self, rows: Owned) -> Owned:
        """Those of these rows, which have an owner each."""
        if self.everything:
            return rows
        return rows.filter(owner=self.owner_id) if self.owner_id else rows.none()


def visibility(user: AbstractBaseUser | AnonymousUser | None) -> Visibility:
    """Everybody's for staff, or where access is open; otherwise one's own."""
    owner = owner_of(user)
    everything = settings.API_AUTH == "open" or bool(owner and owner.is_staff)
    return Visibility(everything, owner.pk if owner else None)


def visible_tasks(user: AbstractBaseUser | AnonymousUser | None) -> TaskQuerySet:
    """The tasks that the user may know of."""
    return visibility(user).of(Task.objects.all())


def visible_batches(user: AbstractBaseUser | AnonymousUser | None) -> QuerySet[Batch]:
    """The batches that the user may know of: those with tasks left."""
    left = Exists(Task.objects.filter(batch_id=OuterRef("batch_id")))
    return visibility(user).of(Batch.objects.filter(left).defer("circuit"))


def owner_of(user: AbstractBaseUser | AnonymousUser | None) -> User | None:
    """The user that a submission belongs to; None if anonymous."""
    return user if isinstance(user, User) else None


def name_of(user: AbstractBaseUser | AnonymousUser | None) -> str:
    """Who did something, as histories have it."""
    owner = owner_of(user)
    return owner.get_username() if owner else "an anonymous client"


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
    if max(task.priority for task in tasks) > limits["max_priority"]:
        raise LimitExceeded("max_priority", limits["max_priority"], None)
    if owner is None or not any(limits.values()):
        return
    _require("shots", limits, max(task.shots for task in tasks), retry_after_s=None)
    own = Task.objects.filter(owner=owner)
    pending = Task.objects.with_status(Status.PENDING).filter(
        Exact(Coalesce("owner", 0), owner.pk)  # as the index has them
    )
    _require_count(owner, "pending", limits, pending, more=len(tasks), retry_after_s=10)
    lately = own.filter(submitted_at__gt=Now() - timedelta(seconds=60))
    _require_count(owner, "per_minute", limits, lately, more=len(tasks), retry_after_s=60)
    if limits["stored_mb"]:
        stored_mb = _stored_bytes(owner.pk, int(time.monotonic() / WEIGH_S)) / 2**20
        _require("stored_mb", limits, math.ceil(stored_mb), retry_after_s=None)


_far: dict[tuple[int, str, int], float] = {}  # until when which owner is far from which limit


def _require_count(
    owner: User,
    name: str,
    limits: Mapping[str, int],
    tasks: TaskQuerySet,
    *,
    more: int,
    retry_after_s: int,
) -> None:
    """One owner's tasks and `more` must stay within the limit.

    To count thousands costs more than a submission does: who is far from a limit is believed to be
    so for a second.
    """
    limit, now = limits[name], time.monotonic()
    key = (owner.pk, name, limit)
    if not limit or (more == 1 and now < _far.get(key, 0)):
        return
    count = tasks[: limit + 1].count()
    if count < limit - NEAR:
        _far[key] = now + TRUST_S
    fits = more <= limit  # else it would never
    _require(name, limits, count + more, retry_after_s=retry_after_s if fits else None)


@lru_cache(maxsize=1000)
def _stored_bytes(owner_id: int, period: int) -> int:
    """Bytes of the owner's circuits, options and results: of tasks along an index that has them,
    of what batches share as they are kept, without reading it."""
    batches = Batch.objects.filter(owner=owner_id)
    jobs = RuntimeJob.objects.filter(batch__in=batches)
    found = [
        Task.objects.filter(owner=owner_id).aggregate(bytes=Sum("stored_bytes")),
        batches.aggregate(bytes=Sum(_kept("circuit"))),
        jobs.aggregate(bytes=Sum(_kept("params") + _kept("parts"))),
    ]
    return sum(each["bytes"] or 0 for each in found)


def _kept(column: str) -> Func:
    return Func(column, function="pg_column_size", output_field=BigIntegerField())


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


# -- audit -------------------------------------------------------------------------------------


def audit(request: HttpRequest | None, action: str, target: object) -> None:
    """Add an entry for what the request's user just did (the command line has no request)."""
    user = getattr(request, "user", None)
    entry = AuditEntry.objects.create(
        actor=user.get_username() if user is not None else "",
        action=action,
        target=str(target)[:200],
        address=address_of(request),
        correlation_id=correlation_id(),
    )
    if entry.pk % PURGE_EACH == 0:
        purge_audit()


def address_of(request: HttpRequest | None) -> str | None:
    """Where the request came from; None for the command line."""
    return request.META.get("REMOTE_ADDR") or None if request else None
