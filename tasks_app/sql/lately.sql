-- What became of the latest tasks: the %(most)s submitted last, and of these the last day's. A row for
-- each of %(parts)s equal parts of the time from the first of them to now (part: 0 is the earliest), and
-- one for each code that failed ones have (part: NULL).
WITH latest AS MATERIALIZED (
    SELECT submitted_at, started_at, completed_at, current_status, error_code
    FROM tasks_app_task WHERE submitted_at > statement_timestamp() - interval '1 day'
    ORDER BY submitted_at DESC LIMIT %(most)s
), whole AS MATERIALIZED (
    SELECT min(submitted_at) AS since FROM latest
), placed AS (
    SELECT latest.*, least(%(parts)s - 1, floor(
        %(parts)s * extract(epoch FROM submitted_at - since)
            / nullif(extract(epoch FROM statement_timestamp() - since), 0)
    ))::int AS part
    FROM latest, whole
)
SELECT part, error_code, (SELECT since FROM whole) AS since,
    count(*) FILTER (WHERE current_status = 'pending') AS pending,
    count(*) FILTER (WHERE current_status = 'processing') AS processing,
    count(*) FILTER (WHERE current_status = 'completed') AS completed,
    count(*) FILTER (WHERE current_status = 'failed') AS failed,
    count(*) FILTER (WHERE current_status = 'cancelled') AS cancelled,
    percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (
        ORDER BY extract(epoch FROM started_at - submitted_at)::float8
    ) AS waited,
    percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (
        ORDER BY extract(epoch FROM completed_at - started_at)::float8
    ) AS ran
FROM placed GROUP BY GROUPING SETS ((part), (error_code))
HAVING part IS NOT NULL OR error_code IS NOT NULL
ORDER BY part, failed DESC
