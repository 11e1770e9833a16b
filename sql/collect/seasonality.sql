-- Which months of the year are strong, and which are weak?
-- Of whole months only. With less than two years there is no telling a season from a trend: the index is
-- 1 then, and `is_known` false.
--
-- grain: kpi, unit, month of the year
-- unit: kpi, unit as in `collect.kpi_daily`
-- unit: month_number 1 is January
-- unit: index_ratio what the month is worth against the mean of the year (ratio, 1 is the mean)
-- unit: month_count whole months that it is learnt from (count)
WITH indices AS (
    SELECT
        kpi,
        unit,
        count(*) AS month_count,
        seasonal_index(month_start, CAST(kpi_value AS double), 12) AS index_ratios
    FROM collect.trend_monthly
    WHERE is_complete AND kpi_value IS NOT NULL
    GROUP BY kpi, unit
),
numbers AS (
    SELECT column1 AS month_number
    FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12)) AS v
)
SELECT
    i.kpi,
    i.unit,
    n.month_number,
    i.index_ratios[n.month_number] AS index_ratio,
    i.month_count,
    i.month_count >= 24 AS is_known
FROM indices i
CROSS JOIN numbers n
