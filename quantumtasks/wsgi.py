"""The WSGI application: `gunicorn quantumtasks.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quantumtasks.settings")

application = get_wsgi_application()
# Imports the views, which Django leaves to the first request: here gunicorn's master does it once,
# before it listens, instead of each worker while its first clients wait.
get_resolver().url_patterns  # noqa: B018
