-- The next elements of a batch, in order, each the latest task at its position: as many as have
-- part_bytes of results together, and one at least. remaining: how many there are from here on.
WITH latest AS MATERIALIZED (
    SELECT DISTINCT ON (batch_index) task_id, batch_index,
        -- Of tasks of before migration 0004 the first may be 0.
        greatest(stored_bytes, pg_column_size(result)) AS bytes
    FROM tasks_app_task
    WHERE batch_id = %(batch_id)s AND batch_index > %(after)s
        AND (%(everything)s::bool OR owner_id = %(owner_id)s::int)
    ORDER BY batch_index, task_id DESC
), measured AS (
    SELECT task_id, sum(bytes) OVER (ORDER BY batch_index) - bytes AS before,
        count(*) OVER () AS remaining
    FROM latest
)
SELECT remaining, batch_index, task_id, current_status, result, error_code, error_message
FROM measured JOIN tasks_app_task USING (task_id)
WHERE before < %(part_bytes)s
ORDER BY batch_index
