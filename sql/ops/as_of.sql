-- For which day are the reports made?
-- The day set as `runrate.as_of`, else the newest day on which something happened in the data.
-- A planned day never counts: a meeting of next week, or a deal marked won with a close date to come.
--
-- grain: one row
-- unit: as_of day, whose own facts still count
-- unit: origin 'session' or 'data'
WITH facts AS (
    SELECT max(CAST(created_at AS date)) AS fact_on FROM crm.opportunities WHERE NOT is_deleted
    UNION ALL
    -- A CRM that stamps changes tells when a deal was really closed.
    SELECT max(least(close_date, CAST(updated_at AS date))) FROM crm.opportunities
    WHERE is_closed AND NOT is_deleted
    UNION ALL
    SELECT max(CAST(valid_from AS date)) FROM crm.opportunity_stage_history
    WHERE history_quality IS DISTINCT FROM 'synthetic'
    UNION ALL
    SELECT max(CAST(occurred_at AS date)) FROM crm.activities WHERE status = 'done'
    UNION ALL
    SELECT max(CAST(occurred_at AS date)) FROM crm.engagement_events
)
SELECT
    coalesce(session_as_of(), max(fact_on)) AS as_of,
    CASE WHEN session_as_of() IS NULL THEN 'data' ELSE 'session' END AS origin
FROM facts
