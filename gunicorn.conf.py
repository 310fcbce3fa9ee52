"""gunicorn's settings, read from the working folder: `gunicorn quantumtasks.wsgi`."""

import gc
import sys
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from gunicorn.http import message  # type: ignore[import-untyped]

try:
    from quantumtasks import settings
except ImproperlyConfigured as error:
    sys.exit(f"Configuration error: {error}")
from quantumtasks.logging import logging_dict
from tasks_app import metric_files

metric_files.begin()  # also for the processes to come
gc.disable()  # while the application loads: there is nothing to find yet

bind = settings.BIND
workers = settings.WEB_CONCURRENCY
worker_class = "quantumtasks.serving.Worker"
logger_class = "quantumtasks.serving.Log"
# Load the application before listening: connections are refused while it loads, which a client
# or load balancer sees at once, instead of waiting for it; and a lost worker is back in no time.
preload_app = True
threads = settings.WEB_THREADS
keepalive = 15
timeout = 30
graceful_timeout = 20
max_requests = 0
# `GET /tasks?ids=` with 500 ids has 19 kB; gunicorn would cut any limit to its 8190.
limit_request_line = message.MAX_REQUEST_LINE = 32_768
# No header says where we are, as by default SCRIPT_NAME does from loopback: URL_PREFIX does.
forwarder_headers = ""
worker_tmp_dir = "/dev/shm"  # noqa: S108  # heartbeat file: never on a slow disk
control_socket_disable = True  # its one path for all is not writable in a container
logconfig_dict = logging_dict(console=settings.DEBUG, level=settings.LOG_LEVEL)


def when_ready(_server: Any) -> None:
    """What is loaded stays: the processes to be forked share it and never look through it again
    for garbage, which took 70 ms now and then."""
    gc.freeze()
    gc.enable()
