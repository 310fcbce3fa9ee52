"""How many tasks one owner may have run at a time: what is left free for the others.

A circuit that never ends holds its slot until its deadline, and nobody can tell it from a short
one before. An owner with a thousand of them would hold all slots, and everybody else would wait for
minutes. So, while more than one owner uses the service, each holds three quarters of the slots at
most, and one at least. Who has it for himself (nobody else has submitted anything in the last hour)
may hold them all. `LIMIT_MAX_RUNNING`, or an owner's own limit, takes the place of this share.
"""

import time
from functools import lru_cache

from django.conf import settings

from tasks_app import sql, worker_id
from tasks_app.postgresql.base import connection

SHARE_S = 5  # how long a share is good for

_SHARE = sql.statement("share")


def limits() -> dict[str, int | None]:
    """`usual` and `share` of the statements in which turns are taken or given."""
    usual: int | None = settings.LIMIT_MAX_RUNNING
    share = None if usual is not None else _share(int(time.monotonic() / SHARE_S))
    return {"usual": usual, "share": share}


@lru_cache(maxsize=1)
def _share(period: int) -> int | None:
    """Slots that one owner may hold; None: all of them."""
    values = {"alive_s": worker_id.ALIVE_S, "anybody": settings.API_AUTH == "open"}
    ((slots, shared),) = connection.prepared(_SHARE, values)
    return slots - -(-slots // 4) if shared and slots > 1 else None
