-- Of the deals that came to a stage, how many went on, and how fast?
-- A deal that skips stages has passed them; one that comes to a stage again counts once. A deal
-- goes on when it comes to a later open stage or is won; lost deals leave the funnel. Deals that
-- have not decided yet are in the ratio of all, and not in the ratio of those that did.
--
-- parameter: pipeline text = NULL -- id of a pipeline; without, each by itself
-- parameter: start date = NULL -- first day on which deals came to the stage
-- parameter: end date = NULL -- last such day; without, the day reports are made for
-- example: SELECT stage_label, conversion_ratio FROM stage_conversion(start => DATE '2026-01-01') ORDER BY stage_ordinal
-- grain: pipeline, stage
-- unit: entered_count, advanced_count, lost_count, open_count deals (count)
-- unit: conversion_ratio advanced over entered (ratio); decided_ratio advanced over advanced and lost (ratio)
-- unit: cumulative_ratio entered over entered the first stage (ratio)
-- unit: mean_days days from coming to the stage to going on, or to losing (days)
WITH today AS (
    SELECT as_of, coalesce(CAST($end AS date), as_of) AS end_on FROM ops.as_of
),
stages AS (
    SELECT pipeline_id, stage_id, label, ordinal, is_closed, is_won
    FROM crm.stage_definitions
    WHERE NOT is_deleted AND (CAST($pipeline AS varchar) IS NULL OR pipeline_id = $pipeline)
),
visits AS (
    -- Every stage that a deal came to, with the first day there.
    SELECT
        o.opportunity_id,
        g.pipeline_id,
        g.ordinal,
        g.is_closed,
        g.is_won,
        min(CAST(h.valid_from AS date)) AS came_on
    FROM crm.opportunity_stage_history h
    JOIN crm.opportunities o ON o.opportunity_id = h.opportunity_id AND NOT o.is_deleted
    JOIN stages g ON g.pipeline_id = o.pipeline_id AND g.stage_id = h.stage_id
    CROSS JOIN today t
    WHERE NOT h.is_deleted AND CAST(h.valid_from AS date) <= t.as_of
    GROUP BY o.opportunity_id, g.pipeline_id, g.ordinal, g.is_closed, g.is_won
),
deals AS (
    SELECT
        opportunity_id,
        pipeline_id,
        min(came_on) AS first_on,
        min(CASE WHEN is_won THEN came_on END) AS won_on,
        min(CASE WHEN is_closed AND NOT is_won THEN came_on END) AS lost_on,
        max(CASE WHEN NOT is_closed THEN ordinal END) AS reached
    FROM visits
    GROUP BY opportunity_id, pipeline_id
),
passes AS (
    -- A deal has been at every open stage up to the furthest it reached, on the day it came there
    -- or to the next one after it; a won deal at all of them.
    SELECT
        d.opportunity_id,
        g.pipeline_id,
        g.stage_id,
        g.ordinal,
        d.won_on,
        d.lost_on,
        min(CASE WHEN v.ordinal >= g.ordinal OR v.is_won THEN v.came_on END) AS came_on,
        min(CASE WHEN v.ordinal > g.ordinal OR v.is_won THEN v.came_on END) AS advanced_on
    FROM deals d
    JOIN stages g ON g.pipeline_id = d.pipeline_id AND NOT g.is_closed
    JOIN visits v ON v.opportunity_id = d.opportunity_id AND (NOT v.is_closed OR v.is_won)
    WHERE d.won_on IS NOT NULL OR d.reached >= g.ordinal
    GROUP BY d.opportunity_id, g.pipeline_id, g.stage_id, g.ordinal, d.won_on, d.lost_on
),
cohort AS (
    SELECT p.*, p.advanced_on IS NULL AND p.lost_on IS NOT NULL AS is_lost
    FROM passes p
    CROSS JOIN today t
    WHERE p.came_on <= t.end_on AND (CAST($start AS date) IS NULL OR p.came_on >= $start)
),
counted AS (
    SELECT
        pipeline_id,
        stage_id,
        ordinal,
        count(*) AS entered_count,
        count(advanced_on) AS advanced_count,
        count(*) FILTER (WHERE is_lost) AS lost_count,
        avg(coalesce(advanced_on, CASE WHEN is_lost THEN lost_on END) - came_on) AS mean_days
    FROM cohort
    GROUP BY pipeline_id, stage_id, ordinal
)
SELECT
    g.pipeline_id,
    g.stage_id,
    g.label AS stage_label,
    g.ordinal AS stage_ordinal,
    coalesce(c.entered_count, 0) AS entered_count,
    coalesce(c.advanced_count, 0) AS advanced_count,
    coalesce(c.lost_count, 0) AS lost_count,
    coalesce(c.entered_count - c.advanced_count - c.lost_count, 0) AS open_count,
    CAST(c.advanced_count AS double) / nullif(c.entered_count, 0) AS conversion_ratio,
    CAST(c.advanced_count AS double) / nullif(c.advanced_count + c.lost_count, 0) AS decided_ratio,
    CAST(c.entered_count AS double) / nullif(
        first_value(c.entered_count) OVER (PARTITION BY g.pipeline_id ORDER BY g.ordinal), 0
    ) AS cumulative_ratio,
    c.mean_days
FROM stages g
LEFT JOIN counted c ON c.pipeline_id = g.pipeline_id AND c.stage_id = g.stage_id
WHERE NOT g.is_closed
