(
    -- The latest tasks of the last hour that completed or failed. One status at a time, each along the
    -- index on status and time.
    (SELECT current_status, submitted_at, started_at, completed_at, backend FROM tasks_app_task
    WHERE current_status = 'completed' AND submitted_at > now() - interval '1 hour'
    ORDER BY submitted_at DESC LIMIT %(looked_at)s)
    UNION ALL
    (SELECT current_status, submitted_at, started_at, completed_at, backend FROM tasks_app_task
    WHERE current_status = 'failed' AND submitted_at > now() - interval '1 hour'
    ORDER BY submitted_at DESC LIMIT %(looked_at)s)
) AS ended
