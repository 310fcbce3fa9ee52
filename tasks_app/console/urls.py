"""The console's routes, without trailing slash (`ApiMiddleware` accepts one)."""

from django.urls import path

from tasks_app.console import views

app_name = "console"
urlpatterns = [
    path("", views.run, name="run"),
    path("console/login", views.log_in, name="login"),
    path("console/tasks", views.tasks, name="tasks"),
    path("console/tasks/<uuid:task_id>", views.task, name="task"),
    path("console/batches", views.batches, name="batches"),
    path("console/batches/<uuid:batch_id>", views.batch, name="batch"),
    path("console/queue", views.queue, name="queue"),
    path("console/tokens", views.tokens, name="tokens"),
]
