-- pending or processing -> cancelled, of many tasks. Locked in the order of their ids, as renew
-- does: neither waits for the other in a circle.
WITH found AS MATERIALIZED (
    SELECT task_id, current_status,
        CASE current_status WHEN 'pending' THEN submitted_at ELSE started_at END AS since
    FROM tasks_app_task
    WHERE task_id = ANY(%(task_ids)s) AND current_status IN ('pending', 'processing')
    ORDER BY task_id FOR UPDATE
), cancelled AS (
    UPDATE tasks_app_task AS task
    SET current_status = 'cancelled', completed_at = clock_timestamp(), lease_expires_at = NULL
    FROM found WHERE task.task_id = found.task_id
    RETURNING task.task_id, found.current_status, completed_at,
        extract(epoch FROM completed_at - since)::float8 AS seconds
), history AS (
    INSERT INTO tasks_app_statushistory (task_id, status, transitioned_at, notes)
    SELECT task_id, 'cancelled', completed_at, %(reason)s FROM cancelled
)
SELECT task_id, current_status, seconds FROM cancelled ORDER BY task_id
