-- What will be short in this quarter and the three after it: sellers, people who deliver, or goods?
-- `FROM capacity_gap(scenario, start, end, grain, resource_type)` answers for any other period.
--
-- grain: quarter, resource_type ('seller', 'delivery', 'support', 'inventory'), segment, unit
-- unit: demand, capacity, gap, attrition_loss, productivity in `unit`: a currency, hours or units
-- unit: gap positive is a shortfall; gap_pct gap over demand (ratio)
-- unit: headcount, hires_needed people (count); ramped_fte, fte_short full-time people (count)
-- unit: latest_start day by which to begin hiring or to order; NULL without a shortfall
-- unit: constraint_kind what binds first: people, pipeline, inventory, none
SELECT * FROM capacity_gap()
