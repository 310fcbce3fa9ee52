"""Structured logs: one JSON object a line (coloured text when DEBUG), a constant event name with
its data beside it, and the correlation id of the request or message bound to every line."""

import logging
import logging.config
from typing import Any

import structlog

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure_logging(*, console: bool, level: str) -> None:
    """Send structlog and the standard library's loggers through one formatter to stderr."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(logging_dict(console=console, level=level))


def logging_dict(*, console: bool = False, level: str = "INFO") -> dict[str, Any]:
    """The standard library's half, which gunicorn takes too."""
    renderer: list[Any] = (
        [structlog.dev.ConsoleRenderer()]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*_SHARED, structlog.stdlib.PositionalArgumentsFormatter()],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *renderer,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Both narrate their own retries at length; we log what those mean for a task.
            "pika": {"level": "CRITICAL"},
            "django.request": {"level": "CRITICAL"},
            # Named, so that this takes the place of gunicorn's own handler.
            "gunicorn.error": {"handlers": ["stderr"], "propagate": False},
        },
    }
