"""One shape for every error: {"error", "code", "details", "correlation_id"}.

`exception_handler` maps what views raise; the Django handlers below it cover what never reaches a
view (unknown routes, oversized bodies, bugs). Nothing internal gets into a body.
"""

from typing import Any

import structlog
from django.http import Http404 as DjangoHttp404
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views import defaults
from rest_framework import exceptions, status
from rest_framework.settings import api_settings

from tasks_app.api.correlation import correlation_id
from tasks_app.postgresql.base import DATABASE_ERRORS

RETRY_AFTER_S = 2

log = structlog.get_logger(__name__)


class ApiError(exceptions.APIException):
    """An error with its sentence, stable code, status and details."""

    def __init__(
        self,
        sentence: str,
        *,
        code: str,
        status_code: int,
        details: Any = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(sentence, code)
        self.status_code = status_code
        self.code = code
        self.details = details or {}
        self.retry_after_s = retry_after_s


class ServiceUnavailable(ApiError):
    """503: PostgreSQL or RabbitMQ is away; the same request may succeed later."""

    def __init__(self, sentence: str, *, code: str) -> None:
        super().__init__(sentence, code=code, status_code=503, retry_after_s=RETRY_AFTER_S)


def database_unavailable() -> ServiceUnavailable:
    return ServiceUnavailable(
        "The database is unavailable, so nothing was done. Try again shortly.",
        code="database_unavailable",
    )


def queue_unavailable() -> ServiceUnavailable:
    return ServiceUnavailable(
        "The task queue is unavailable, so the task was not accepted. Try again shortly.",
        code="queue_unavailable",
    )


def body(sentence: str, *, code: str, details: Any = None) -> dict[str, Any]:
    """The one error shape."""
    return {
        "error": sentence,
        "code": code,
        "details": details or {},
        "correlation_id": correlation_id(),
    }


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's hook: whatever a view raised, as a response; None for a bug (Django's 500 follows).

    JSON from every view, also from those that answer HTML or YAML when all is well.
    """
    api_error = _as_api_error(error)
    if api_error is None:
        return None
    response = plain(
        str(api_error.detail),
        code=api_error.code,
        status_code=api_error.status_code,
        details=api_error.details,
    )
    if isinstance(api_error, ServiceUnavailable):
        log.warning("service_unavailable", code=api_error.code, cause=type(error).__name__)
    if api_error.retry_after_s is not None:
        response["Retry-After"] = str(api_error.retry_after_s)
    if challenge := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = challenge
    return response


def _as_api_error(error: Exception) -> ApiError | None:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, DATABASE_ERRORS):
        return database_unavailable()
    if isinstance(error, UnreadablePostError):
        error = exceptions.ParseError("The request body broke off.")
    if isinstance(error, DjangoHttp404):
        error = exceptions.NotFound()
    if isinstance(error, exceptions.ValidationError):
        return _validation_error(error.detail)
    if isinstance(error, exceptions.APIException):
        code = _CODES.get(error.status_code, str(error.default_code))
        return ApiError(str(error.detail), code=code, status_code=error.status_code)
    return None


_CODES = {
    400: "malformed_request",
    401: "not_authenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    415: "unsupported_media_type",
    429: "too_many_requests",
}


def _validation_error(detail: Any) -> ApiError:
    """All that is wrong with the fields, as one sentence and by field."""
    details = detail if isinstance(detail, dict) else {"body": detail}
    details = {str(name)[:100]: problems for name, problems in details.items()}
    wrong = " ".join(f"{name}: {_first(problems)}" for name, problems in details.items())
    return ApiError(
        f"The request is not valid. {wrong}",
        code="validation_error",
        status_code=status.HTTP_400_BAD_REQUEST,
        details=details,
    )


def _first(problems: Any) -> str:
    """The first problem, after the index or name that it is found at."""
    if isinstance(problems, dict) and problems:
        where, problem = next(iter(problems.items()))
        at = "" if where == api_settings.NON_FIELD_ERRORS_KEY else f"{str(where)[:100]}: "
        return at + _first(problem)
    return _first(problems[0]) if isinstance(problems, list) and problems else str(problems)


def plain(sentence: str, *, code: str, status_code: int, details: Any = None) -> JsonResponse:
    """An error as a response. Pure ASCII: it may repeat text that no encoding can carry."""
    return JsonResponse(body(sentence, code=code, details=details), status=status_code)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return plain("The request is malformed.", code="malformed_request", status_code=400)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return plain("You may not do this.", code="permission_denied", status_code=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if request.path.startswith("/admin/") and exception is not None:
        return defaults.page_not_found(request, exception)
    return plain(
        "There is nothing at this address. /docs lists the routes.",
        code="not_found",
        status_code=404,
    )


def server_error(request: HttpRequest) -> HttpResponse:
    log.exception("internal_error")
    return plain(
        "Something went wrong on our side. The correlation id finds it in the logs.",
        code="internal_error",
        status_code=500,
    )
