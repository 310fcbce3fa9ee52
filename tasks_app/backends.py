"""The backends that there are, as processes remember them for a moment."""

import json
import time
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from django.conf import settings

from tasks_app import circuits
from tasks_app.circuits.backend import DEFAULT_BACKEND
from tasks_app.circuits.job import UNSTORABLE
from tasks_app.models import Backend

TRUST_S = 1  # how long the API believes what it has read
MAX_REMEMBERED = 32  # definitions, of a few hundred kilobytes at most each


def known() -> Mapping[str, Backend]:
    """All backends by name, without their definitions, as they were a moment ago."""
    return _known(int(time.monotonic() / TRUST_S))


@lru_cache(maxsize=1)
def _known(period: int) -> Mapping[str, Backend]:
    return {each.name: each for each in Backend.objects.defer("definition")}


def named(name: str) -> Backend | None:
    """With its definition; None if there is none of this name, which may be any text."""
    return None if UNSTORABLE.search(name) else Backend.objects.filter(name=name).first()


def served() -> list[str]:
    """Those whose tasks this process's worker runs: as set, or all that there are."""
    names = Backend.objects.values_list("name", flat=True)
    wanted = settings.WORKER_BACKENDS
    return list(names.filter(name__in=wanted) if wanted else names)


@lru_cache(maxsize=MAX_REMEMBERED)
def described(name: str, changed_at: datetime) -> circuits.Backend | None:
    """What the simulation needs to know of a backend; None of Aer as it comes.

    `changed_at`: as the claim has it, so that what was changed since is read anew.
    """
    kind, definition = Backend.objects.values_list("kind", "definition").get(name=name)
    if (name, kind, definition) == (DEFAULT_BACKEND, DEFAULT_BACKEND, {}):
        return None
    return circuits.Backend(name=name, kind=kind, definition=json.dumps(definition))
