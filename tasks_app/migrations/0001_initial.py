"""The tables. What guards them is in 0002."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import tasks_app.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Worker',
            fields=[
                ('worker', models.CharField(max_length=200, primary_key=True, serialize=False)),
                ('slots', models.PositiveIntegerField(help_text='Circuits that it runs at a time.')),
                ('started_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name='ApiToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('label', models.CharField(help_text='What it is for.', max_length=100)),
                ('sha256', models.CharField(editable=False, max_length=64, unique=True)),
                ('read_only', models.BooleanField(default=False, help_text='May read, not submit or cancel.')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('expires_at', models.DateTimeField(blank=True, help_text='Empty: never.', null=True)),
                ('revoked_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='api_tokens', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'API token',
            },
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('actor', models.CharField(help_text='User name; empty: anonymous.', max_length=150)),
                ('action', models.CharField(max_length=32)),
                ('target', models.CharField(max_length=200)),
                ('address', models.GenericIPAddressField(null=True)),
                ('correlation_id', models.CharField(max_length=128)),
            ],
            options={
                'verbose_name_plural': 'audit entries',
                'indexes': [models.Index(fields=['at'], name='audit_at'), models.Index(condition=models.Q(('action', 'login_failed')), fields=['address', 'at'], name='audit_failed_logins')],
            },
        ),
        migrations.CreateModel(
            name='Batch',
            fields=[
                ('batch_id', models.UUIDField(default=tasks_app.models.new_task_id, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(db_default='', max_length=200)),
                ('size', models.PositiveIntegerField(help_text='Number of elements.')),
                ('submitted_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('owner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'batches',
            },
        ),
        migrations.CreateModel(
            name='OwnerLimits',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('pending', models.PositiveIntegerField(blank=True, help_text='Tasks waiting.', null=True)),
                ('per_minute', models.PositiveIntegerField(blank=True, help_text='Submissions.', null=True)),
                ('shots', models.PositiveIntegerField(blank=True, help_text='Shots of a task.', null=True)),
                ('qubits', models.PositiveIntegerField(blank=True, help_text='Qubits of a task.', null=True)),
                ('owner', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='task_limits', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'owner limits',
            },
        ),
        migrations.CreateModel(
            name='Task',
            fields=[
                ('task_id', models.UUIDField(default=tasks_app.models.new_task_id, editable=False, primary_key=True, serialize=False)),
                ('circuit', models.TextField(help_text='OpenQASM 2 or 3 program, as submitted.')),
                ('shots', models.IntegerField(help_text='How often the circuit is run.', validators=[django.core.validators.MinValueValidator(1)])),
                ('seed', models.BigIntegerField(help_text='Seed asked for; empty: the worker draws one and reports it.', null=True, validators=[django.core.validators.MinValueValidator(0)])),
                ('options', models.JSONField(default=dict, help_text='Further run options: method, memory, parameters, noise.')),
                ('name', models.CharField(db_default='', max_length=200)),
                ('tags', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), default=list, size=None)),
                ('batch_index', models.IntegerField(help_text='Position in its batch.', null=True)),
                ('correlation_id', models.CharField(help_text='X-Correlation-ID of the request.', max_length=128)),
                ('submitted_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('current_status', models.CharField(choices=[('pending', 'Pending'), ('processing', 'Processing'), ('completed', 'Completed'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], db_default='pending', max_length=10)),
                ('started_at', models.DateTimeField(help_text='Latest claim by a worker.', null=True)),
                ('completed_at', models.DateTimeField(help_text='When it reached a terminal state.', null=True)),
                ('result', models.JSONField(null=True)),
                ('error_code', models.CharField(max_length=64, null=True)),
                ('error_message', models.TextField(null=True)),
                ('attempt', models.IntegerField(db_default=0, help_text='Number of claims so far; the fence that keeps late results out.')),
                ('handed_back', models.IntegerField(db_default=0, help_text="Attempts ended by a worker's orderly shutdown: not held against.")),
                ('worker', models.CharField(db_default='', help_text='Who claimed it last.', max_length=200)),
                ('lease_expires_at', models.DateTimeField(help_text='While processing: when the worker counts as lost.', null=True)),
                ('enqueued_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='When a message for it was last sent to the queue.')),
                ('batch', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, to='tasks_app.batch')),
                ('owner', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='StatusHistory',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('processing', 'Processing'), ('completed', 'Completed'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], max_length=10)),
                ('transitioned_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('notes', models.TextField(db_default='')),
                ('task', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='history', to='tasks_app.task')),
            ],
            options={
                'verbose_name_plural': 'status history',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='IdempotencyKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=255)),
                ('request_sha256', models.CharField(help_text="Of the request's path and body.", max_length=64)),
                ('task_ids', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), default=list, help_text='What it led to; empty: not yet.', size=None)),
                ('batch', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tasks_app.batch')),
                ('owner', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL)),
                ('task', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tasks_app.task')),
            ],
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(fields=['submitted_at'], name='task_submitted'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(fields=['current_status', 'submitted_at'], name='task_status_submitted'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('owner__isnull', False)), fields=['owner', 'submitted_at'], name='task_owner_submitted'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(fields=['correlation_id'], name='task_correlation'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('batch__isnull', False)), fields=['batch', 'submitted_at'], name='task_batch'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('name', ''), _negated=True), fields=['name', 'submitted_at'], name='task_name'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=django.contrib.postgres.indexes.GinIndex(condition=models.Q(('tags', []), _negated=True), fields=['tags'], name='task_tags'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('current_status', 'pending')), fields=['enqueued_at', 'task_id'], name='task_pending'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('current_status', 'pending'), ('owner__isnull', False)), fields=['owner'], name='task_owner_pending'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('current_status', 'processing')), fields=['lease_expires_at'], name='task_leased'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('error_code', 'internal_error')), fields=['completed_at'], name='task_internal_error'),
        ),
        migrations.AddIndex(
            model_name='statushistory',
            index=models.Index(fields=['task', 'transitioned_at'], name='history_task_time'),
        ),
        migrations.AddConstraint(
            model_name='idempotencykey',
            constraint=models.UniqueConstraint(fields=('owner', 'key'), name='idempotency_key_unique', nulls_distinct=False),
        ),
    ]
