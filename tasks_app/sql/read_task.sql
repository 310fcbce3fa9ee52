-- A task as its client sees it, with its history and, while it is pending, how many are before it and
-- whether its owner has as many running as may.
SELECT task.task_id, current_status AS status, name, tags, batch_id, shots, backend, priority,
    submitted_at, started_at, completed_at, error_code, rerun_of, seed, result, error_message,
    correlation_id,
    moves.statuses, moves.times, moves.notes,
    CASE current_status WHEN 'pending' THEN (
        SELECT count(*) FROM (
            SELECT FROM tasks_app_task AS other WHERE other.current_status = 'pending'
                AND other.backend = task.backend
                AND (other.turn, other.task_id) < (task.turn, task.task_id)
            LIMIT %(max_position)s + 1
        ) AS before
    ) END AS before,
    CASE WHEN current_status = 'pending' AND most > 0 THEN most <= (
        SELECT count(*) FROM tasks_app_task AS other
        WHERE current_status = 'processing' AND other.owner_id IS NOT DISTINCT FROM task.owner_id
    ) END AS held_back
FROM tasks_app_task AS task, LATERAL (
    SELECT coalesce((
        SELECT max_running FROM tasks_app_ownerlimits AS own WHERE own.owner_id = task.owner_id
    ), %(usual)s::int, %(share)s::int) AS most
) AS limits, LATERAL (
    SELECT array_agg(status) AS statuses, array_agg(transitioned_at) AS times,
        array_agg(notes) AS notes
    FROM (
        SELECT status, transitioned_at, notes FROM tasks_app_statushistory AS history
        WHERE history.task_id = task.task_id ORDER BY id
    ) AS ordered
) AS moves
WHERE task.task_id = %(task_id)s AND (%(everything)s::bool OR owner_id = %(owner_id)s::int)
