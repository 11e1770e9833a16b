-- Calls, meetings, e-mails and tasks. Their ids are unique in their kind only, so the kind comes first.
-- Durations of calls are milliseconds. Nobody's activity belongs to `unassigned`.
-- requires: calls(hs_object_id, hs_timestamp)
-- requires: meetings(hs_object_id, hs_meeting_start_time)
-- requires: emails(hs_object_id, hs_timestamp)
-- requires: tasks(hs_object_id, hs_timestamp)
SELECT
    'call:' || hs_object_id AS activity_id,
    'call' AS kind,
    CASE hs_call_direction WHEN 'INBOUND' THEN 'in' WHEN 'OUTBOUND' THEN 'out' END AS direction,
    coalesce(hubspot_owner_id, 'unassigned') AS owner_id,
    associatedcompanyid AS account_id,
    associatedcontactid AS contact_id,
    associateddealid AS opportunity_id,
    instant(hs_timestamp) AS occurred_at,
    whole_seconds(hs_call_duration) AS duration_s,
    CASE hs_call_status WHEN 'COMPLETED' THEN 'done' WHEN 'NO_ANSWER' THEN 'no_show'
        WHEN 'CANCELED' THEN 'cancelled' WHEN 'QUEUED' THEN 'planned' END AS status,
    hs_call_disposition AS outcome,
    hs_call_title AS subject,
    hs_object_id AS source_id,
    archived AS is_deleted,
    instant(hs_lastmodifieddate) AS updated_at
FROM calls
UNION ALL
SELECT
    'meeting:' || hs_object_id AS activity_id,
    CASE WHEN lower(hs_activity_type) LIKE '%demo%' THEN 'demo' ELSE 'meeting' END AS kind,
    coalesce(hubspot_owner_id, 'unassigned') AS owner_id,
    associatedcompanyid AS account_id,
    associatedcontactid AS contact_id,
    associateddealid AS opportunity_id,
    instant(hs_meeting_start_time) AS occurred_at,
    seconds_between(hs_meeting_start_time, hs_meeting_end_time) AS duration_s,
    CASE hs_meeting_outcome WHEN 'COMPLETED' THEN 'done' WHEN 'NO_SHOW' THEN 'no_show'
        WHEN 'CANCELED' THEN 'cancelled' WHEN 'SCHEDULED' THEN 'planned'
        WHEN 'RESCHEDULED' THEN 'planned' END AS status,
    hs_meeting_outcome AS outcome,
    hs_meeting_title AS subject,
    hs_object_id AS source_id,
    archived AS is_deleted,
    instant(hs_lastmodifieddate) AS updated_at
FROM meetings
UNION ALL
SELECT
    'email:' || hs_object_id AS activity_id,
    'email' AS kind,
    CASE hs_email_direction WHEN 'INCOMING_EMAIL' THEN 'in' WHEN 'EMAIL' THEN 'out'
        WHEN 'FORWARDED_EMAIL' THEN 'out' END AS direction,
    coalesce(hubspot_owner_id, 'unassigned') AS owner_id,
    associatedcompanyid AS account_id,
    associatedcontactid AS contact_id,
    associateddealid AS opportunity_id,
    instant(hs_timestamp) AS occurred_at,
    CASE hs_email_status WHEN 'SENT' THEN 'done' WHEN 'SCHEDULED' THEN 'planned' END AS status,
    hs_email_subject AS subject,
    hs_object_id AS source_id,
    archived AS is_deleted,
    instant(hs_lastmodifieddate) AS updated_at
FROM emails
UNION ALL
SELECT
    'task:' || hs_object_id AS activity_id,
    'task' AS kind,
    coalesce(hubspot_owner_id, 'unassigned') AS owner_id,
    associatedcompanyid AS account_id,
    associatedcontactid AS contact_id,
    associateddealid AS opportunity_id,
    instant(hs_timestamp) AS occurred_at,
    CASE hs_task_status WHEN 'COMPLETED' THEN 'done' WHEN 'DEFERRED' THEN 'cancelled'
        ELSE 'planned' END AS status,
    hs_task_subject AS subject,
    hs_object_id AS source_id,
    archived AS is_deleted,
    instant(hs_lastmodifieddate) AS updated_at
FROM tasks
