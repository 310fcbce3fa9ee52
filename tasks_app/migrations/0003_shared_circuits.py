"""A circuit that a batch shares is stored once, with the batch."""

from django.db import migrations, models

# As a task's own circuit, it cannot be changed (0002).
BATCH_CIRCUIT_FIXED = """
CREATE FUNCTION tasks_app_batch_circuit_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the circuit of batch % cannot be changed', OLD.batch_id
        USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER tasks_app_batch_circuit_fixed
    BEFORE UPDATE OF circuit ON tasks_app_batch FOR EACH ROW
    EXECUTE FUNCTION tasks_app_batch_circuit_fixed();
"""

# On the way back each task gets its own copy, which its guard would refuse.
COPY_TO_TASKS = """
ALTER TABLE tasks_app_task DISABLE TRIGGER tasks_app_task_submission_fixed;
UPDATE tasks_app_task AS task SET circuit = batch.circuit
    FROM tasks_app_batch AS batch
    WHERE batch.batch_id = task.batch_id AND task.circuit IS NULL;
ALTER TABLE tasks_app_task ENABLE TRIGGER tasks_app_task_submission_fixed;
"""


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0002_guards")]

    operations = [
        migrations.AddField(
            model_name="batch",
            name="circuit",
            field=models.TextField(
                null=True, help_text="Of all elements that bring none themselves."
            ),
        ),
        migrations.RunSQL(
            BATCH_CIRCUIT_FIXED,
            "DROP TRIGGER tasks_app_batch_circuit_fixed ON tasks_app_batch; "
            "DROP FUNCTION tasks_app_batch_circuit_fixed();",
        ),
        migrations.AlterField(
            model_name="task",
            name="circuit",
            field=models.TextField(
                null=True, help_text="OpenQASM 2 or 3 program, as submitted; empty: its batch's."
            ),
        ),
        migrations.RunSQL(migrations.RunSQL.noop, COPY_TO_TASKS),
        migrations.AddConstraint(
            model_name="task",
            constraint=models.CheckConstraint(
                name="task_has_a_circuit",
                condition=models.Q(circuit__isnull=False) | models.Q(batch__isnull=False),
            ),
        ),
    ]
