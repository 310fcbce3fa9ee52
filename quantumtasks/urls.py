"""All routes. Paths have no trailing slash here; `ApiMiddleware` accepts one."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from tasks_app.api import errors
from tasks_app.console import pages

admin.site.site_header = admin.site.site_title = "Quantum Tasks"
admin.site.index_title = "Tasks and their history"

urlpatterns = [
    path("", include("tasks_app.api.urls")),  # first: every request walks down the list
    path("runtime/", include("tasks_app.runtime_api.urls")),
    path("", include("tasks_app.console.urls")),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}tasks_app/icon.svg")),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    re_path("^admin/r/", errors.not_found),  # "view on site": no model has a page there
    path("admin/", admin.site.urls),
]

handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = pages.not_found
handler500 = errors.server_error
