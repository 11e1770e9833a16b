-- How old is what each source brought?
-- The last batch that brought rows, and the newest change in them; a source that was loaded again
-- without news keeps the day of its news.
--
-- grain: source system, table
-- unit: runs_count batches that were loaded; refused_count batches that were refused (count)
-- unit: loaded_at end of the last batch that was loaded; newest_batch_id its id
-- unit: days_behind days from the last loaded batch to the newest of any source (days)
WITH runs AS (
    SELECT
        source_system,
        table_name,
        count(DISTINCT batch_id) FILTER (WHERE status = 'loaded') AS runs_count,
        count(DISTINCT batch_id) FILTER (WHERE status = 'refused') AS refused_count,
        max(finished_at) FILTER (WHERE status = 'loaded') AS loaded_at,
        max(finished_at) FILTER (WHERE status = 'loaded' AND rows_loaded > 0) AS news_at,
        sum(rows_loaded) FILTER (WHERE status = 'loaded') AS rows_loaded_count,
        sum(rows_quarantined) FILTER (WHERE status = 'loaded') AS rows_quarantined_count
    FROM ops.ingest_runs
    GROUP BY source_system, table_name
),
newest AS (
    SELECT max(loaded_at) AS loaded_at FROM runs
)
SELECT
    r.source_system,
    r.table_name,
    r.loaded_at,
    r.news_at,
    CAST(n.loaded_at AS date) - CAST(r.loaded_at AS date) AS days_behind,
    r.runs_count,
    r.refused_count,
    r.rows_loaded_count,
    r.rows_quarantined_count
FROM runs r
CROSS JOIN newest n
