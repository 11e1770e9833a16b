-- What holds us back, how much, and until when must we have acted?
-- The quarters of `supply.capacity_gap` in which something binds. Where that is the pipeline,
-- sellers could book more than it holds: the limit is not known, and at least short_quantity is
-- missing.
--
-- grain: quarter, resource_type, segment, unit
-- unit: constraint_kind what binds first: people, pipeline, inventory
-- unit: limit_quantity what is to be had, demand_quantity what is asked for, short_quantity what is
--   missing of it, all in `unit`: a currency, hours or units
-- unit: short_ratio missing over asked for (ratio)
-- unit: severity high from a quarter missing, medium from a tenth, else low; NULL where more may be
--   missing than is known
-- unit: place 1 for the largest known share missing in the quarter
-- unit: latest_start day by which to begin hiring or to order; NULL where neither helps
-- unit: is_late true if that day is over on as_of
WITH short AS (
    SELECT *, greatest(gap, 0) / nullif(demand, 0) AS short_ratio
    FROM supply.capacity_gap
    WHERE constraint_kind <> 'none'
)
SELECT
    s.period_start AS quarter_start,
    s.period_end AS quarter_end,
    s.resource_type,
    s.segment,
    s.unit,
    s.constraint_kind,
    CASE WHEN s.constraint_kind <> 'pipeline' THEN s.capacity END AS limit_quantity,
    s.demand AS demand_quantity,
    greatest(s.gap, 0) AS short_quantity,
    s.short_ratio,
    CASE
        WHEN s.short_ratio >= 0.25 THEN 'high'
        WHEN s.constraint_kind = 'pipeline' THEN NULL
        WHEN s.short_ratio >= 0.1 THEN 'medium'
        ELSE 'low'
    END AS severity,
    s.latest_start,
    s.latest_start <= a.as_of AS is_late,
    row_number() OVER (
        PARTITION BY s.period_start ORDER BY s.short_ratio DESC, s.resource_type, s.segment, s.unit
    ) AS place
FROM short s
CROSS JOIN ops.as_of a
