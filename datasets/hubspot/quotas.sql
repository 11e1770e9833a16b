-- The goals of owners and teams. What a goal counts shows in its name only: calls, meetings or deals created are
-- counts, everything else is money booked.
-- requires: goal_targets(hs_object_id, hs_start_datetime, hs_end_datetime, hs_target_amount)
SELECT
    hs_object_id AS quota_id,
    hubspot_owner_id AS owner_id,
    hs_assignee_team_id AS territory_id,
    CASE
        WHEN lower(hs_goal_name) LIKE '%call%' THEN 'calls'
        WHEN lower(hs_goal_name) LIKE '%meeting%' THEN 'meetings'
        WHEN lower(hs_goal_name) LIKE '%deals created%' THEN 'opps_created'
        ELSE 'bookings'
    END AS metric,
    day(instant(hs_start_datetime)) AS period_start,
    day(instant(hs_end_datetime)) AS period_end,
    CASE WHEN hs_goal_name IS NULL OR NOT (lower(hs_goal_name) LIKE '%call%'
        OR lower(hs_goal_name) LIKE '%meeting%' OR lower(hs_goal_name) LIKE '%deals created%')
        THEN hs_target_amount END AS amount,
    CASE WHEN lower(hs_goal_name) LIKE '%call%' OR lower(hs_goal_name) LIKE '%meeting%'
        OR lower(hs_goal_name) LIKE '%deals created%' THEN hs_target_amount END AS quantity,
    coalesce(hs_currency_code, corporate_currency()) AS currency,
    CASE WHEN hubspot_owner_id IS NULL THEN 'plan' ELSE 'individual' END AS quota_kind,
    'false' AS ramp_included,
    archived AS is_deleted,
    instant(hs_lastmodifieddate) AS updated_at
FROM goal_targets
