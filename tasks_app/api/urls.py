"""The API's routes, without trailing slash (`ApiMiddleware` accepts one)."""

from django.urls import path
from drf_spectacular.views import SpectacularSwaggerView, SpectacularYAMLAPIView

from tasks_app.api.health import HealthView, LiveView, ReadyView
from tasks_app.api.metrics import MetricsView
from tasks_app.api.views import TaskViewSet

urlpatterns = [
    path("tasks", TaskViewSet.as_view({"post": "create"}), name="task-list"),
    path("tasks/<str:task_id>", TaskViewSet.as_view({"get": "retrieve"}), name="task-detail"),
    path("health", HealthView.as_view(), name="health"),
    path("health/live", LiveView.as_view(), name="live"),
    path("health/ready", ReadyView.as_view(), name="ready"),
    path("metrics", MetricsView.as_view(), name="metrics"),
    path("openapi.yaml", SpectacularYAMLAPIView.as_view(), name="openapi"),
    path("docs", SpectacularSwaggerView.as_view(url_name="openapi"), name="docs"),
]
