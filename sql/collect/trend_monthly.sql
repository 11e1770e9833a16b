-- How does each KPI move from month to month, and against the year before?
-- The running month is there and marked: it is compared with nothing. So is the first month of a KPI, if
-- its facts begin within it, because the part before is not known.
--
-- grain: month, kpi, unit
-- unit: kpi, unit as in `collect.kpi_daily`; kpi_value sum over the days of the month
-- unit: unknown_count facts without an amount, which kpi_value does not contain (count)
-- unit: day_count days of the month that kpi_value is of (count)
-- unit: month_growth_ratio over the month before, year_growth_ratio over the same month a year before
--   (ratios); NULL if that was 0, is not known, or was not a whole month
-- unit: compound_growth_ratio growth a month over the last twelve (ratio)
-- unit: mean_3_value mean of this month and the two before, if all are whole months
WITH months AS (
    SELECT
        CAST(date_trunc('month', d.day) AS date) AS month_start,
        d.kpi,
        d.unit,
        CASE WHEN count(d.kpi_value) = count(*) THEN sum(d.kpi_value) END AS kpi_value,
        sum(d.unknown_count) AS unknown_count,
        count(*) AS day_count
    FROM collect.kpi_daily d
    GROUP BY CAST(date_trunc('month', d.day) AS date), d.kpi, d.unit
),
whole AS (
    SELECT
        m.*,
        m.day_count = CAST(m.month_start + INTERVAL '1 month' AS date) - m.month_start AS is_complete,
        CASE
            WHEN m.day_count = CAST(m.month_start + INTERVAL '1 month' AS date) - m.month_start
                THEN CAST(m.kpi_value AS double)
        END AS whole_value
    FROM months m
),
lagged AS (
    SELECT
        *,
        lag(whole_value) OVER (PARTITION BY kpi, unit ORDER BY month_start) AS month_before,
        lag(whole_value, 2) OVER (PARTITION BY kpi, unit ORDER BY month_start) AS two_before,
        lag(whole_value, 12) OVER (PARTITION BY kpi, unit ORDER BY month_start) AS year_before
    FROM whole
)
SELECT
    month_start,
    kpi,
    unit,
    CAST(kpi_value AS decimal(18, 2)) AS kpi_value,
    CAST(unknown_count AS bigint) AS unknown_count,
    day_count,
    is_complete,
    growth_rate(whole_value, month_before) AS month_growth_ratio,
    growth_rate(whole_value, year_before) AS year_growth_ratio,
    cmgr(whole_value, year_before, 12) AS compound_growth_ratio,
    (whole_value + month_before + two_before) / 3 AS mean_3_value
FROM lagged
