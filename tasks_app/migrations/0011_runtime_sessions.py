"""Jobs and sessions of the IBM Runtime client."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Now

from tasks_app.models import new_task_id

GOES_WITH_ITS_BATCH = """
ALTER TABLE tasks_app_runtimejob ADD CONSTRAINT tasks_app_runtimejob_batch_id_fk
    FOREIGN KEY (batch_id) REFERENCES tasks_app_batch (batch_id) ON DELETE CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("tasks_app", "0010_traceparent"),
    ]

    operations = [
        migrations.CreateModel(
            name="RuntimeSession",
            fields=[
                (
                    "session_id",
                    models.UUIDField(
                        default=new_task_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("backend", models.CharField(max_length=64)),
                ("mode", models.CharField(help_text="dedicated or batch.", max_length=10)),
                (
                    "max_time_s",
                    models.PositiveIntegerField(null=True, help_text="How long it takes jobs."),
                ),
                ("created_at", models.DateTimeField(db_default=Now())),
                (
                    "closed_at",
                    models.DateTimeField(null=True, help_text="From when on it takes no job."),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RuntimeJob",
            fields=[
                (
                    "batch",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="tasks_app.batch",
                    ),
                ),
                ("program", models.CharField(max_length=16)),
                ("backend", models.CharField(max_length=64)),
                (
                    "params",
                    models.JSONField(help_text="As sent, null in the place of circuits of tasks."),
                ),
                ("parts", models.JSONField(help_text="What each task is of it, in order.")),
                (
                    "session",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="jobs",
                        to="tasks_app.runtimesession",
                    ),
                ),
            ],
        ),
        migrations.RunSQL(GOES_WITH_ITS_BATCH, migrations.RunSQL.noop),
    ]
