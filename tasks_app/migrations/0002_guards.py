"""The database as the last guard of the state machine (docs/data-model.md).

Constraints say what a row may look like; these triggers say which changes exist. With
them no other code path, admin page or psql session has to be trusted.
"""

from django.db import migrations

# Without this key (rolled back to 0001) a deleted task leaves its history behind.
HISTORY_FOREIGN_KEY = """
DELETE FROM tasks_app_statushistory
    WHERE NOT EXISTS (SELECT FROM tasks_app_task WHERE task_id = tasks_app_statushistory.task_id);
ALTER TABLE tasks_app_statushistory
    ADD CONSTRAINT statushistory_task_fk FOREIGN KEY (task_id)
    REFERENCES tasks_app_task (task_id) ON DELETE CASCADE;
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
    BEFORE UPDATE OF task_id, circuit, shots, seed, correlation_id, submitted_at
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


def _drop(function: str, table: str) -> str:
    return f"DROP TRIGGER {function} ON {table}; DROP FUNCTION {function}();"


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0001_initial")]

    operations = [
        migrations.RunSQL(
            HISTORY_FOREIGN_KEY,
            "ALTER TABLE tasks_app_statushistory DROP CONSTRAINT statushistory_task_fk;",
        ),
        migrations.RunSQL(TASK_MOVES, _drop("tasks_app_task_moves", "tasks_app_task")),
        migrations.RunSQL(
            TASK_BORN_PENDING, _drop("tasks_app_task_born_pending", "tasks_app_task")
        ),
        migrations.RunSQL(
            TASK_SUBMISSION_FIXED, _drop("tasks_app_task_submission_fixed", "tasks_app_task")
        ),
        migrations.RunSQL(
            TASK_NOT_DELETED_RUNNING,
            _drop("tasks_app_task_not_deleted_running", "tasks_app_task"),
        ),
        migrations.RunSQL(
            HISTORY_APPEND_ONLY,
            _drop("tasks_app_statushistory_append_only", "tasks_app_statushistory"),
        ),
        migrations.RunSQL(
            HISTORY_NOT_TRUNCATED_ALONE,
            _drop("tasks_app_statushistory_not_truncated_alone", "tasks_app_statushistory"),
        ),
    ]
