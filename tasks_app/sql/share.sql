-- How many circuits the workers alive run at a time, and whether more than one owner has submitted
-- something in the last hour; nobody in particular counts as one where everybody may submit.
WITH RECURSIVE owners (id) AS (
    (SELECT owner_id FROM tasks_app_task WHERE owner_id IS NOT NULL ORDER BY owner_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT owner_id FROM tasks_app_task WHERE owner_id > owners.id ORDER BY owner_id LIMIT 1
    ) FROM owners WHERE id IS NOT NULL
)
SELECT (
    SELECT coalesce(sum(slots), 0) FROM tasks_app_worker
    WHERE seen_at > now() - make_interval(secs => %(alive_s)s)
), (
    SELECT count(*) FROM (
        SELECT FROM owners WHERE EXISTS (
            SELECT FROM tasks_app_task
            WHERE owner_id = owners.id AND submitted_at > now() - interval '1 hour'
        ) LIMIT 2
    ) AS active
) >= CASE WHEN %(anybody)s THEN 1 ELSE 2 END
