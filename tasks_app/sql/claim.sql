-- pending, or processing with an expired lease -> processing: the next attempt is the worker's.
-- Of the task lost longest ago or, where none is lost, of the one whose turn it is or several; what
-- another worker is claiming just now is stepped over. Answers what was found, and what to run unless
-- its attempts are used up or its owner runs as many tasks as it may. Nothing of a backend that is not
-- online.
WITH on_backend AS MATERIALIZED (
    SELECT changed_at, max_qubits FROM tasks_app_backend WHERE name = %(backend)s AND online
), lost AS MATERIALIZED (
    SELECT task_id, current_status, attempt, worker, owner_id, started_at AS since,
        attempt - handed_back >= %(max_attempts)s AS exhausted, 1 AS place
    FROM tasks_app_task
    WHERE current_status = 'processing' AND lease_expires_at < statement_timestamp()
        AND backend = %(backend)s AND EXISTS (SELECT FROM on_backend)
    ORDER BY lease_expires_at LIMIT 1 FOR UPDATE SKIP LOCKED
), next AS MATERIALIZED (
    SELECT task_id, current_status, attempt, worker, owner_id, submitted_at AS since, false, place
    FROM {next}
), found AS MATERIALIZED (
    SELECT found.*, nullif(coalesce(own.max_running, %(usual)s, %(share)s), 0) AS most, qubits
    FROM (SELECT * FROM lost UNION ALL SELECT * FROM next) AS found
    LEFT JOIN tasks_app_ownerlimits AS own USING (owner_id)
), to_claim AS MATERIALIZED (
    SELECT *, (SELECT clock_timestamp()) AS now FROM found  -- one for all: see pace.sql
    WHERE CASE current_status WHEN 'processing' THEN NOT exhausted
        ELSE most IS NULL OR (place = 1 AND tasks_app_may_start(owner_id, most)) END
), claimed AS (
    UPDATE tasks_app_task AS task
    SET current_status = 'processing', attempt = task.attempt + 1, worker = %(worker)s,
        started_at = now, lease_expires_at = now + make_interval(secs => %(lease_s)s)
    FROM to_claim AS found
    WHERE task.task_id = found.task_id
    RETURNING task.task_id, task.attempt, shots, seed, options, correlation_id, traceparent, batch_id,
        coalesce(circuit, (
            SELECT circuit FROM tasks_app_batch AS batch WHERE batch.batch_id = task.batch_id
        )) AS circuit,
        started_at, extract(epoch FROM started_at - since)::float8 AS seconds,
        concat(
            'attempt ', task.attempt, ' on ', %(worker_public)s::text,
            CASE WHEN found.current_status = 'processing' THEN concat(
                '; attempt ', found.attempt,
                CASE found.worker WHEN '' THEN ' was handed back' ELSE ' was lost' END
            ) END
        ) AS notes
), history AS (
    INSERT INTO tasks_app_statushistory (task_id, status, transitioned_at, notes)
    SELECT task_id, 'processing', started_at, notes FROM claimed
)
SELECT found.task_id, current_status,
    claimed.attempt, circuit, shots, seed, options, correlation_id, traceparent, batch_id, owner_id,
    qubits AS max_qubits, most AS max_running, changed_at AS backend_changed_at,
    max_qubits AS backend_max_qubits, seconds AS waited_s, notes
FROM on_backend, found LEFT JOIN claimed USING (task_id)
ORDER BY place
