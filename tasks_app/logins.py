"""Logging in with a password: a few at a time, and not by guessing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest

from tasks_app.access import address_of, audit, live_tokens
from tasks_app.models import AuditEntry
from tasks_app.postgresql.base import renew_deadline
from tasks_app.retention import purge_browser_sessions, purge_failed_logins

NAME_FAILURES = 5  # with one name from one address
ADDRESS_FAILURES = 20  # with whatever names
WINDOW_S = 300
BUSY_S = 1
# Threads of a process for logins; clients that wait for tasks have MAX_WAITING, others the rest.
PLACES = max(1, settings.MAX_WAITING // 2)
_LOCK = 7_461_273  # the advisory lock whose holder looks at a password

log = structlog.get_logger(__name__)
_places = threading.BoundedSemaphore(PLACES)


class Refused(PermissionDenied):
    """No password is looked at now; after `retry_after_s` one may try again."""

    def __init__(self, sentence: str, retry_after_s: int) -> None:
        super().__init__(sentence)
        self.retry_after_s = retry_after_s


class ThrottledBackend(ModelBackend):
    """User name and password, refused for a while to an address that has failed too often."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """The user, or None. Raises `Refused`.

        One password at a time in the whole service, so that guesses that come together are all
        counted, and hashing them, which is slow on purpose, takes one core and not all.
        """
        with _place(), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            if _blocked(request, username or ""):
                log.warning("login_throttled")
                raise Refused("Too many failed logins from this address.", WINDOW_S)
            user = super().authenticate(request, username=username, password=password, **kwargs)
            renew_deadline()  # a slow machine may take seconds to hash
            if user is None:
                audit(request, "login_failed", username or "")
                purge_failed_logins()
            else:
                purge_browser_sessions()
            return user


@contextmanager
def _place() -> Iterator[None]:
    """One of the few that may wait for their turn: others need this process's threads."""
    if not _places.acquire(blocking=False):
        raise Refused("Too many logins at once.", BUSY_S)
    try:
        yield
    finally:
        _places.release()


def _blocked(request: HttpRequest | None, username: str) -> bool:
    """With this name or with any: a name alone is never blocked, or anybody could lock it out."""
    failures = AuditEntry.objects.filter(
        _from(address_of(request)),
        action="login_failed",
        at__gt=Now() - timedelta(seconds=WINDOW_S),
    )
    named = failures.filter(target=username[:200])
    return (
        named[:NAME_FAILURES].count() >= NAME_FAILURES
        or failures[:ADDRESS_FAILURES].count() >= ADDRESS_FAILURES
    )


def _from(address: str | None) -> Q:
    """Entries of whoever has that address: with IPv6 a whole network of them."""
    if address is None or ":" not in address:
        return Q(address=address)
    network = ip_network((address, 64), strict=False)
    return Q(address__range=(str(network[0]), str(network[-1])))


class TokensOutlivePasswords:
    """A password's validator that refuses nothing: it says what a change leaves as it is."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Any password will do."""

    def get_help_text(self) -> str:
        """What every form for a new password shows."""
        return "API tokens stay valid when the password changes; revoke those that others may know."

    def password_changed(self, password: str, user: User | None = None) -> None:
        """Django calls this for each new password."""
        if user is not None and user.pk is not None:
            live = live_tokens(user).count()
            audit(None, "password_changed", f"{user.get_username()}; {live} tokens stay valid")
