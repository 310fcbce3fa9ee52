"""Which query parameters a route takes: any other is an error that names it, not silence."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, TypeVar

from django.http import HttpRequest
from rest_framework.exceptions import ValidationError

from tasks_app.api.fields import first_of

F = TypeVar("F", bound=Callable[..., Any])


def takes(names: Collection[str], handler: F) -> F:
    """The handler, marked as one that takes these."""
    handler.query_parameters = frozenset(names)  # type: ignore[attr-defined]
    return handler


def takes_these(*names: str) -> Callable[[F], F]:
    """`takes` as a decorator."""
    return partial(takes, names)


def check(request: HttpRequest, view: Callable[..., Any]) -> None:
    """Raises `ValidationError` for what a view of the API does not take; the admin's may."""
    method = "get" if request.method == "HEAD" else str(request.method).lower()
    name = getattr(view, "actions", {}).get(method, method)
    handler = getattr(getattr(view, "cls", None), name, None)
    taken: frozenset[str] = getattr(handler, "query_parameters", frozenset())
    unknown = sorted(request.GET.keys() - taken)
    if handler is not None and unknown:
        here = f"Known here: {', '.join(sorted(taken))}." if taken else "None is known here."
        raise ValidationError(first_of(unknown, f"This query parameter is not known. {here}"))
