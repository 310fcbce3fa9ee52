"""What the console's pages share: who may look, and errors as pages."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from tasks_app import access
from tasks_app.api import errors
from tasks_app.correlation import correlation_id

# Nothing is fetched from elsewhere, and no script or style stands in a page. Pictures are those
# that its own scripts make.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

View = Callable[..., HttpResponse]


def page(view: View) -> View:
    """A page of the console, for whoever the API would answer; others are asked to log in."""

    @public_page
    @wraps(view)
    def shown(request: HttpRequest, **path: Any) -> HttpResponse:
        if settings.API_AUTH != "open" and access.owner_of(request.user) is None:
            query = urlencode({"next": request.get_full_path()})
            return redirect(f"{reverse('console:login')}?{query}")
        return view(request, **path)

    return shown


def public_page(view: View) -> View:
    """A page for everybody. An error is told as the API tells it, as a page."""

    @wraps(view)
    def shown(request: HttpRequest, **path: Any) -> HttpResponse:
        try:
            response: HttpResponse = require_safe(view)(request, **path)
        except Exception as error:
            told = errors.told(error)
            if told is None:
                raise
            response = error_page(request, told)
        response.headers["Content-Security-Policy"] = POLICY
        return response

    return shown


def shown(request: HttpRequest, name: str, **context: Any) -> HttpResponse:
    """The console's template of this name."""
    return render(request, f"console/{name}.html", _frame(request) | context)


def error_page(request: HttpRequest, error: errors.ApiError) -> HttpResponse:
    """An error of the API as a page, without a look at the database, which may be the error."""
    context = {"status": error.status_code, "error": error, "correlation_id": correlation_id()}
    response = render(request, "console/error.html", context, status=error.status_code)
    if error.retry_after_s is not None:
        response["Retry-After"] = str(error.retry_after_s)
    return response


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """An address that does not exist: a page where pages are."""
    if not request.path_info.startswith("/console"):
        return errors.not_found(request, exception)
    error = errors.ApiError(404, "not_found", "There is no page at this address.")
    response = error_page(request, error)
    response.headers["Content-Security-Policy"] = POLICY
    return response


def _frame(request: HttpRequest) -> dict[str, Any]:
    """What every page's head needs."""
    return {"person": access.owner_of(request.user), "is_open": settings.API_AUTH == "open"}
