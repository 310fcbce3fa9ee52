"""What every request gets: correlation id, a time budget, and errors in the one shape."""

import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote

import structlog
from django.conf import settings
from django.db import ProgrammingError
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import SAFE_METHODS

from tasks_app import correlation, metrics
from tasks_app.api import errors, query
from tasks_app.postgresql.base import DATABASE_ERRORS, request_deadline

SMALL_BODY = 16_384  # Bytes, where no circuit is submitted.
_TAKE_CIRCUITS = ("/tasks", "/tasks/batch", "/runtime/v1/jobs")
NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
# Swagger UI sets styles of its elements, and has pictures in its style sheet.
PAGE_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

log = structlog.get_logger(__name__)


class ApiMiddleware:
    """Outermost: its headers are on every response, errors included."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        start = time.perf_counter()
        correlation_id = correlation.begin(request.META.get("HTTP_X_CORRELATION_ID"))
        _look_behind_the_proxy(request)
        if not request.path_info.startswith("/admin"):
            request.path_info = request.path_info.rstrip("/") or "/"
        request.encoding = "utf-8"  # Python knows charsets that decompress: zlib, bz2
        with request_deadline():
            refusal = _wrong_body(request) or _null_character(request) or _foreign_page(request)
            response = refusal.response() if refusal else self._get_response(request)
        response[correlation.HEADER] = correlation_id
        _seal(response)
        seconds = time.perf_counter() - start
        route = request.resolver_match.route if request.resolver_match else "none"
        metrics.request(route, request.method, response.status_code, seconds)
        log.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            seconds=round(seconds, 4),
        )
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], _args: Any, _kwargs: Any
    ) -> HttpResponse | None:
        """A query parameter that the route does not take."""
        try:
            query.check(request, view)
        except ValidationError as error:
            return errors.exception_handler(error, {})
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """A database outage, or missing tables, in a view outside DRF (the admin)."""
        if not isinstance(error, (*DATABASE_ERRORS, ProgrammingError)):
            return None
        unavailable = errors.told(error)
        return None if unavailable is None else unavailable.response()


def _look_behind_the_proxy(request: HttpRequest) -> None:
    """Whom a trusted proxy has seen is who asks: the last address that it names."""
    asks = _address(request.META.get("REMOTE_ADDR", ""))
    if asks in map(_address, settings.TRUSTED_PROXIES):
        asks = _address(request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2]) or asks
    if asks is not None:
        request.META["REMOTE_ADDR"] = asks


def _address(text: str) -> str | None:
    """In one spelling: without a zone (fe80::1%eth0), which says something of the proxy alone and
    can be any text, and IPv4 as such where a socket is for both (::ffff:192.0.2.7)."""
    with suppress(ValueError):
        address = ip_address(text.strip().partition("%")[0])
        return str(getattr(address, "ipv4_mapped", None) or address)
    return None


def _wrong_body(request: HttpRequest) -> errors.ApiError | None:
    if "HTTP_TRANSFER_ENCODING" in request.META:  # Django would take it for an empty body
        sentence = "Send the request body with its Content-Length, not in chunks."
        return errors.ApiError(411, "length_required", sentence)
    path = request.path_info
    takes_circuits = path in _TAKE_CIRCUITS or path.endswith("/rerun")
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE if takes_circuits else SMALL_BODY
    length = request.META.get("CONTENT_LENGTH") or "0"
    encoding = request.META.get("HTTP_CONTENT_ENCODING") or "identity"
    if length != "0" and encoding.lower() != "identity":
        sentence = "Send the request body as it is, without Content-Encoding."
        return errors.ApiError(415, "unsupported_media_type", sentence)
    if length.isdigit() and int(length) <= limit:
        return None
    sentence = f"The request body is larger than {limit} bytes."
    return errors.ApiError(413, "payload_too_large", sentence)


def _null_character(request: HttpRequest) -> errors.ApiError | None:
    """What PostgreSQL has in no text, where nobody else looks for it: in cookies, which may have
    any character when they are quoted, and in addresses of Django's admin.
    """
    given = [*request.COOKIES.values()]
    if request.path_info.startswith("/admin"):
        given += [request.path_info, unquote(request.META.get("QUERY_STRING", ""))]
    if not any("\0" in text for text in given):
        return None
    sentence = "The address or a cookie has a null character in it."
    return errors.ApiError(400, "malformed_request", sentence)


def _foreign_page(request: HttpRequest) -> errors.ApiError | None:
    """Changes that another site's page asks for through the browser of somebody who may.

    A browser says whose page asks (Sec-Fetch-Site, or Origin where it is older); a program says
    neither, and a page needs a permission that we never give to send a token.
    """
    if request.method in SAFE_METHODS or "HTTP_AUTHORIZATION" in request.META:
        return None
    site, origin = request.META.get("HTTP_SEC_FETCH_SITE"), request.META.get("HTTP_ORIGIN")
    own = f"{request.scheme}://{request.META.get('HTTP_HOST', '')}"
    if origin is not None and origin in {own, *settings.CSRF_TRUSTED_ORIGINS}:
        return None
    if origin is None and site in (None, "same-origin", "none"):
        return None
    sentence = "A page of another site may not change anything here."
    return errors.ApiError(403, "cross_site_request", sentence)


def _seal(response: HttpResponse) -> None:
    """Nobody keeps what is private, and a page loads and runs nothing but our own files."""
    response.headers.setdefault("Cache-Control", "no-store")
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    response.headers.setdefault("Content-Security-Policy", PAGE_POLICY if is_page else NO_PAGE)
