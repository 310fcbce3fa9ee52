"""Whose turn it is: priorities, fair shares of owners, and how many tasks an owner may run."""

import django.core.validators
from django.db import migrations, models
from django.db.models.functions import Coalesce

PLACE_FIXED = """
CREATE TRIGGER tasks_app_task_place_fixed
    BEFORE UPDATE OF backend, priority, turn
    ON tasks_app_task FOR EACH ROW EXECUTE FUNCTION tasks_app_task_submission_fixed();
"""

# Each owner's waiting tasks in their old order, and owners in turns.
TAKE_TURNS = """
UPDATE tasks_app_task AS task SET turn = task.turn + nth * (1 << 20)
FROM (
    SELECT task_id, row_number() OVER (PARTITION BY owner_id ORDER BY enqueued_at, task_id) AS nth
    FROM tasks_app_task WHERE current_status = 'pending'
) AS line
WHERE task.task_id = line.task_id;
"""

# Owners (0: nobody) with waiting tasks who may have more of them run now, and how many more (NULL:
# any number). From one owner to the next along an index, however many tasks each has.
OPEN_OWNERS = """
CREATE FUNCTION tasks_app_open_owners(usual int, share int)
RETURNS TABLE (owner int, room bigint) STABLE LANGUAGE sql AS $$
    WITH RECURSIVE waiting (owner) AS (
        (SELECT coalesce(owner_id, 0) FROM tasks_app_task WHERE current_status = 'pending'
        ORDER BY coalesce(owner_id, 0) LIMIT 1)
        UNION ALL
        SELECT (
            SELECT coalesce(owner_id, 0) FROM tasks_app_task
            WHERE current_status = 'pending' AND coalesce(owner_id, 0) > waiting.owner
            ORDER BY coalesce(owner_id, 0) LIMIT 1
        ) FROM waiting WHERE waiting.owner IS NOT NULL
    ), running AS (
        SELECT coalesce(owner_id, 0) AS owner, count(*) AS tasks FROM tasks_app_task
        WHERE current_status = 'processing' GROUP BY 1
    ), rooms AS (
        SELECT waiting.owner,
            nullif(coalesce(own.max_running, usual, share, 0), 0) - coalesce(tasks, 0) AS room
        FROM waiting LEFT JOIN running ON running.owner = waiting.owner
        LEFT JOIN tasks_app_ownerlimits AS own ON own.owner_id = waiting.owner
        WHERE waiting.owner IS NOT NULL
    )
    SELECT rooms.owner, rooms.room FROM rooms WHERE rooms.room > 0 OR rooms.room IS NULL
$$;
"""

# Whether one more task of an owner may run beside those that do. Claims for one owner come one
# after the other from here to their commit, and each count, with a snapshot of its own, sees what
# those before have claimed.
MAY_START = """
CREATE FUNCTION tasks_app_may_start(of_owner int, most int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(710188543, coalesce(of_owner, 0));
    RETURN most > (
        SELECT count(*) FROM tasks_app_task
        WHERE current_status = 'processing' AND owner_id IS NOT DISTINCT FROM of_owner
    );
END $$;
"""

# The turn of an owner's next task, by start-time fair queueing: a step after its last one at this
# priority, and not before the turn at which the line is now, the least that waits. A step is 2^20
# over the owner's weight. Who takes the present turn, having none after it, gets an even number,
# and all others an odd one: they go before who has waited for that turn since long, and among
# themselves as they came.
NEXT_TURN = """
CREATE FUNCTION tasks_app_next_turn(
    of_owner int, on_backend text, at_priority int, step int, usual int, share int
) RETURNS bigint STABLE LANGUAGE plpgsql AS $$
DECLARE
    origin CONSTANT bigint := (100 - at_priority)::bigint << 54;
    bound CONSTANT bigint := origin + (1::bigint << 54) - 1;
    present bigint;
    first_owner int;
    most int;
    latest record;
    last_turn bigint;
BEGIN
    SELECT turn, owner_id, coalesce((
        SELECT max_running FROM tasks_app_ownerlimits AS own WHERE own.owner_id = task.owner_id
    ), usual, share) INTO present, first_owner, most FROM tasks_app_task AS task
    WHERE current_status = 'pending' AND backend = on_backend AND turn BETWEEN origin AND bound
    ORDER BY turn LIMIT 1;
    IF most > 0 THEN
        IF most <= (
            SELECT count(*) FROM tasks_app_task
            WHERE current_status = 'processing' AND owner_id IS NOT DISTINCT FROM first_owner
        ) THEN  -- the line goes on behind who is first in it and has to wait
            present := coalesce((
                SELECT min(turn) FROM tasks_app_open_owners(usual, share) AS open, LATERAL (
                    SELECT turn FROM tasks_app_task
                    WHERE current_status = 'pending' AND coalesce(owner_id, 0) = open.owner
                        AND backend = on_backend AND turn BETWEEN origin AND bound
                    ORDER BY turn LIMIT 1
                ) AS first
            ), present);
        END IF;
    END IF;
    present := coalesce(present, origin) & ~1::bigint;
    last_turn := (
        SELECT max(turn) FROM tasks_app_task
        WHERE current_status = 'pending' AND coalesce(owner_id, 0) = of_owner
            AND backend = on_backend AND turn BETWEEN origin AND bound
    );
    IF last_turn IS NULL AND of_owner > 0 THEN
        -- One that was taken already: beyond the present turn it is one of a line that has ended.
        SELECT owner_id, backend, turn INTO latest FROM tasks_app_task
        WHERE owner_id IS NOT NULL AND (owner_id, submitted_at) <= (of_owner, 'infinity')
        ORDER BY owner_id DESC, submitted_at DESC LIMIT 1;
        IF (latest.owner_id, latest.backend) = (of_owner, on_backend)
            AND latest.turn BETWEEN origin AND present | 1
        THEN
            last_turn := latest.turn;
        END IF;
    END IF;
    RETURN greatest(present, last_turn + step | 1);
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0007_batches_listed")]

    operations = [
        migrations.AddField(
            model_name="ownerlimits",
            name="max_running",
            field=models.PositiveIntegerField(
                null=True, blank=True, help_text="Tasks running at a time."
            ),
        ),
        migrations.AddField(
            model_name="ownerlimits",
            name="max_priority",
            field=models.PositiveSmallIntegerField(
                null=True,
                blank=True,
                validators=[django.core.validators.MaxValueValidator(100)],
                help_text="Highest priority of a task. Here 0 means none above 0.",
            ),
        ),
        migrations.AddField(
            model_name="ownerlimits",
            name="weight",
            field=models.PositiveSmallIntegerField(
                null=True,
                blank=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(1000),
                ],
                help_text="Turns for each one of an owner with weight 1.",
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="backend",
            field=models.CharField(max_length=64, db_default="aer"),
        ),
        migrations.AddField(
            model_name="task",
            name="priority",
            field=models.SmallIntegerField(
                default=0,
                db_default=0,
                validators=[
                    django.core.validators.MinValueValidator(-100),
                    django.core.validators.MaxValueValidator(100),
                ],
                help_text="Higher ones go first.",
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="turn",
            field=models.BigIntegerField(
                db_default=100 << 54,
                help_text="Its place in the line: its priority and its owner's share. "
                "The least is next.",
            ),
        ),
        migrations.RunSQL(TAKE_TURNS, migrations.RunSQL.noop),
        migrations.RunSQL(
            PLACE_FIXED, "DROP TRIGGER tasks_app_task_place_fixed ON tasks_app_task;"
        ),
        migrations.RemoveIndex(model_name="task", name="task_pending"),
        migrations.RemoveIndex(model_name="task", name="task_owner_pending"),
        migrations.RemoveIndex(model_name="task", name="task_leased"),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                fields=["backend", "lease_expires_at"],
                name="task_leased",
                condition=models.Q(current_status="processing"),
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                fields=["backend", "turn", "task_id"],
                name="task_turn",
                condition=models.Q(current_status="pending"),
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                Coalesce("owner", 0),
                "backend",
                "turn",
                name="task_owner_turn",
                condition=models.Q(current_status="pending"),
            ),
        ),
        migrations.RunSQL(OPEN_OWNERS, "DROP FUNCTION tasks_app_open_owners;"),
        migrations.RunSQL(MAY_START, "DROP FUNCTION tasks_app_may_start;"),
        migrations.RunSQL(NEXT_TURN, "DROP FUNCTION tasks_app_next_turn;"),
    ]
