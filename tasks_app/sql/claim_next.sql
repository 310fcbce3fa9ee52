(
    -- The first in line.
    SELECT *, 1 AS place FROM tasks_app_task
    WHERE current_status = 'pending' AND backend = %(backend)s AND NOT EXISTS (SELECT FROM lost)
        AND EXISTS (SELECT FROM on_backend)
    ORDER BY turn, task_id LIMIT 1 FOR UPDATE SKIP LOCKED
) AS first
