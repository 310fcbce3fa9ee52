-- Who works, and how fast, on a backend or (NULL) on all together: worker processes heard of lately,
-- the circuits that they run at a time; how many run now, and for how long on average; how long the
-- oldest pending one of all has waited; the seconds that the latest tasks of the last hour waited and
-- ran, failed ones included, for they took a slot too; NULL if none ended. Tasks that were claimed
-- together share the time from their claim to their end.
SELECT workers, slots, processing, running_s, coalesce(oldest_pending_s, 0) AS oldest_pending_s,
    wait[1] AS wait_p50_s, wait[2] AS wait_p90_s, run[1] AS run_p50_s, run[2] AS run_p90_s
FROM (
    SELECT count(*) AS workers, coalesce(sum(slots), 0) AS slots FROM tasks_app_worker
    WHERE seen_at > now() - make_interval(secs => %(alive_s)s)
        AND (%(backend)s::text IS NULL OR %(backend)s = ANY (backends))
) AS alive, (
    SELECT count(*) AS processing, extract(epoch FROM avg(age))::float8 AS running_s
    FROM (
        SELECT (clock_timestamp() - started_at) / count(*) OVER (PARTITION BY started_at) AS age
        FROM tasks_app_task
        WHERE current_status = 'processing'
            AND (%(backend)s::text IS NULL OR backend = %(backend)s)
    ) AS ages
) AS running, (
    SELECT extract(epoch FROM statement_timestamp() - min(submitted_at))::float8 AS oldest_pending_s
    FROM tasks_app_task WHERE current_status = 'pending'
) AS oldest, (
    SELECT percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY wait) AS wait,
        percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY run) AS run
    FROM (
        SELECT extract(epoch FROM started_at - submitted_at)::float8 AS wait,
            extract(epoch FROM completed_at - started_at)::float8
                / count(*) OVER (PARTITION BY started_at) AS run
        FROM {ended}  -- of a backend what is found among the latest of all
        WHERE %(backend)s::text IS NULL OR backend = %(backend)s
        ORDER BY submitted_at DESC LIMIT %(sample)s
    ) AS latest
) AS measured
