from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0005_worker_walls")]

    operations = [
        migrations.AddField(
            model_name="task",
            name="rerun_of",
            field=models.UUIDField(
                help_text="The task that it runs again, which may be gone.", null=True
            ),
        ),
    ]
