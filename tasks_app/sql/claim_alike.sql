(
    -- Of the first in line and those behind it that are of its batch, if it is of this one. None but
    -- these are locked: a worker that steps over a task which nobody claims leaves it without a message.
    SELECT *, row_number() OVER (ORDER BY turn, task_id) AS place FROM (
        SELECT * FROM tasks_app_task
        WHERE current_status = 'pending' AND backend = %(backend)s AND batch_id = %(batch)s
            AND NOT EXISTS (SELECT FROM lost) AND EXISTS (SELECT FROM on_backend)
            AND %(batch)s = (
                SELECT batch_id FROM tasks_app_task
                WHERE current_status = 'pending' AND backend = %(backend)s
                ORDER BY turn, task_id LIMIT 1
            )
        ORDER BY turn, task_id LIMIT 32 FOR UPDATE SKIP LOCKED
    ) AS alike
) AS first
