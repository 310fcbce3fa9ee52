-- processing -> completed or (with a code) failed, from a JSON array: each by the attempt's worker or, once
-- it is lost, for it. Answers which, and how long each ran.
WITH given AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(outcomes)s::json) AS given (
        task_id uuid, attempt int, result jsonb, code text, message text, notes text
    )
), held AS MATERIALIZED (
    -- By their keys alone, as in renew.sql.
    SELECT task_id, current_status = 'processing' AND (worker <> '' OR %(lost)s) AS owned
    FROM tasks_app_task AS task JOIN given USING (task_id, attempt)
    ORDER BY task_id FOR UPDATE OF task
), finished AS (
    UPDATE tasks_app_task AS task
    SET current_status = CASE WHEN code IS NULL THEN 'completed' ELSE 'failed' END,
        completed_at = clock_timestamp(), lease_expires_at = NULL, result = given.result,
        stored_bytes = stored_bytes + coalesce(octet_length(given.result::text), 0),
        error_code = code, error_message = message
    FROM held JOIN given USING (task_id) WHERE task.task_id = held.task_id AND owned
    RETURNING task.task_id, current_status, completed_at, started_at, notes
), history AS (
    INSERT INTO tasks_app_statushistory (task_id, status, transitioned_at, notes)
    SELECT task_id, current_status, completed_at, notes FROM finished
)
SELECT task_id, extract(epoch FROM completed_at - started_at)::float8 FROM finished
