"""Structured logs: one JSON object a line (coloured text when DEBUG), a constant event name with
its data beside it, and the correlation id of the request or message bound to every line."""

import logging
import logging.config
import sys
from contextlib import suppress
from typing import Any

import structlog

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


class _Logger(structlog.WriteLogger):
    """Writes our own lines to stderr without the standard library, which takes far longer."""

    def __init__(self, name: str = "") -> None:
        super().__init__(stream)
        self.name = name

    def msg(self, message: str) -> None:
        """Lost where the disk is full or nobody reads any more: what it tells of goes on."""
        with suppress(OSError):
            super().msg(message)

    debug = info = warning = error = critical = msg


# Where lines go; to be changed before Django is set up. Not what Dramatiq puts in the place of
# stderr: a pipe to its master process, a message for each write.
stream = sys.__stderr__ or sys.stderr


def configure_logging(*, console: bool, level: str) -> None:
    """Send structlog's lines and, in the same form, those of the standard library to `stream`."""
    structlog.configure(
        processors=[*_SHARED, *_renderer(console)],
        logger_factory=_Logger,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(logging_dict(console=console, level=level))


def _renderer(console: bool) -> list[Any]:
    if console:
        return [structlog.dev.ConsoleRenderer()]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def logging_dict(*, console: bool, level: str) -> dict[str, Any]:
    """The standard library's half, which gunicorn takes too."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*_SHARED, structlog.stdlib.PositionalArgumentsFormatter()],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *_renderer(console),
                ],
            }
        },
        "handlers": {
            "stream": {
                "class": "logging.StreamHandler",
                "formatter": "structured",
                "stream": stream,
            }
        },
        "root": {"handlers": ["stream"], "level": level},
        "loggers": {
            # Both narrate their own retries at length; we log what those mean for a task.
            "pika": {"level": "CRITICAL"},
            "django.request": {"level": "CRITICAL"},
            "qiskit": {"level": "WARNING"},  # names each pass of its transpiler
            # Named, so that this takes the place of gunicorn's own handler.
            "gunicorn.error": {"handlers": ["stream"], "propagate": False},
        },
    }
