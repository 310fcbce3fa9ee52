"""The routes that the IBM Runtime client and QRMI use, under `/runtime`."""

from django.urls import path

from tasks_app.runtime_api import account, backends, iam, sessions, views

urlpatterns = [
    path("iam/identity/token", iam.TokenView.as_view()),
    path("iam/v3/resources/search", account.InstancesView.as_view()),
    path("iam/<str:plan>", account.PlanView.as_view()),
    path("v1/backends", backends.BackendsView.as_view()),
    path("v1/backends/<str:name>/configuration", backends.ConfigurationView.as_view()),
    path("v1/backends/<str:name>/properties", backends.PropertiesView.as_view()),
    path("v1/backends/<str:name>/status", backends.StatusView.as_view()),
    path("v1/instances/usage", account.UsageView.as_view()),
    path("v1/jobs", views.JobsView.as_view()),
    path("v1/jobs/<str:job_id>", views.JobView.as_view()),
    path("v1/jobs/<str:job_id>/cancel", views.CancelView.as_view()),
    path("v1/jobs/<str:job_id>/results", views.ResultsView.as_view()),
    path("v1/jobs/<str:job_id>/logs", views.LogsView.as_view()),
    path("v1/jobs/<str:job_id>/metrics", views.MetricsView.as_view()),
    path("v1/jobs/<str:job_id>/tags", views.TagsView.as_view()),
    path("v1/sessions", sessions.SessionsView.as_view()),
    path("v1/sessions/<str:session_id>", sessions.SessionView.as_view()),
    path("v1/sessions/<str:session_id>/close", sessions.CloseView.as_view()),
]
