(
    -- The first in line of those whose owner may have more tasks run.
    SELECT first.*, 1 AS place FROM (
        SELECT owner, turn FROM tasks_app_open_owners(%(usual)s, %(share)s), LATERAL (
            SELECT turn FROM tasks_app_task
            WHERE current_status = 'pending' AND coalesce(owner_id, 0) = owner
                AND backend = %(backend)s
            ORDER BY turn LIMIT 1
        ) AS head
        WHERE NOT EXISTS (SELECT FROM lost) AND EXISTS (SELECT FROM on_backend)
        ORDER BY turn
    ) AS heads, LATERAL (
        SELECT * FROM tasks_app_task
        WHERE current_status = 'pending' AND coalesce(owner_id, 0) = heads.owner
            AND backend = %(backend)s
        ORDER BY turn LIMIT 1 FOR UPDATE SKIP LOCKED
    ) AS first
    ORDER BY heads.turn LIMIT 1
) AS first
