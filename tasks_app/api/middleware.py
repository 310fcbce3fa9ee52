"""What every request gets: correlation id, a time budget, and errors in the one shape."""

import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from tasks_app.api import correlation, errors
from tasks_app.postgresql.base import DATABASE_ERRORS, request_deadline

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
        with request_deadline():
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
        unavailable = errors.as_api_error(error)
        return None if unavailable is None else unavailable.response()

    def _refuse_body(self, request: HttpRequest) -> HttpResponse | None:
        if "HTTP_TRANSFER_ENCODING" in request.META:  # Django would take it for an empty body
            sentence = "Send the request body with its Content-Length, not in chunks."
            return errors.ApiError(411, "length_required", sentence).response()
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdigit() and int(length) <= limit:
            return None
        sentence = f"The request body is larger than {limit} bytes."
        return errors.ApiError(413, "payload_too_large", sentence).response()
