"""The first page of the admin."""

from typing import Any

from django import template

from tasks_app.admin import dashboard as figures

register = template.Library()


@register.inclusion_tag("admin/dashboard.html")
def dashboard() -> dict[str, Any]:
    """How the queue and the workers are doing, and what became of the latest tasks."""
    return figures.context()
