"""One check in place of thirteen, and a vacuum that keeps up."""

import django.core.validators
from django.db import migrations, models

# PostgreSQL prepares a CHECK's expression anew in every statement. Those of 0001 took a quarter of
# an insert's time; a function's expressions are prepared once a session.
FITS = """
CREATE FUNCTION tasks_app_task_fits(
    status text, shots integer, seed bigint, batch_index integer, attempt integer,
    handed_back integer, started_at timestamptz, completed_at timestamptz,
    lease_expires_at timestamptz, result jsonb, error_code text, error_message text
) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    RETURN shots >= 1 AND coalesce(seed, 0) >= 0 AND coalesce(batch_index, 0) >= 0
        AND handed_back BETWEEN 0 AND attempt AND CASE status
        WHEN 'pending' THEN attempt = 0
            AND num_nonnulls(completed_at, lease_expires_at, result, error_code, error_message) = 0
        WHEN 'processing' THEN attempt >= 1 AND num_nulls(started_at, lease_expires_at) = 0
            AND num_nonnulls(completed_at, result, error_code, error_message) = 0
        WHEN 'completed' THEN num_nulls(completed_at, result) = 0
            AND num_nonnulls(lease_expires_at, error_code, error_message) = 0
        WHEN 'failed' THEN num_nulls(completed_at, error_code, error_message) = 0
            AND num_nonnulls(lease_expires_at, result) = 0
        WHEN 'cancelled' THEN completed_at IS NOT NULL
            AND num_nonnulls(lease_expires_at, result, error_code, error_message) = 0
        ELSE false
    END;
END $$;
"""

# A task leaves two dead rows behind. With the defaults ten million tasks would wait for two
# million of them, and what looks for the oldest pending task would step over them until then.
VACUUM = """
ALTER TABLE tasks_app_task SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 1000
);
"""

VACUUM_BY_DEFAULT = """
ALTER TABLE tasks_app_task RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
    autovacuum_analyze_scale_factor, autovacuum_analyze_threshold
);
"""


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0004_access")]

    operations = [
        *(
            migrations.RemoveConstraint(model_name="task", name=name)
            for name in (
                "task_status_known",
                "task_shots_positive",
                "task_completed_at_iff_terminal",
                "task_result_iff_completed",
                "task_error_iff_failed",
                "task_lease_iff_processing",
                "task_pending_unclaimed",
                "task_handed_back_bounded",
            )
        ),
        # Django's own checks of positive fields are prepared anew as well.
        migrations.AlterField(
            model_name="task",
            name="shots",
            field=models.IntegerField(
                help_text="How often the circuit is run.",
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
        migrations.AlterField(
            model_name="task",
            name="seed",
            field=models.BigIntegerField(
                help_text="Seed asked for; empty: the worker draws one and reports it.",
                null=True,
                validators=[django.core.validators.MinValueValidator(0)],
            ),
        ),
        migrations.AlterField(
            model_name="task",
            name="batch_index",
            field=models.IntegerField(help_text="Position in its batch.", null=True),
        ),
        migrations.AlterField(
            model_name="task",
            name="attempt",
            field=models.IntegerField(
                db_default=0,
                help_text="Number of claims so far; the fence that keeps late results out.",
            ),
        ),
        migrations.AlterField(
            model_name="task",
            name="handed_back",
            field=models.IntegerField(
                db_default=0,
                help_text="Attempts ended by a worker's orderly shutdown: not held against.",
            ),
        ),
        migrations.RunSQL(FITS, "DROP FUNCTION tasks_app_task_fits;"),
        migrations.AddConstraint(
            model_name="task",
            constraint=models.CheckConstraint(
                condition=models.Func(
                    "current_status",
                    "shots",
                    "seed",
                    "batch_index",
                    "attempt",
                    "handed_back",
                    "started_at",
                    "completed_at",
                    "lease_expires_at",
                    "result",
                    "error_code",
                    "error_message",
                    function="tasks_app_task_fits",
                    output_field=models.BooleanField(),
                ),
                name="task_fits_its_status",
            ),
        ),
        migrations.RemoveIndex(model_name="task", name="task_pending"),
        migrations.RemoveIndex(model_name="task", name="task_batch"),
        migrations.RemoveIndex(model_name="task", name="task_owner_submitted"),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("batch__isnull", False)),
                fields=["batch", "submitted_at"],
                name="task_batch",
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("owner__isnull", False)),
                fields=["owner", "submitted_at"],
                name="task_owner_submitted",
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("current_status", "pending")),
                fields=["enqueued_at", "task_id"],
                name="task_pending",
            ),
        ),
        migrations.RunSQL(VACUUM, VACUUM_BY_DEFAULT),
    ]
