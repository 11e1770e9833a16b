-- What will be short: sellers, people who deliver, or goods; and when must we act?
-- Money, hours and units stand in rows of their own and are never added.
-- Until scenarios can be stored, only 'base' exists; another name gives no rows.
--
-- parameter: scenario text = 'base'
-- parameter: start date = (SELECT quarter_start FROM ops.quarters WHERE is_current)
-- parameter: end date = (SELECT CAST(quarter_start + INTERVAL '12 months' - INTERVAL '1 day' AS date) FROM ops.quarters WHERE is_current)
-- parameter: grain text = 'quarter' -- 'month' or 'quarter'
-- parameter: resource_type text = NULL -- 'seller', 'delivery', 'support' or 'inventory'; NULL is all
-- example: SELECT * FROM capacity_gap('base', DATE '2026-07-01', DATE '2026-12-31', 'quarter', 'seller') WHERE gap > 0
-- grain: period, resource_type, segment, unit
-- unit: demand, capacity, gap, attrition_loss, productivity in `unit`: a currency, hours or units
-- unit: gap positive is a shortfall; gap_pct gap over demand (ratio)
-- unit: headcount, hires_needed people (count); ramped_fte, fte_short full-time people (count)
-- unit: hires_needed 0 in a surplus; NULL where hiring cannot close the gap in the period
-- unit: latest_start day by which to begin hiring or to order; NULL without a shortfall
-- unit: constraint_kind what binds first: people, pipeline, inventory, none; vendors and machines
--   are not planned yet
SELECT * FROM (
    SELECT * FROM seller_gap($start, $end, $grain)
    UNION ALL
    SELECT * FROM delivery_gap($start, $end, $grain)
    UNION ALL
    SELECT * FROM inventory_gap($start, $end, $grain)
) AS gaps
WHERE $scenario = 'base' AND (CAST($resource_type AS varchar) IS NULL OR gaps.resource_type = $resource_type)
