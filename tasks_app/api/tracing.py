"""A span for each request; in `MIDDLEWARE` only where traces are on."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from tasks_app import correlation, spans
from tasks_app.metrics import known_method
from tasks_app.tracing import traceparent

_NOT_TRACED = ("/health", "/metrics", "/static")  # asked all the time, by machines


class TracingMiddleware:
    """Outermost, so that it has the time that everything takes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(_NOT_TRACED):
            return self._get_response(request)
        method = known_method(request.method)
        with spans.request(method, request.META.get("HTTP_TRACEPARENT")) as (span, parent):
            token = traceparent.set(parent)
            try:
                response = self._get_response(request)
            finally:
                traceparent.reset(token)
            route = request.resolver_match.route if request.resolver_match else ""
            span.update_name(f"{method} {route}".rstrip())
            span.set_attribute("http.route", route)
            span.set_attribute("http.response.status_code", response.status_code)
            span.set_attribute("quantumtasks.correlation_id", response[correlation.HEADER])
            if response.status_code >= 500:
                spans.failed(str(response.status_code))
        return response
