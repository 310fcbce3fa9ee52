-- Extends the leases of attempts that are still their owner's; answers which.
WITH owned AS MATERIALIZED (
    SELECT task_id, attempt FROM tasks_app_task AS task
    JOIN unnest(%(task_ids)s::uuid[], %(attempts)s::int[]) AS held (task_id, attempt)
        USING (task_id, attempt)
    WHERE current_status = 'processing' AND worker <> ''
    ORDER BY task_id FOR UPDATE OF task
)
UPDATE tasks_app_task AS task
SET lease_expires_at = clock_timestamp() + make_interval(secs => %(lease_s)s)
FROM owned WHERE task.task_id = owned.task_id
RETURNING task.task_id, task.attempt
