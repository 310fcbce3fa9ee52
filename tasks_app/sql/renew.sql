-- Extends the leases of attempts that are still their owner's; answers which. Whether they are is asked
-- of the rows that were found by their key: asked at once, the planner may walk along all that run.
WITH held AS MATERIALIZED (
    SELECT task_id, attempt, current_status = 'processing' AND worker <> '' AS owned
    FROM tasks_app_task AS task
    JOIN unnest(%(task_ids)s::uuid[], %(attempts)s::int[]) AS held (task_id, attempt)
        USING (task_id, attempt)
    ORDER BY task_id FOR UPDATE OF task
)
UPDATE tasks_app_task AS task
SET lease_expires_at = clock_timestamp() + make_interval(secs => %(lease_s)s)
FROM held WHERE task.task_id = held.task_id AND owned
RETURNING task.task_id, task.attempt
