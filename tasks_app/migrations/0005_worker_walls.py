from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0004_walls")]

    operations = [
        migrations.AddField(
            model_name="worker",
            name="walls",
            field=ArrayField(
                models.CharField(max_length=32),
                null=True,
                help_text="What stands around its simulations (docs/security.md); "
                "null: not yet known.",
            ),
        ),
    ]
