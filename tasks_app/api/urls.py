"""The API's routes, without trailing slash (`ApiMiddleware` accepts one)."""

from typing import Any

from django.urls import path

from tasks_app.api.backends import BackendsView, BackendView
from tasks_app.api.content import AnyMediaType, CsvRenderer, OrjsonRenderer
from tasks_app.api.health import HealthView, live, ready
from tasks_app.api.metrics import MetricsView
from tasks_app.api.schema import DescriptionView, DocsView
from tasks_app.api.tokens import TokenViewSet, log_in, log_out
from tasks_app.api.views import BatchViewSet, QueueView, TaskViewSet

_READ_ONLY: Any = {"http_method_names": ["get", "head"]}  # their renderers know no other answer

urlpatterns = [
    path("tasks", TaskViewSet.as_view({"get": "list", "post": "create"}), name="task-list"),
    path("tasks/batch", BatchViewSet.as_view({"post": "create"})),
    path(
        "tasks/<str:task_id>",
        TaskViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="task-detail",
    ),
    path("tasks/<str:task_id>/submission", TaskViewSet.as_view({"get": "submitted"})),
    path("tasks/<str:task_id>/rerun", TaskViewSet.as_view({"post": "rerun"})),
    path("tasks/<str:task_id>/cancel", TaskViewSet.as_view({"post": "cancel_one"})),
    path(
        "tasks/<str:task_id>/result",
        TaskViewSet.as_view({"get": "result"}, renderer_classes=[OrjsonRenderer, CsvRenderer]),
    ),
    path("batches", BatchViewSet.as_view({"get": "list"}), name="batch-list"),
    path("batches/<str:batch_id>", BatchViewSet.as_view({"get": "retrieve"}), name="batch-detail"),
    path(
        "batches/<str:batch_id>/results",
        BatchViewSet.as_view({"get": "results"}, content_negotiation_class=AnyMediaType),
    ),
    path("batches/<str:batch_id>/cancel", BatchViewSet.as_view({"post": "cancel_all"})),
    path("batches/<str:batch_id>/retry", BatchViewSet.as_view({"post": "retry"})),
    path("backends", BackendsView.as_view(), name="backend-list"),
    path("backends/<str:name>", BackendView.as_view(), name="backend-detail"),
    path("queue", QueueView.as_view(), name="queue"),
    path("login", log_in, name="login"),
    path("logout", log_out, name="logout"),
    path("tokens", TokenViewSet.as_view({"get": "list", "post": "create"}), name="token-list"),
    path("tokens/<int:token_id>", TokenViewSet.as_view({"delete": "destroy"})),
    path("health", HealthView.as_view(), name="health"),
    path("health/live", live, name="live"),
    path("health/ready", ready, name="ready"),
    path("metrics", MetricsView.as_view(), name="metrics"),
    path("openapi.yaml", DescriptionView.as_view(**_READ_ONLY), name="openapi"),
    path("docs", DocsView.as_view(url_name="openapi", **_READ_ONLY), name="docs"),
]
