"""Structured logs: one JSON object a line, with the correlation id of the request or message."""

import json
import logging
import sys
from contextvars import ContextVar
from typing import Any

correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")
_logger = logging.getLogger("reference")
_logger.setLevel(logging.INFO)
_handler = logging.StreamHandler(sys.stderr)
_handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
_logger.addHandler(_handler)


def log(event: str, **fields: Any) -> None:
    _logger.info(
        "%s", json.dumps({"event": event, "correlation_id": correlation_id.get(), **fields})
    )
