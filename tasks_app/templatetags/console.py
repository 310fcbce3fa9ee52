"""How the console's pages write numbers, ids and times."""

import re
from datetime import datetime
from functools import cache
from pathlib import Path

from django import template
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from tasks_app.models import Task
from tasks_app.wording import duration, short_id

_FOLDER = "tasks_app/console"

register = template.Library()
register.filter(short_id)
register.filter(duration)


@register.simple_tag
def module(name: str) -> str:
    """A script, and all that it imports at once: a browser would find them one after the other."""
    files = [(static(f"{_FOLDER}/{each}"),) for each in sorted(imports(name) - {name})]
    preload = format_html_join("\n", '<link rel="modulepreload" href="{}">', files)
    source = static(f"{_FOLDER}/{name}")
    return format_html('{}\n<script type="module" src="{}"></script>', preload, source)


@cache
def imports(name: str) -> frozenset[str]:
    """The script and whatever it imports, and so on."""
    path = finders.find(f"{_FOLDER}/{name}")
    assert isinstance(path, str), name
    found = re.findall(r'from "\./([\w.]+)"', Path(path).read_text())
    return frozenset({name}.union(*map(imports, found)))


@register.filter
def thousands(number: int) -> str:
    """12,345."""
    return f"{number:,}"


@register.filter
def waited(task: Task) -> str:
    """Until its latest start, its end without one, or now."""
    return _between(task.submitted_at, task.started_at or task.completed_at)


@register.filter
def ran(task: Task) -> str:
    """Since its latest start, until its end or now."""
    return _between(task.started_at, task.completed_at)


def _between(start: datetime | None, end: datetime | None) -> str:
    if start is None:
        return duration(None)
    return duration(((end or timezone.now()) - start).total_seconds())
