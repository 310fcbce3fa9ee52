"""The admin: tasks and their history; backends; tokens, limits, workers and the audit."""

from tasks_app.admin import access, backends, tasks

__all__ = ["access", "backends", "tasks"]
