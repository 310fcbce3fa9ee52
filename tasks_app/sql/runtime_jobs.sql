-- What became of the tasks of each of some jobs, the latest one at each place, and the first that failed.
WITH latest AS MATERIALIZED (
    SELECT DISTINCT ON (batch_id, batch_index)
        batch_id, batch_index, task_id, current_status, started_at, completed_at, error_code, error_message
    FROM tasks_app_task WHERE batch_id = ANY(%(batch_ids)s)
    ORDER BY batch_id, batch_index, task_id DESC
), failed AS (
    SELECT DISTINCT ON (batch_id)
        batch_id, parts -> batch_index -> 'pub' AS failed_pub, error_code, error_message
    FROM latest JOIN tasks_app_runtimejob USING (batch_id)
    WHERE current_status = 'failed' ORDER BY batch_id, batch_index
), counted AS (
    SELECT batch_id, count(task_id) AS tasks,
        count(*) FILTER (WHERE current_status = 'pending') AS pending,
        count(*) FILTER (WHERE current_status = 'processing') AS processing,
        count(*) FILTER (WHERE current_status = 'cancelled') AS cancelled,
        min(started_at) AS started_at, max(completed_at) AS completed_at,
        coalesce(sum(extract(epoch FROM completed_at - started_at)), 0)::float8 AS seconds
    FROM unnest(%(batch_ids)s::uuid[]) AS given (batch_id) LEFT JOIN latest USING (batch_id)
    GROUP BY batch_id
)
SELECT counted.*, failed_pub::int, error_code, error_message FROM counted LEFT JOIN failed USING (batch_id)
