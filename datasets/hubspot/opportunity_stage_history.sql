-- When deals entered and left the stages of HubSpot's default pipeline; each stage has columns of its own.
-- For other pipelines a file opportunity_stage_history.csv with the canonical columns may stand beside.
-- requires: deals(hs_object_id)
SELECT
    hs_object_id AS opportunity_id,
    instant(hs_v2_date_entered_appointmentscheduled) AS valid_from,
    instant(hs_v2_date_exited_appointmentscheduled) AS valid_to,
    'appointmentscheduled' AS stage_id,
    hubspot_owner_id AS owner_id,
    'recorded' AS history_quality,
    instant(hs_lastmodifieddate) AS updated_at
FROM deals
WHERE hs_v2_date_entered_appointmentscheduled IS NOT NULL
UNION ALL
SELECT
    hs_object_id AS opportunity_id,
    instant(hs_v2_date_entered_qualifiedtobuy) AS valid_from,
    instant(hs_v2_date_exited_qualifiedtobuy) AS valid_to,
    'qualifiedtobuy' AS stage_id,
    hubspot_owner_id AS owner_id,
    'recorded' AS history_quality,
    instant(hs_lastmodifieddate) AS updated_at
FROM deals
WHERE hs_v2_date_entered_qualifiedtobuy IS NOT NULL
UNION ALL
SELECT
    hs_object_id AS opportunity_id,
    instant(hs_v2_date_entered_presentationscheduled) AS valid_from,
    instant(hs_v2_date_exited_presentationscheduled) AS valid_to,
    'presentationscheduled' AS stage_id,
    hubspot_owner_id AS owner_id,
    'recorded' AS history_quality,
    instant(hs_lastmodifieddate) AS updated_at
FROM deals
WHERE hs_v2_date_entered_presentationscheduled IS NOT NULL
UNION ALL
SELECT
    hs_object_id AS opportunity_id,
    instant(hs_v2_date_entered_decisionmakerboughtin) AS valid_from,
    instant(hs_v2_date_exited_decisionmakerboughtin) AS valid_to,
    'decisionmakerboughtin' AS stage_id,
    hubspot_owner_id AS owner_id,
    'recorded' AS history_quality,
    instant(hs_lastmodifieddate) AS updated_at
FROM deals
WHERE hs_v2_date_entered_decisionmakerboughtin IS NOT NULL
UNION ALL
SELECT
    hs_object_id AS opportunity_id,
    instant(hs_v2_date_entered_contractsent) AS valid_from,
    instant(hs_v2_date_exited_contractsent) AS valid_to,
    'contractsent' AS stage_id,
    hubspot_owner_id AS owner_id,
    'recorded' AS history_quality,
    instant(hs_lastmodifieddate) AS updated_at
FROM deals
WHERE hs_v2_date_entered_contractsent IS NOT NULL
UNION ALL
SELECT
    hs_object_id AS opportunity_id,
    instant(hs_v2_date_entered_closedwon) AS valid_from,
    instant(hs_v2_date_exited_closedwon) AS valid_to,
    'closedwon' AS stage_id,
    hubspot_owner_id AS owner_id,
    'recorded' AS history_quality,
    instant(hs_lastmodifieddate) AS updated_at
FROM deals
WHERE hs_v2_date_entered_closedwon IS NOT NULL
UNION ALL
SELECT
    hs_object_id AS opportunity_id,
    instant(hs_v2_date_entered_closedlost) AS valid_from,
    instant(hs_v2_date_exited_closedlost) AS valid_to,
    'closedlost' AS stage_id,
    hubspot_owner_id AS owner_id,
    'recorded' AS history_quality,
    instant(hs_lastmodifieddate) AS updated_at
FROM deals
WHERE hs_v2_date_entered_closedlost IS NOT NULL
