-- pending, or processing with an expired lease -> processing: the next attempt is the worker's.
-- Of the task that the message names or, with lost_first, of the one lost longest ago. Answers
-- what was found under the lock, and what to run where it was free.
WITH lost AS MATERIALIZED (
    SELECT task_id FROM tasks_app_task
    WHERE %(lost_first)s AND current_status = 'processing'
        AND lease_expires_at < statement_timestamp()
    ORDER BY lease_expires_at LIMIT 1
), found AS MATERIALIZED (
    SELECT task_id, current_status, attempt, worker,
        CASE current_status WHEN 'pending' THEN submitted_at ELSE started_at END AS since,
        attempt - handed_back >= %(max_attempts)s AS exhausted,
        current_status = 'pending' OR (
            current_status = 'processing' AND lease_expires_at < clock_timestamp()
        ) AS free
    FROM tasks_app_task
    WHERE task_id = coalesce((SELECT task_id FROM lost), %(task_id)s)
    FOR UPDATE
), to_claim AS MATERIALIZED (
    SELECT *, clock_timestamp() AS now FROM found WHERE free AND NOT exhausted
), claimed AS (
    UPDATE tasks_app_task AS task
    SET current_status = 'processing', attempt = task.attempt + 1, worker = %(worker)s,
        started_at = now, lease_expires_at = now + make_interval(secs => %(lease_s)s)
    FROM to_claim AS found
    WHERE task.task_id = found.task_id
    RETURNING task.task_id, task.attempt, shots, seed, options, correlation_id, owner_id,
        coalesce(circuit, (
            SELECT circuit FROM tasks_app_batch AS batch WHERE batch.batch_id = task.batch_id
        )) AS circuit,
        (SELECT qubits FROM tasks_app_ownerlimits AS own WHERE own.owner_id = task.owner_id)
            AS max_qubits,
        started_at, extract(epoch FROM started_at - since)::float8 AS seconds,
        concat(
            'attempt ', task.attempt, ' on ', task.worker,
            CASE WHEN found.current_status = 'processing' THEN concat(
                '; attempt ', found.attempt,
                CASE found.worker
                    WHEN '' THEN ' was handed back' ELSE concat(' on ', found.worker, ' was lost')
                END
            ) END
        ) AS notes
), history AS (
    INSERT INTO tasks_app_statushistory (task_id, status, transitioned_at, notes)
    SELECT task_id, 'processing', started_at, notes FROM claimed
)
SELECT found.task_id, current_status, worker, free,
    claimed.attempt, circuit, shots, seed, options, max_qubits, owner_id, correlation_id, seconds,
    notes
FROM found LEFT JOIN claimed USING (task_id)
