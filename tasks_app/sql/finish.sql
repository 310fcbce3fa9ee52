-- processing -> completed or failed, by the attempt's worker or, once it is lost, for it.
WITH owned AS MATERIALIZED (
    SELECT task_id FROM tasks_app_task
    WHERE task_id = %(task_id)s AND attempt = %(attempt)s AND current_status = 'processing'
        AND (worker <> '' OR %(lost)s)
    FOR UPDATE
), finished AS (
    UPDATE tasks_app_task AS task
    SET current_status = %(to)s::text, completed_at = clock_timestamp(), lease_expires_at = NULL,
        result = %(result)s, stored_bytes = stored_bytes + %(result_bytes)s,
        error_code = %(code)s, error_message = %(message)s
    FROM owned WHERE task.task_id = owned.task_id
    RETURNING task.task_id, completed_at, started_at
), history AS (
    INSERT INTO tasks_app_statushistory (task_id, status, transitioned_at, notes)
    SELECT task_id, %(to)s::text, completed_at, %(notes)s FROM finished
)
SELECT extract(epoch FROM completed_at - started_at)::float8 FROM finished
