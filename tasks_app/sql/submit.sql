-- New tasks, from a JSON array of rows, each with the first entry of its history.
WITH submitted AS (
    INSERT INTO tasks_app_task (
        task_id, circuit, shots, seed, options, name, tags, owner_id, batch_id, batch_index,
        rerun_of, correlation_id, stored_bytes
    )
    SELECT
        task_id, circuit, shots, seed, options, coalesce(name, ''), tags, owner_id, batch_id,
        batch_index, rerun_of, correlation_id,
        coalesce(octet_length(circuit), 0) + octet_length(options::text)
    FROM json_populate_recordset(NULL::tasks_app_task, %(tasks)s::json)
    RETURNING task_id, submitted_at
), history AS (
    INSERT INTO tasks_app_statushistory (task_id, status, transitioned_at, notes)
    SELECT task_id, 'pending', submitted_at, 'submitted' FROM submitted
)
SELECT submitted_at FROM submitted LIMIT 1
