from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0009_backends")]

    operations = [
        migrations.AddField(
            model_name="task",
            name="traceparent",
            field=models.CharField(
                help_text="The span that submitted it, where traces are on.",
                max_length=55,
                null=True,
            ),
        ),
    ]
