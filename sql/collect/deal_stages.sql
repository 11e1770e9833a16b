-- Which stages did each deal go through, and how long did it stay in each?
-- A stay begins when the deal comes to the stage and ends when it goes to another; rows of the history
-- that only change an amount or a date end none. A deal that comes back stays a second time.
-- Deals without history are not here: when they changed stage is not known.
--
-- grain: deal, stay
-- unit: visit_number 1 for the first stay of the deal (count)
-- unit: entered_at, exited_at UTC; exited_at NULL while it is there on as_of
-- unit: stage_days days from entering to leaving, or to as_of while it is there (days)
-- unit: next_stage_id stage it went to; NULL while it is there
-- unit: skipped_count open stages that it passed over on the way to the next (count)
-- unit: is_regression true if the next stage comes before this one in the pipeline
WITH today AS (
    SELECT as_of, CAST(as_of AS timestamp) + INTERVAL '1 day' AS ends_at FROM ops.as_of
),
states AS (
    SELECT
        h.opportunity_id,
        h.stage_id,
        CAST(h.valid_from AS timestamp) AS entered_at,
        h.history_quality,
        lag(h.stage_id) OVER (PARTITION BY h.opportunity_id ORDER BY h.valid_from) AS stage_before
    FROM crm.opportunity_stage_history h
    CROSS JOIN today t
    WHERE NOT h.is_deleted AND CAST(h.valid_from AS timestamp) < t.ends_at
),
visits AS (
    SELECT
        opportunity_id,
        stage_id,
        entered_at,
        history_quality,
        row_number() OVER (PARTITION BY opportunity_id ORDER BY entered_at) AS visit_number,
        lead(entered_at) OVER (PARTITION BY opportunity_id ORDER BY entered_at) AS exited_at,
        lead(stage_id) OVER (PARTITION BY opportunity_id ORDER BY entered_at) AS next_stage_id
    FROM states
    WHERE stage_id IS DISTINCT FROM stage_before
),
placed AS (
    SELECT
        v.opportunity_id,
        v.visit_number,
        v.stage_id,
        v.entered_at,
        v.exited_at,
        v.next_stage_id,
        v.history_quality,
        o.owner_id,
        o.account_id,
        o.pipeline_id,
        g.label,
        g.ordinal,
        g.is_closed,
        n.ordinal AS next_ordinal,
        n.is_closed AS is_next_closed,
        n.is_won AS is_next_won
    FROM visits v
    JOIN crm.opportunities o ON o.opportunity_id = v.opportunity_id AND NOT o.is_deleted
    LEFT JOIN crm.stage_definitions g ON g.pipeline_id = o.pipeline_id AND g.stage_id = v.stage_id
    LEFT JOIN crm.stage_definitions n
        ON n.pipeline_id = o.pipeline_id AND n.stage_id = v.next_stage_id
),
skips AS (
    -- To lose a deal is no skip: it may be lost from anywhere.
    SELECT p.opportunity_id, p.visit_number, count(*) AS skipped_count
    FROM placed p
    JOIN crm.stage_definitions g
        ON g.pipeline_id = p.pipeline_id
        AND NOT g.is_closed
        AND NOT g.is_deleted
        AND coalesce(g.is_active, true)
        AND g.ordinal > p.ordinal
        AND g.ordinal < p.next_ordinal
    WHERE NOT p.is_closed AND (NOT p.is_next_closed OR p.is_next_won)
    GROUP BY p.opportunity_id, p.visit_number
)
SELECT
    p.opportunity_id,
    p.visit_number,
    p.owner_id,
    p.account_id,
    p.pipeline_id,
    p.stage_id,
    coalesce(p.label, p.stage_id) AS stage_label,
    p.ordinal AS stage_ordinal,
    p.is_closed,
    p.entered_at,
    p.exited_at,
    coalesce(CAST(p.exited_at AS date), t.as_of) - CAST(p.entered_at AS date) AS stage_days,
    p.exited_at IS NULL AS is_current,
    p.next_stage_id,
    coalesce(s.skipped_count, 0) AS skipped_count,
    p.next_ordinal < p.ordinal AS is_regression,
    p.history_quality,
    t.as_of
FROM placed p
CROSS JOIN today t
LEFT JOIN skips s ON s.opportunity_id = p.opportunity_id AND s.visit_number = p.visit_number
