"""The WSGI application: `gunicorn quantumtasks.wsgi`."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quantumtasks.settings")

_django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Below `URL_PREFIX`, whether a proxy took that from the path or not (probes never have it)."""
    path: str = environ["PATH_INFO"]
    if path == settings.URL_PREFIX or path.startswith(f"{settings.URL_PREFIX}/"):
        environ["PATH_INFO"] = path[len(settings.URL_PREFIX) :]
    return _django(environ, start_response)


# Imports the views, which Django leaves to the first request: here gunicorn's master does it once,
# before it listens, instead of each worker while its first clients wait.
get_resolver().url_patterns  # noqa: B018
