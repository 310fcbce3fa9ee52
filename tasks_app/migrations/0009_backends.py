"""Named backends, each with a line of its own."""

import django.contrib.postgres.fields
import django.core.validators
from django.db import migrations, models
from django.db.models.functions import Now

# What tasks wait for or run on stays, and so does the one that they run on without being asked.
KEEP = """
CREATE FUNCTION tasks_app_backend_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.name = 'aer' OR EXISTS (
        SELECT FROM tasks_app_task WHERE current_status = 'pending' AND backend = OLD.name
    ) OR EXISTS (
        SELECT FROM tasks_app_task WHERE current_status = 'processing' AND backend = OLD.name
    ) THEN
        RAISE EXCEPTION 'backend % is the default one, or tasks wait for it or run on it', OLD.name
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER tasks_app_backend_kept
    BEFORE DELETE OR UPDATE OF name ON tasks_app_backend
    FOR EACH ROW EXECUTE FUNCTION tasks_app_backend_kept();

CREATE FUNCTION tasks_app_backend_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER tasks_app_backend_changed
    BEFORE UPDATE ON tasks_app_backend
    FOR EACH ROW EXECUTE FUNCTION tasks_app_backend_changed();
"""
DO_NOT_KEEP = """
DROP FUNCTION tasks_app_backend_kept CASCADE;
DROP FUNCTION tasks_app_backend_changed CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0008_turns")]

    operations = [
        migrations.CreateModel(
            name="Backend",
            fields=[
                (
                    "name",
                    models.CharField(
                        primary_key=True,
                        serialize=False,
                        max_length=64,
                        validators=[
                            django.core.validators.RegexValidator(
                                r"^[a-z][a-z0-9_]*\Z",
                                "Lower-case letters, digits and underscores.",
                            )
                        ],
                        help_text="What tasks call it, and a part of its queue's name.",
                    ),
                ),
                ("kind", models.CharField(max_length=64, help_text="What runs its circuits.")),
                ("description", models.TextField(blank=True, db_default="")),
                (
                    "online",
                    models.BooleanField(
                        default=True,
                        db_default=True,
                        help_text="Offline, none of its tasks starts: they wait.",
                    ),
                ),
                (
                    "max_qubits",
                    models.PositiveIntegerField(
                        null=True, blank=True, help_text="Qubits of a task."
                    ),
                ),
                (
                    "max_shots",
                    models.PositiveIntegerField(
                        null=True, blank=True, help_text="Shots of a task."
                    ),
                ),
                (
                    "definition",
                    models.JSONField(
                        default=dict,
                        blank=True,
                        help_text="What its kind needs to know of it (docs/backends.md).",
                    ),
                ),
                (
                    "changed_at",
                    models.DateTimeField(
                        db_default=Now(),
                        editable=False,
                        help_text="Set by a trigger; workers read it anew then.",
                    ),
                ),
            ],
            options={"ordering": ["name"]},
        ),
        migrations.RunSQL(KEEP, DO_NOT_KEEP),
        migrations.AlterField(
            model_name="task",
            name="backend",
            field=models.CharField(default="aer", db_default="aer", max_length=64),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                fields=["backend", "submitted_at"],
                name="task_backend",
                condition=models.Q(("backend", "aer"), _negated=True),
            ),
        ),
        migrations.AddField(
            model_name="worker",
            name="backends",
            field=django.contrib.postgres.fields.ArrayField(
                models.CharField(max_length=64),
                db_default=["aer"],
                help_text="Whose tasks it runs.",
            ),
        ),
    ]
