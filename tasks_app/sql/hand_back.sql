-- processing -> processing: the owner gives its attempt up, and anybody may claim the next.
WITH owned AS MATERIALIZED (
    SELECT task_id FROM tasks_app_task
    WHERE task_id = %(task_id)s AND attempt = %(attempt)s AND current_status = 'processing'
        AND worker <> ''
    FOR UPDATE
), handed_back AS (
    UPDATE tasks_app_task AS task
    SET worker = '', lease_expires_at = clock_timestamp(),
        handed_back = handed_back + CASE WHEN %(count_attempt)s THEN 0 ELSE 1 END
    FROM owned WHERE task.task_id = owned.task_id
    RETURNING task.task_id, lease_expires_at AS at, started_at
), history AS (
    INSERT INTO tasks_app_statushistory (task_id, status, transitioned_at, notes)
    SELECT task_id, 'processing', at, %(notes)s FROM handed_back
)
SELECT extract(epoch FROM at - started_at)::float8 FROM handed_back
