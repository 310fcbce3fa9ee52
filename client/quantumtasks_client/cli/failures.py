"""What went wrong, as a sentence on standard error and an exit status for scripts."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from quantumtasks_client import errors
from quantumtasks_client.cli.show import clean, err

# The first that fits. 2 is also what a wrong command line ends with, 130 what Ctrl-C does.
STATUSES: list[tuple[tuple[type[Exception], ...], int]] = [
    ((errors.WaitTimeout, errors.NotEnded), 7),
    ((errors.TaskError,), 1),
    ((errors.NotAuthenticated, errors.NotPermitted), 3),
    ((errors.NotFound,), 4),
    ((errors.Conflict, errors.LimitExceeded), 5),
    ((errors.ServiceUnavailable, errors.ServiceUnreachable), 6),
    ((errors.QuantumTasksError,), 2),
    ((OSError, UnicodeError), 2),
]
INTERRUPTED = 130


class CommandError(errors.QuantumTasksError):
    """The command cannot be carried out as it was written."""


class _Teller(logging.Handler):
    """Says that the client goes on asking a service that is away."""

    def emit(self, record: logging.LogRecord) -> None:
        _say(record.getMessage())


@contextmanager
def told() -> Iterator[None]:
    """Ends the process with the error's sentence and status, without a traceback."""
    logging.getLogger("quantumtasks_client").addHandler(_Teller())
    try:
        yield
    except (errors.QuantumTasksError, OSError, UnicodeError) as error:
        _say(sentence(error))
        sys.exit(status(error))


def _say(sentence: str) -> None:
    err.print("\n".join(map(clean, f"qtasks: {sentence}".splitlines())))


def sentence(error: Exception) -> str:
    """The error for a person, with what finds it in the service's logs."""
    told = str(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        told = f"{error.filename}: {error.strerror}."
    if isinstance(error, errors.NotAuthenticated):
        told += " Run `qtasks login`, or set QUANTUMTASKS_TOKEN."
    if isinstance(error, errors.ApiError) and error.status >= 500 and error.correlation_id:
        told += f" (correlation id {error.correlation_id})"
    return told


def status(error: Exception) -> int:
    """What the process ends with."""
    return next(code for kinds, code in STATUSES if isinstance(error, kinds))
