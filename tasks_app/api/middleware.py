"""What every request gets: correlation id, a time budget, and errors in the one shape.

And what only some get: a program with a token needs no session, and pays for none.
"""

import time
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from tasks_app.api import correlation, errors
from tasks_app.postgresql.base import DATABASE_ERRORS, REQUEST_DATABASE_S, deadline

log = structlog.get_logger(__name__)


class ApiMiddleware:
    """Outermost: its headers are on every response, errors included."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        start = time.perf_counter()
        correlation_id = correlation.begin(request.META.get("HTTP_X_CORRELATION_ID"))
        if not request.path_info.startswith("/admin"):
            request.path_info = request.path_info.rstrip("/") or "/"
        request.encoding = "utf-8"  # Python knows charsets that decompress: zlib, bz2
        with deadline(REQUEST_DATABASE_S):
            response = self._refuse_body(request) or self._get_response(request)
        response[correlation.HEADER] = correlation_id
        log.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            seconds=round(time.perf_counter() - start, 4),
        )
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """A database outage in a view outside DRF (the admin)."""
        if not isinstance(error, DATABASE_ERRORS):
            return None
        unavailable = errors.database_unavailable()
        response = errors.plain(str(unavailable.detail), code=unavailable.code, status_code=503)
        response["Retry-After"] = str(errors.RETRY_AFTER_S)
        return response

    def _refuse_body(self, request: HttpRequest) -> HttpResponse | None:
        if "HTTP_TRANSFER_ENCODING" in request.META:  # Django would take it for an empty body
            return errors.plain(
                "Send the request body with its Content-Length, not in chunks.",
                code="length_required",
                status_code=411,
            )
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdigit() and int(length) <= limit:
            return None
        return errors.plain(
            f"The request body is larger than {limit} bytes.",
            code="payload_too_large",
            status_code=413,
        )


_PROGRAMS = ("/tasks", "/batches", "/queue", "/health", "/metrics")


class _ForPeople(MiddlewareMixin):
    """Passed over by a request of a program: one to its routes, without the session's cookie."""

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(_PROGRAMS) and "HTTP_COOKIE" not in request.META:
            return self.get_response(request)
        return super().__call__(request)


class SessionForPeople(_ForPeople, SessionMiddleware):
    """`request.session`."""


class UserForPeople(_ForPeople, AuthenticationMiddleware):
    """`request.user`, from the session."""


class MessagesForPeople(_ForPeople, MessageMiddleware):
    """The admin's notices."""
