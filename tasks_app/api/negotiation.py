"""Which form an answer takes."""

from typing import Any

from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation


class AnyMediaType(BaseContentNegotiation):
    """There is one form of the answer, whatever `Accept` says."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class FirstMediaType(DefaultContentNegotiation):
    """REST framework's, with a short way for who wants the first form or has no wish."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        first = renderers[0]
        accept = request.META.get("HTTP_ACCEPT", "*/*")
        if accept in ("*/*", first.media_type) and not (format_suffix or request.query_params):
            return first, first.media_type
        return super().select_renderer(request, renderers, format_suffix)
