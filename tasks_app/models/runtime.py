"""What the IBM Runtime client knows beside batches and tasks."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from tasks_app.models.tasks import Batch, new_task_id


class RuntimeSession(models.Model):
    """What the IBM Runtime client groups jobs by: a session, or a batch in its own words."""

    session_id = models.UUIDField(primary_key=True, default=new_task_id, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+"
    )
    backend = models.CharField(max_length=64)
    mode = models.CharField(max_length=10, help_text="dedicated or batch.")
    max_time_s = models.PositiveIntegerField(null=True, help_text="How long it takes jobs.")
    created_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True, help_text="From when on it takes no job.")

    def __str__(self) -> str:
        return str(self.session_id)


class RuntimeJob(models.Model):
    """What the IBM Runtime client asked for with a batch, in its own words."""

    # The constraint is made by migration 0011 with ON DELETE CASCADE: it goes with its batch.
    batch = models.OneToOneField(
        Batch, primary_key=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    program = models.CharField(max_length=16)
    backend = models.CharField(max_length=64)
    session = models.ForeignKey(
        RuntimeSession, null=True, on_delete=models.SET_NULL, related_name="jobs"
    )
    params = models.JSONField(help_text="As sent, null in the place of circuits of tasks.")
    parts = models.JSONField(help_text="What each task is of it, in order.")

    def __str__(self) -> str:
        return str(self.pk)
