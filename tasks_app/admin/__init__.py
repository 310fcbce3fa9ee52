"""The admin: tasks and their history; tokens, limits, workers and the audit."""

from tasks_app.admin import access, tasks

__all__ = ["access", "tasks"]
