"""The WSGI application: `gunicorn quantumtasks.wsgi`."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quantumtasks.settings")


class Request(WSGIRequest):
    """One whose Content-Type cannot be read is of no type that a route takes."""

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]  # the stubs lack it
        except ValueError:  # a charset that cannot be: Django has no answer yet to fail with
            self.content_type, self.content_params = "", {}
            meta["CONTENT_TYPE"] = ""  # which others read on their own


_django = get_wsgi_application()
_django.request_class = Request


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Below `URL_PREFIX`, whether a proxy took that from the path or not (probes never have it)."""
    path: str = environ["PATH_INFO"]
    if path == settings.URL_PREFIX or path.startswith(f"{settings.URL_PREFIX}/"):
        environ["PATH_INFO"] = path[len(settings.URL_PREFIX) :]
    return _django(environ, start_response)


# Imports the views, which Django leaves to the first request: here gunicorn's master does it once,
# before it listens, instead of each worker while its first clients wait.
get_resolver().url_patterns  # noqa: B018
