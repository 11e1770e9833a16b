-- The days of the fiscal calendar, from its months: each lies in a quarter and a year of Period.
-- A year is named by the year it ends in.
-- requires: Period(Type, StartDate, EndDate)
SELECT
    d.date AS date,
    substr(y.last, 1, 4) AS fiscal_year,
    q.number AS fiscal_quarter,
    d.number AS fiscal_period,
    q.first AS fq_start,
    q.last AS fq_end,
    CASE WHEN date_part('dow', TRY_CAST(d.date AS DATE)) IN (0, 6) THEN 'false' ELSE 'true' END AS is_workday,
    d.date AS source_id,
    d.changed_at AS updated_at
FROM (
    SELECT
        unnest(days_between(StartDate, EndDate)) AS date,
        Number AS number,
        SystemModstamp AS changed_at
    FROM Period
    WHERE Type = 'Month'
) d
LEFT JOIN (
    SELECT day(StartDate) AS first, day(EndDate) AS last, max(Number) AS number
    FROM Period WHERE Type = 'Quarter' GROUP BY day(StartDate), day(EndDate)
) q ON d.date >= q.first AND d.date <= q.last
LEFT JOIN (
    SELECT day(StartDate) AS first, day(EndDate) AS last FROM Period
    WHERE Type = 'Year' GROUP BY day(StartDate), day(EndDate)
) y ON d.date >= y.first AND d.date <= y.last
