#!/usr/bin/env python
"""Django's command line: migrate, rundramatiq, recover_tasks and the rest."""

import os
import sys

try:
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
except ModuleNotFoundError as error:
    sys.exit(f"{error}, for {sys.executable}. Try: .venv/bin/python manage.py ...")

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quantumtasks.settings")
    if sys.argv[1:2] == ["migrate"]:  # an index on ten million rows takes minutes
        os.environ.setdefault("DB_STATEMENT_TIMEOUT_S", "0")
    try:
        settings.INSTALLED_APPS  # noqa: B018  # reads them: Django would hide what is wrong
    except ImproperlyConfigured as error:
        sys.exit(f"Configuration error: {error}")
    execute_from_command_line(sys.argv)
