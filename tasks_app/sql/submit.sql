-- New tasks, from a JSON array of rows, each with its turn and the first entry of its history. Turns of
-- one submission follow each other in its order; only the first may be an even number, for it alone
-- may be the present one (tasks_app_next_turn).
WITH new AS MATERIALIZED (
    SELECT
        task_id, circuit, shots, seed, options, coalesce(name, '') AS name, tags, owner_id,
        batch_id, batch_index, rerun_of, correlation_id, traceparent,
        coalesce(backend, 'aer') AS backend, priority, coalesce(owner_id, 0) AS owner,
        row_number() OVER (
            PARTITION BY owner_id, coalesce(backend, 'aer'), priority ORDER BY ordinality
        ) - 1 AS nth
    FROM json_populate_recordset(NULL::tasks_app_task, %(tasks)s::json) WITH ORDINALITY
), line AS MATERIALIZED (
    SELECT owner, backend, priority, step,
        tasks_app_next_turn(owner, backend, priority, step, %(usual)s, %(share)s) AS first
    FROM new LEFT JOIN tasks_app_ownerlimits AS own ON own.owner_id = owner,
        LATERAL (SELECT (1 << 20) / coalesce(weight, 1) & ~1 AS step) AS steps
    WHERE nth = 0
), submitted AS (
    INSERT INTO tasks_app_task (
        task_id, circuit, shots, seed, options, name, tags, owner_id, batch_id, batch_index,
        rerun_of, correlation_id, traceparent, backend, priority, turn, stored_bytes
    )
    SELECT
        task_id, circuit, shots, seed, options, name, tags, owner_id, batch_id, batch_index,
        rerun_of, correlation_id, traceparent, new.backend, new.priority,
        first + nth * step | CASE nth WHEN 0 THEN 0 ELSE 1 END,
        coalesce(octet_length(circuit), 0) + octet_length(options::text)
    FROM new JOIN line USING (owner, backend, priority)
    RETURNING task_id, submitted_at
), history AS (
    INSERT INTO tasks_app_statushistory (task_id, status, transitioned_at, notes)
    SELECT task_id, 'pending', submitted_at, 'submitted' FROM submitted
)
SELECT submitted_at FROM submitted LIMIT 1
