"""What the audit has held for a month may go, when `AUDIT_DAYS` says so."""

from importlib import import_module

from django.db import migrations

FORGETS_AFTER_A_MONTH = """
CREATE OR REPLACE FUNCTION tasks_app_auditentry_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.at < now() - (
        CASE OLD.action WHEN 'login_failed' THEN interval '1 day' ELSE interval '30 days' END
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'check_violation';
END $$;
"""
before = import_module("tasks_app.migrations.0004_walls").AUDIT_FORGETS_FAILED_LOGINS


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0011_runtime_sessions")]

    operations = [migrations.RunSQL(FORGETS_AFTER_A_MONTH, before)]
