-- The task of an owner whose turn is next, on each backend.
SELECT task_id, correlation_id, backend.name AS backend FROM tasks_app_backend AS backend, LATERAL (
    SELECT task_id, correlation_id FROM tasks_app_task
    WHERE current_status = 'pending' AND coalesce(owner_id, 0) = %(owner)s
        AND tasks_app_task.backend = backend.name
    ORDER BY turn LIMIT 1
) AS task
