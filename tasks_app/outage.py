"""What counts as "PostgreSQL is away", and waiting until it is back."""

import random
import threading
from collections.abc import Callable
from typing import TypeVar

import structlog
from django.db import InterfaceError, InternalError, OperationalError, close_old_connections

# InternalError: a server that went read-only. Constraint and data errors are not outages.
DATABASE_ERRORS = (OperationalError, InterfaceError, InternalError)

FIRST_DELAY_S = 0.1
MAX_DELAY_S = 3.0

log = structlog.get_logger(__name__)

T = TypeVar("T")


def wait_for_database(work: Callable[[], T], *, give_up: threading.Event) -> T:
    """`work()`, tried again with bounded exponential backoff and jitter while PostgreSQL is away.

    Raises the last database error once `give_up` is set. `work` must be safe to repeat: a commit
    whose answer was lost may have happened.
    """
    delay_s = FIRST_DELAY_S
    while True:
        try:
            close_old_connections()
            return work()
        except DATABASE_ERRORS as error:
            if give_up.wait(delay_s * random.uniform(0.5, 1.0)):
                raise
            log.warning("database_away", error=type(error).__name__, retry_s=delay_s)
            delay_s = min(2 * delay_s, MAX_DELAY_S)
