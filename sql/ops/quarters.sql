-- Which calendar quarters does the data reach over, and which of them have ended?
-- From the quarter of the first deal to the fourth quarter after the one of `as_of`.
--
-- grain: one calendar quarter
-- unit: quarter_start, quarter_end days, both inclusive
-- unit: day_count days of the quarter (count)
-- unit: elapsed_ratio share of its days that are over at as_of (ratio 0 to 1)
WITH bounds AS (
    SELECT
        a.as_of,
        date_trunc('quarter', least(min(CAST(o.created_at AS date)), min(o.close_date), a.as_of)) AS first_at,
        date_trunc('quarter', a.as_of) + INTERVAL '12 months' AS last_at
    FROM ops.as_of a
    LEFT JOIN crm.opportunities o ON NOT o.is_deleted
    WHERE a.as_of IS NOT NULL
    GROUP BY a.as_of
),
starts AS (
    SELECT as_of, CAST(unnest(generate_series(first_at, last_at, INTERVAL '3 months')) AS date) AS quarter_start
    FROM bounds
),
quarters AS (
    SELECT
        as_of,
        quarter_start,
        CAST(quarter_start + INTERVAL '3 months' - INTERVAL '1 day' AS date) AS quarter_end
    FROM starts
)
SELECT
    quarter_start,
    quarter_end,
    quarter_end - quarter_start + 1 AS day_count,
    as_of,
    quarter_end <= as_of AS is_complete,
    quarter_start <= as_of AND as_of <= quarter_end AS is_current,
    CAST(least(greatest(as_of - quarter_start + 1, 0), quarter_end - quarter_start + 1) AS double)
        / (quarter_end - quarter_start + 1) AS elapsed_ratio
FROM quarters
