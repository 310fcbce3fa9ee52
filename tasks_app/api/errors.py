"""One shape for every error: {"error", "code", "details", "correlation_id"}.

`exception_handler` maps what views raise; the Django handlers below it cover what never reaches a
view (unknown routes, oversized bodies, bugs). Nothing internal gets into a body.
"""

from collections.abc import Iterator
from typing import Any

import structlog
from django.core.exceptions import DisallowedHost
from django.db import ProgrammingError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.urls import reverse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.settings import api_settings

from tasks_app import access, logins, submission
from tasks_app.api.batch_results import NoPlace
from tasks_app.correlation import correlation_id
from tasks_app.postgresql import schema
from tasks_app.postgresql.base import DATABASE_ERRORS, why
from tasks_app.queue.publisher import QueueUnavailable

RETRY_AFTER_S = 2
WHOLE = str(api_settings.NON_FIELD_ERRORS_KEY)  # Where more than a field is wrong.
MAX_PROBLEMS = 20  # of one request that are told
MAX_NAME = 64  # Characters of a client's name for something that are repeated.
_CODES = {400: "malformed_request", 401: "not_authenticated"}  # else DRF's own

log = structlog.get_logger(__name__)


class ApiError(exceptions.APIException):
    """An error with its status, stable code, sentence and details."""

    def __init__(
        self,
        status_code: int,
        code: str,
        sentence: str,
        *,
        details: Any = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(sentence, code)
        self.status_code, self.code = status_code, code
        self.details = details or {}
        self.retry_after_s = retry_after_s

    def response(self) -> JsonResponse:
        """Pure ASCII: it may repeat text that no encoding can carry."""
        body = {
            "error": str(self.detail),
            "code": self.code,
            "details": self.details,
            "correlation_id": correlation_id(),
        }
        response = JsonResponse(body, status=self.status_code)
        if self.retry_after_s is not None:
            response["Retry-After"] = str(self.retry_after_s)
        return response


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's hook: whatever a view raised, as a response; None for a bug (Django's 500 follows).

    JSON from every view, also from those that answer HTML or YAML when all is well.
    """
    api_error = told(error)
    if api_error is None:
        return None
    response = api_error.response()
    if challenge := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = challenge
    return response


def told(error: Exception) -> ApiError | None:
    """`as_api_error`, with a line in the log where the service is away."""
    api_error = as_api_error(error)
    if api_error is not None and api_error.status_code == 503:
        log.warning("service_unavailable", code=api_error.code, reason=why(error))
    return api_error


def as_api_error(error: Exception) -> ApiError | None:
    """What a client is told of an exception; None if it is none of its business."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, DATABASE_ERRORS):
        sentence = "The database is unavailable, so nothing was done. Try again shortly."
        return ApiError(503, "database_unavailable", sentence, retry_after_s=RETRY_AFTER_S)
    if isinstance(error, ProgrammingError):
        return _schema_error()
    if isinstance(error, QueueUnavailable):
        sentence = "The task queue is unavailable, so nothing was accepted. Try again shortly."
        return ApiError(503, "queue_unavailable", sentence, retry_after_s=RETRY_AFTER_S)
    if isinstance(error, NoPlace):
        sentence = "As many long results are being sent as can be at a time. Try again shortly."
        return ApiError(503, "too_many_streams", sentence, retry_after_s=RETRY_AFTER_S)
    if isinstance(error, submission.KeyReused):
        sentence = "This Idempotency-Key was used for another request. Use a new key."
        return ApiError(409, "idempotency_key_reused", sentence)
    if isinstance(error, submission.NothingFailed):
        return ApiError(409, "nothing_to_retry", "No element of this batch has failed.")
    if isinstance(error, logins.Refused):
        return ApiError(429, "login_throttled", str(error), retry_after_s=error.retry_after_s)
    if isinstance(error, access.TooManyTokens):
        return ApiError(409, "too_many_tokens", f"You have {error}")
    if isinstance(error, access.LimitExceeded):
        return ApiError(
            *(429, "limit_exceeded", f"Your limit '{error.limit}' is {error.allowed}."),
            details={"limit": error.limit, "allowed": error.allowed},
            retry_after_s=error.retry_after_s,
        )
    if isinstance(error, UnreadablePostError):
        error = exceptions.ParseError("The request body broke off.")
    if isinstance(error, exceptions.NotAuthenticated):
        sentence = "A token is needed: send it as 'Authorization: Bearer TOKEN', or log in."
        error = exceptions.NotAuthenticated(sentence)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    if isinstance(error, exceptions.ValidationError):
        return _validation_error(error.detail)
    if isinstance(error, exceptions.APIException):
        code = _CODES.get(error.status_code, str(error.default_code))
        return ApiError(error.status_code, code, str(error.detail))
    return None


def _schema_error() -> ApiError | None:
    """What a statement was refused for: missing migrations, or else (None) a bug of ours."""
    try:
        if schema.fits():
            return None
    except DATABASE_ERRORS as error:
        return as_api_error(error)
    sentence = "The database lacks migrations of this version, so nothing was done."
    return ApiError(503, "schema_outdated", sentence, retry_after_s=RETRY_AFTER_S)


def _validation_error(detail: Any) -> ApiError:
    """What is wrong, as one sentence and by field: the first problems, and how many more there are.

    A request of some megabytes can be wrong in as many places, and nobody wants that answer.
    """
    problems = list(_problems(detail if isinstance(detail, dict) else {WHOLE: detail}))
    sentences: dict[str, str] = {}
    details: dict[str, Any] = {}
    for path, problem in problems[:MAX_PROBLEMS]:
        at = details
        for name in path[:-1]:
            at = at.setdefault(name, {})
        at.setdefault(path[-1], []).append(problem)
        inner = (name for name in path[1:] if name != WHOLE)
        sentences.setdefault(path[0], f"{': '.join((path[0], *inner))}: {problem}")
    said = " ".join(sentences.values())
    more = len(problems) - MAX_PROBLEMS
    also = f" And {more:,} more problems." if more > 0 else ""
    return ApiError(
        400, "validation_error", f"The request is not valid. {said}{also}", details=details
    )


def _problems(detail: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each problem, after the names and indices that it is found at."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _problems(inner, (*path, str(name)[:MAX_NAME]))
    elif isinstance(detail, list):
        for problem in detail:
            yield from _problems(problem, path)
    else:
        yield path, str(detail)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    sentence = "The request is malformed."
    if isinstance(exception, DisallowedHost):
        sentence = "The service does not go by this host's name; ALLOWED_HOSTS has those it does."
    return ApiError(400, "malformed_request", sentence).response()


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return ApiError(403, "permission_denied", "You may not do this.").response()


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if request.path_info.startswith("/admin/") and exception is not None:
        return defaults.page_not_found(request, exception)
    sentence = f"There is nothing at this address. {reverse('docs')} lists the routes."
    return ApiError(404, "not_found", sentence).response()


def server_error(request: HttpRequest) -> HttpResponse:
    log.exception("internal_error")
    sentence = "Something went wrong on our side. The correlation id finds it in the logs."
    return ApiError(500, "internal_error", sentence).response()
