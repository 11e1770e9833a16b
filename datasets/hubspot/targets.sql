-- The goals of teams and of the company, which are nobody's in particular.
-- A goal of an owner is a quota. A file targets.csv with the canonical columns may stand beside.
-- requires: goal_targets(hs_object_id, hs_start_datetime, hs_target_amount)
SELECT
    CASE
        WHEN lower(hs_goal_name) LIKE '%call%' THEN 'calls'
        WHEN lower(hs_goal_name) LIKE '%meeting%' THEN 'meetings'
        WHEN lower(hs_goal_name) LIKE '%deals created%' THEN 'opps_created'
        ELSE 'bookings'
    END AS metric,
    CASE WHEN hs_assignee_team_id IS NULL THEN 'company' ELSE 'team' END AS scope_type,
    coalesce(hs_assignee_team_id, 'company') AS scope_id,
    day(instant(hs_start_datetime)) AS period_start,
    hs_target_amount AS value,
    hs_object_id AS source_id,
    archived AS is_deleted,
    instant(hs_lastmodifieddate) AS updated_at
FROM goal_targets
WHERE hubspot_owner_id IS NULL
