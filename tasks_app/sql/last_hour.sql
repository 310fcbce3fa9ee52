-- The last sixty minutes, the present one last: how many tasks ended in each, how many of them failed,
-- and how long half of them had waited at most; NULL if none ended. Of the latest `looked_at` tasks
-- that completed or failed, `sampled` of which there are.
WITH ended AS MATERIALIZED (
    SELECT * FROM {ended}
    ORDER BY submitted_at DESC LIMIT %(looked_at)s
)
SELECT minute, coalesce(tasks, 0) AS ended, coalesce(failed, 0) AS failed, wait_p50_s,
    (SELECT count(*) FROM ended) AS sampled
FROM generate_series(
    date_trunc('minute', now()) - interval '59 minutes', date_trunc('minute', now()), '1 minute'
) AS minute
LEFT JOIN (
    SELECT date_trunc('minute', completed_at) AS minute, count(*) AS tasks,
        count(*) FILTER (WHERE current_status = 'failed') AS failed,
        percentile_cont(0.5) WITHIN GROUP (
            ORDER BY extract(epoch FROM started_at - submitted_at)::float8
        ) AS wait_p50_s
    FROM ended GROUP BY 1
) AS counted USING (minute)
ORDER BY minute
