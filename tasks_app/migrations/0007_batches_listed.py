"""Batches are listed, and found by name and tag."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Of batches that are there already: the tags that all their elements have.
FILL = """
UPDATE tasks_app_batch AS batch SET tags = common.tags
FROM (
    SELECT batch_id, array_agg(tag ORDER BY tag) AS tags
    FROM (
        SELECT task.batch_id, tag
        FROM tasks_app_task AS task JOIN tasks_app_batch AS batch USING (batch_id),
            unnest(task.tags) AS tag
        GROUP BY task.batch_id, batch.size, tag
        HAVING count(DISTINCT batch_index) = batch.size
    ) AS each
    GROUP BY batch_id
) AS common
WHERE common.batch_id = batch.batch_id;
"""


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("tasks_app", "0006_rerun_of"),
    ]

    operations = [
        migrations.AddField(
            model_name="batch",
            name="tags",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=64),
                default=list,
                help_text="That it was submitted with, for elements that bring none themselves.",
                size=None,
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="batch",
            name="owner",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(fields=["submitted_at"], name="batch_submitted"),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(
                condition=models.Q(("owner__isnull", False)),
                fields=["owner", "submitted_at"],
                name="batch_owner_submitted",
            ),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(
                condition=models.Q(("name", ""), _negated=True),
                fields=["name", "submitted_at"],
                name="batch_name",
            ),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=django.contrib.postgres.indexes.GinIndex(
                condition=models.Q(("tags", []), _negated=True), fields=["tags"], name="batch_tags"
            ),
        ),
    ]
