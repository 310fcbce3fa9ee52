"""Everything that this package raises: a small tree, by the service's error codes."""

import re
from collections.abc import Mapping
from typing import Any

_PLACE = re.compile(r" \(line (\d+)(?:, column (\d+))?\)$")
_LINE_END = re.compile("\r\n|\r|\n")  # as the service counts; `splitlines` knows others too
_MAX_LINE = 160  # characters of a program's line that are shown


class QuantumTasksError(Exception):
    """What all of them are."""


class NotConfigured(QuantumTasksError):
    """The service's URL or the token is missing or cannot be used."""


class InvalidValue(QuantumTasksError, ValueError):
    """What cannot be sent at all, such as a number that is none."""


class ServiceUnreachable(QuantumTasksError):
    """No answer came, for as long as the client tries."""


class WaitTimeout(QuantumTasksError, TimeoutError):
    """What was waited for has not ended in time. It goes on: wait again by its id."""


class ApiError(QuantumTasksError):
    """The service refused. `code` is stable; `correlation_id` finds the request in its logs."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str = "",
        details: Mapping[str, Any] | None = None,
        correlation_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code = status, code
        self.details = dict(details or {})
        self.correlation_id, self.retry_after_s = correlation_id, retry_after_s


class InvalidRequest(ApiError):
    """What was sent is not valid; `details` says what, by field."""


class NotAuthenticated(ApiError):
    """There is no token, or it is unknown, expired or revoked."""


class NotPermitted(ApiError):
    """The token may not do this."""


class NotFound(ApiError):
    """There is no such thing, or it is somebody else's."""


class Conflict(ApiError):
    """It cannot be done in the present state."""


class IdempotencyKeyReused(Conflict):
    """The key was used for another request."""


class IllegalTransition(Conflict):
    """The task's status forbids it; `details["status"]` is that."""


class NothingToRetry(Conflict):
    """No element of the batch has failed."""


class LimitExceeded(ApiError):
    """One of the owner's limits is reached, and waiting did not or would not help."""


class ServiceUnavailable(ApiError):
    """The service, its database or its queue is away, for as long as the client tries."""


class TaskError(QuantumTasksError):
    """A task has no result to give."""

    def __init__(self, message: str, *, task_id: str = "") -> None:
        super().__init__(message)
        self.task_id = task_id


class NotEnded(TaskError):
    """The task has not ended yet."""


class TaskCancelled(TaskError):
    """The task was cancelled."""


class TaskFailed(TaskError):
    """The task failed; `code` is stable. `line` and `column` count from 1 where they are known."""

    def __init__(
        self,
        message: str,
        *,
        task_id: str = "",
        code: str = "",
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message, task_id=task_id)
        self.code, self.line, self.column = code, line, column


class ProgramError(TaskFailed):
    """The program is wrong, or uses what is not supported."""


class OptionsError(TaskFailed):
    """The run options are wrong, or they or the backend do not fit the program."""


class LimitReached(TaskFailed):
    """The task is too large or took too long."""


class ServiceFault(TaskFailed):
    """The service's own code or its backend is at fault; the program may well be right."""


_BY_STATUS: dict[int, type[ApiError]] = {
    401: NotAuthenticated,
    403: NotPermitted,
    404: NotFound,
    409: Conflict,
    429: LimitExceeded,
}
_BY_CODE: dict[str, type[ApiError]] = {
    "idempotency_key_reused": IdempotencyKeyReused,
    "illegal_transition": IllegalTransition,
    "nothing_to_retry": NothingToRetry,
}
_TASK_CODES: dict[type[TaskFailed], str] = {
    ProgramError: "empty_circuit invalid_character unsupported_version include_not_allowed "
    "syntax_error invalid_program invalid_qpy unsupported_feature",
    OptionsError: "invalid_shots invalid_seed invalid_method invalid_parameters invalid_noise "
    "invalid_observables invalid_precision invalid_outputs invalid_circuit_format "
    "invalid_optimization_level method_unsuitable backend_unsuitable",
    LimitReached: "circuit_too_large too_deeply_nested too_many_qubits too_many_clbits "
    "too_many_operations too_much_memory out_of_memory result_too_large "
    "timed_out cpu_time_exceeded",
    ServiceFault: "internal_error invalid_backend",
}
_BY_TASK_CODE = {code: kind for kind, codes in _TASK_CODES.items() for code in codes.split()}


def api_error(
    status: int, body: Any, *, retry_after_s: float | None, fallback: str = ""
) -> ApiError:
    """What an answer of `status` means. `body` is its JSON, None if it is none.

    `fallback` is said of an answer that did not come from the service itself but from a proxy.
    """
    told = body if isinstance(body, dict) and isinstance(body.get("error"), str) else {}
    code = str(told.get("code", f"http_{status}"))
    other = ServiceUnavailable if status >= 500 else InvalidRequest
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, other)
    details = told.get("details")
    correlation_id = told.get("correlation_id")
    return kind(
        told.get("error") or fallback or f"The answer was HTTP {status}.",
        status=status,
        code=code,
        details=details if isinstance(details, dict) else None,
        correlation_id=None if correlation_id is None else str(correlation_id),
        retry_after_s=retry_after_s,
    )


def task_error(
    task_id: str, code: str | None, message: str | None, program: str | None = None
) -> TaskError:
    """The error of a task that failed, or, without a code, was cancelled.

    With the program's text its line is shown below the sentence, and a caret below that.
    """
    if code is None:
        return TaskCancelled("The task was cancelled.", task_id=task_id)
    message = message or f"The task failed: {code}."
    place = _PLACE.search(message)
    line = int(place[1]) if place else None
    column = int(place[2]) if place and place[2] else None
    excerpt = _excerpt(program, line, column) if program and line else ""
    kind = _BY_TASK_CODE.get(code, TaskFailed)
    return kind(message + excerpt, task_id=task_id, code=code, line=line, column=column)


def _excerpt(program: str, line: int, column: int | None) -> str:
    lines = _LINE_END.split(program)
    if line > len(lines):
        return ""
    text = lines[line - 1]
    first = max(0, (column or 1) - _MAX_LINE // 2) if len(text) > _MAX_LINE else 0
    margin = f"{line:>5} | "
    shown = f"\n{margin}{text[first : first + _MAX_LINE].expandtabs(1)}"
    if column is None:
        return shown
    return f"{shown}\n{' ' * (len(margin) + column - 1 - first)}^"
