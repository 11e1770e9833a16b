-- Where in the pipeline do deals get lost, and where do they take their time?
-- All deals until `as_of`; `FROM stage_conversion(start => ...)` counts those of a period.
-- A deal that skips a stage has passed it, but has not stayed in it: it counts in the ratios and not
-- in the days.
--
-- grain: pipeline, open stage
-- unit: entered_count, advanced_count, lost_count, open_count deals (count); the last three add up
--   to the first
-- unit: conversion_ratio advanced over entered; decided_ratio advanced over advanced and lost, without
--   the deals that are still in the stage (ratios 0 to 1)
-- unit: cumulative_ratio entered over those that entered the first stage (ratio 0 to 1)
-- unit: median_days, p90_days of the stays in the stage that ended (days); NULL without any
SELECT
    d.as_of,
    c.pipeline_id,
    c.stage_id,
    c.stage_label,
    c.stage_ordinal,
    c.entered_count,
    c.advanced_count,
    c.lost_count,
    c.open_count,
    c.conversion_ratio,
    c.decided_ratio,
    c.cumulative_ratio,
    d.median_days,
    d.p90_days
FROM stage_conversion() c
LEFT JOIN collect.stage_duration d ON d.pipeline_id = c.pipeline_id AND d.stage_id = c.stage_id
