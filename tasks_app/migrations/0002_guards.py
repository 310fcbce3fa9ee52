"""The database as the last guard of the state machine (docs/data-model.md).

Constraints say what a row may look like; these triggers say which changes exist. With
them no other code path, admin page or psql session has to be trusted.
"""

from django.db import migrations, models

# PostgreSQL prepares a CHECK's expression anew in every statement. Thirteen of them took a
# quarter of an insert's time; a function's expressions are prepared once a session.
FITS = """
CREATE FUNCTION tasks_app_task_fits(
    status text, shots integer, seed bigint, batch_index integer, attempt integer,
    handed_back integer, started_at timestamptz, completed_at timestamptz,
    lease_expires_at timestamptz, result jsonb, error_code text, error_message text
) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    RETURN shots >= 1 AND coalesce(seed, 0) >= 0 AND coalesce(batch_index, 0) >= 0
        AND handed_back BETWEEN 0 AND attempt AND CASE status
        WHEN 'pending' THEN attempt = 0
            AND num_nonnulls(completed_at, lease_expires_at, result, error_code, error_message) = 0
        WHEN 'processing' THEN attempt >= 1 AND num_nulls(started_at, lease_expires_at) = 0
            AND num_nonnulls(completed_at, result, error_code, error_message) = 0
        WHEN 'completed' THEN num_nulls(completed_at, result) = 0
            AND num_nonnulls(lease_expires_at, error_code, error_message) = 0
        WHEN 'failed' THEN num_nulls(completed_at, error_code, error_message) = 0
            AND num_nonnulls(lease_expires_at, result) = 0
        WHEN 'cancelled' THEN completed_at IS NOT NULL
            AND num_nonnulls(lease_expires_at, result, error_code, error_message) = 0
        ELSE false
    END;
END $$;
"""

# Without this key (rolled back to 0001) a deleted task leaves its history behind.
HISTORY_FOREIGN_KEY = """
DELETE FROM tasks_app_statushistory
    WHERE NOT EXISTS (SELECT FROM tasks_app_task WHERE task_id = tasks_app_statushistory.task_id);
ALTER TABLE tasks_app_statushistory
    ADD CONSTRAINT statushistory_task_fk FOREIGN KEY (task_id)
    REFERENCES tasks_app_task (task_id) ON DELETE CASCADE;
"""

# A key goes with its task or batch.
KEY_GOES_WITH_ITS_TASK = """
ALTER TABLE tasks_app_idempotencykey
    ADD CONSTRAINT idempotencykey_task_fk FOREIGN KEY (task_id)
        REFERENCES tasks_app_task (task_id) ON DELETE CASCADE,
    ADD CONSTRAINT idempotencykey_batch_fk FOREIGN KEY (batch_id)
        REFERENCES tasks_app_batch (batch_id) ON DELETE CASCADE;
"""

KEY_STAYS = """
ALTER TABLE tasks_app_idempotencykey
    DROP CONSTRAINT idempotencykey_task_fk, DROP CONSTRAINT idempotencykey_batch_fk;
"""

TASK_MOVES = """
CREATE FUNCTION tasks_app_task_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.current_status IN ('completed', 'failed', 'cancelled') THEN
        IF (NEW.current_status, NEW.completed_at, NEW.result, NEW.error_code, NEW.error_message,
            NEW.attempt, NEW.handed_back, NEW.worker, NEW.started_at)
           IS DISTINCT FROM
           (OLD.current_status, OLD.completed_at, OLD.result, OLD.error_code, OLD.error_message,
            OLD.attempt, OLD.handed_back, OLD.worker, OLD.started_at) THEN
            RAISE EXCEPTION 'task % is %: its outcome is final', OLD.task_id, OLD.current_status
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (OLD.current_status, NEW.current_status) NOT IN (
        ('pending', 'pending'), ('pending', 'processing'), ('pending', 'cancelled'),
        ('processing', 'processing'), ('processing', 'completed'), ('processing', 'failed'),
        ('processing', 'cancelled')
    ) THEN
        RAISE EXCEPTION 'task % cannot go from % to %',
            OLD.task_id, OLD.current_status, NEW.current_status USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.attempt NOT BETWEEN OLD.attempt AND OLD.attempt + 1
       OR (NEW.attempt > OLD.attempt AND NEW.current_status <> 'processing') THEN
        RAISE EXCEPTION 'task % cannot go from attempt % to %',
            OLD.task_id, OLD.attempt, NEW.attempt USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tasks_app_task_moves
    BEFORE UPDATE OF
        current_status, completed_at, result, error_code, error_message, attempt, handed_back,
        worker, started_at
    ON tasks_app_task FOR EACH ROW EXECUTE FUNCTION tasks_app_task_moves();
"""

TASK_BORN_PENDING = """
CREATE FUNCTION tasks_app_task_born_pending() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'task % must begin as pending, not %', NEW.task_id, NEW.current_status
        USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER tasks_app_task_born_pending
    BEFORE INSERT ON tasks_app_task FOR EACH ROW
    WHEN (NEW.current_status <> 'pending') EXECUTE FUNCTION tasks_app_task_born_pending();
"""

TASK_SUBMISSION_FIXED = """
CREATE FUNCTION tasks_app_task_submission_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was submitted as task % cannot be changed', OLD.task_id
        USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER tasks_app_task_submission_fixed
    BEFORE UPDATE OF task_id, circuit, shots, seed, correlation_id, submitted_at, options, batch_id,
        batch_index
    ON tasks_app_task FOR EACH ROW EXECUTE FUNCTION tasks_app_task_submission_fixed();
"""

TASK_NOT_DELETED_RUNNING = """
CREATE FUNCTION tasks_app_task_not_deleted_running() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'task % is being processed and cannot be deleted', OLD.task_id
        USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER tasks_app_task_not_deleted_running
    BEFORE DELETE ON tasks_app_task FOR EACH ROW
    WHEN (OLD.current_status = 'processing')
    EXECUTE FUNCTION tasks_app_task_not_deleted_running();
"""

# Wakes API processes whose clients wait for this task. Delivered at commit.
TERMINAL_NOTIFIES = """
CREATE FUNCTION tasks_app_task_terminal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('tasks_app_terminal', NEW.task_id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER tasks_app_task_terminal
    AFTER UPDATE OF current_status ON tasks_app_task FOR EACH ROW
    WHEN (NEW.completed_at IS NOT NULL AND OLD.completed_at IS NULL)
    EXECUTE FUNCTION tasks_app_task_terminal();
"""

HISTORY_APPEND_ONLY = """
CREATE FUNCTION tasks_app_statushistory_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
       AND NOT EXISTS (SELECT FROM tasks_app_task WHERE task_id = OLD.task_id) THEN
        RETURN OLD;  -- its task has just been deleted, and the history with it
    END IF;
    RAISE EXCEPTION 'the history of task % is append-only', OLD.task_id
        USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER tasks_app_statushistory_append_only
    BEFORE UPDATE OR DELETE ON tasks_app_statushistory FOR EACH ROW
    EXECUTE FUNCTION tasks_app_statushistory_append_only();
"""

# Row triggers do not see TRUNCATE. Truncated together with its tasks, history may go.
HISTORY_NOT_TRUNCATED_ALONE = """
CREATE FUNCTION tasks_app_statushistory_not_truncated_alone() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM tasks_app_task) THEN
        RAISE EXCEPTION 'the history of tasks is append-only' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER tasks_app_statushistory_not_truncated_alone
    AFTER TRUNCATE ON tasks_app_statushistory FOR EACH STATEMENT
    EXECUTE FUNCTION tasks_app_statushistory_not_truncated_alone();
"""

AUDIT_APPEND_ONLY = """
CREATE FUNCTION tasks_app_auditentry_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER tasks_app_auditentry_append_only
    BEFORE UPDATE OR DELETE ON tasks_app_auditentry FOR EACH ROW
    EXECUTE FUNCTION tasks_app_auditentry_append_only();
"""

# A task leaves two dead rows behind. With the defaults ten million tasks would wait for two
# million of them, and what looks for the oldest pending task would step over them until then.
VACUUM = """
ALTER TABLE tasks_app_task SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 1000
);
"""

VACUUM_BY_DEFAULT = """
ALTER TABLE tasks_app_task RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
    autovacuum_analyze_scale_factor, autovacuum_analyze_threshold
);
"""


def _guard(sql: str, function: str, table: str) -> migrations.RunSQL:
    """A trigger and its function, and their way back."""
    return migrations.RunSQL(
        sql, f"DROP TRIGGER {function} ON {table}; DROP FUNCTION {function}();"
    )


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0001_initial")]

    operations = [
        migrations.RunSQL(FITS, "DROP FUNCTION tasks_app_task_fits;"),
        migrations.AddConstraint(
            model_name="task",
            constraint=models.CheckConstraint(
                name="task_fits_its_status",
                condition=models.Func(
                    *("current_status", "shots", "seed", "batch_index", "attempt", "handed_back"),
                    *("started_at", "completed_at", "lease_expires_at"),
                    *("result", "error_code", "error_message"),
                    function="tasks_app_task_fits",
                    output_field=models.BooleanField(),
                ),
            ),
        ),
        migrations.RunSQL(
            HISTORY_FOREIGN_KEY,
            "ALTER TABLE tasks_app_statushistory DROP CONSTRAINT statushistory_task_fk;",
        ),
        migrations.RunSQL(KEY_GOES_WITH_ITS_TASK, KEY_STAYS),
        _guard(TASK_MOVES, "tasks_app_task_moves", "tasks_app_task"),
        _guard(TASK_BORN_PENDING, "tasks_app_task_born_pending", "tasks_app_task"),
        _guard(TASK_SUBMISSION_FIXED, "tasks_app_task_submission_fixed", "tasks_app_task"),
        _guard(TASK_NOT_DELETED_RUNNING, "tasks_app_task_not_deleted_running", "tasks_app_task"),
        _guard(TERMINAL_NOTIFIES, "tasks_app_task_terminal", "tasks_app_task"),
        _guard(
            HISTORY_APPEND_ONLY, "tasks_app_statushistory_append_only", "tasks_app_statushistory"
        ),
        _guard(
            HISTORY_NOT_TRUNCATED_ALONE,
            "tasks_app_statushistory_not_truncated_alone",
            "tasks_app_statushistory",
        ),
        _guard(AUDIT_APPEND_ONLY, "tasks_app_auditentry_append_only", "tasks_app_auditentry"),
        migrations.RunSQL(VACUUM, VACUUM_BY_DEFAULT),
    ]
