-- A backend's pending tasks that may start now, of each owner no more than may; those rung for longest ago only.
SELECT task_id FROM tasks_app_open_owners(%(usual)s, %(share)s), LATERAL (
    SELECT task_id, enqueued_at FROM tasks_app_task
    WHERE current_status = 'pending' AND coalesce(owner_id, 0) = owner AND backend = %(backend)s
    LIMIT room
) AS task
WHERE enqueued_at < statement_timestamp() - make_interval(secs => %(quiet_s)s)
LIMIT %(limit)s
