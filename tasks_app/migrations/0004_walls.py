"""What keeps one owner, or a stranger, from filling the disk."""

from django.db import migrations, models

# Anybody can add failed logins to the audit: those, and only those, may go after a day.
AUDIT_FORGETS_FAILED_LOGINS = """
CREATE OR REPLACE FUNCTION tasks_app_auditentry_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.action = 'login_failed' AND OLD.at < now() - interval '1 day' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'check_violation';
END $$;
"""

AUDIT_FORGETS_NOTHING = """
CREATE OR REPLACE FUNCTION tasks_app_auditentry_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'check_violation';
END $$;
"""

# Of tasks that are there already; without a result's exact length, which would take its time.
COUNT_STORED = """
UPDATE tasks_app_task
SET stored_bytes = coalesce(octet_length(circuit), 0) + octet_length(options::text)
    + coalesce(pg_column_size(result), 0)
WHERE owner_id IS NOT NULL;
"""

OWNER_SUBMITTED = "task_owner_submitted"


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0003_shared_circuits")]

    operations = [
        migrations.RunSQL(AUDIT_FORGETS_FAILED_LOGINS, AUDIT_FORGETS_NOTHING),
        migrations.AddField(
            model_name="ownerlimits",
            name="stored_mb",
            field=models.PositiveIntegerField(
                null=True, blank=True, help_text="MiB of circuits, options and results kept."
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="stored_bytes",
            field=models.BigIntegerField(
                db_default=0, help_text="Of its own circuit, its options and its result, as text."
            ),
        ),
        migrations.RunSQL(COUNT_STORED, migrations.RunSQL.noop),
        migrations.RemoveIndex(model_name="task", name=OWNER_SUBMITTED),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                fields=["owner", "submitted_at"],
                include=["stored_bytes"],
                name=OWNER_SUBMITTED,
                condition=models.Q(owner__isnull=False),
            ),
        ),
    ]
