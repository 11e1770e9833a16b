-- Calls, meetings, e-mails and tasks. Their ids are unique in their kind only, so the kind comes first.
-- Durations of calls are milliseconds. Nobody's activity belongs to `unassigned`.
-- HubSpot associates contacts: one that is a lead here is the activity's lead.
-- requires: calls(hs_object_id, hs_timestamp)
-- requires: meetings(hs_object_id, hs_meeting_start_time)
-- requires: emails(hs_object_id, hs_timestamp)
-- requires: tasks(hs_object_id, hs_timestamp)
SELECT
    'call:' || a.hs_object_id AS activity_id,
    'call' AS kind,
    CASE a.hs_call_direction WHEN 'INBOUND' THEN 'in' WHEN 'OUTBOUND' THEN 'out' END AS direction,
    coalesce(a.hubspot_owner_id, 'unassigned') AS owner_id,
    a.associatedcompanyid AS account_id,
    CASE WHEN coalesce(p.is_lead, 'false') = 'false' THEN a.associatedcontactid END AS contact_id,
    CASE WHEN p.is_lead = 'true' THEN a.associatedcontactid END AS lead_id,
    a.associateddealid AS opportunity_id,
    instant(a.hs_timestamp) AS occurred_at,
    whole_seconds(a.hs_call_duration) AS duration_s,
    CASE a.hs_call_status WHEN 'COMPLETED' THEN 'done' WHEN 'NO_ANSWER' THEN 'no_show'
        WHEN 'CANCELED' THEN 'cancelled' WHEN 'QUEUED' THEN 'planned' END AS status,
    a.hs_call_disposition AS outcome,
    a.hs_call_title AS subject,
    a.hs_object_id AS source_id,
    a.archived AS is_deleted,
    instant(a.hs_lastmodifieddate) AS updated_at
FROM calls a
LEFT JOIN (
    SELECT
        hs_object_id AS id,
        min(CASE WHEN lifecyclestage IN ('subscriber', 'lead', 'marketingqualifiedlead', 'salesqualifiedlead')
            THEN 'true' ELSE 'false' END) AS is_lead
    FROM contacts GROUP BY hs_object_id
) p ON p.id = a.associatedcontactid
UNION ALL
SELECT
    'meeting:' || a.hs_object_id AS activity_id,
    CASE WHEN lower(a.hs_activity_type) LIKE '%demo%' THEN 'demo' ELSE 'meeting' END AS kind,
    coalesce(a.hubspot_owner_id, 'unassigned') AS owner_id,
    a.associatedcompanyid AS account_id,
    CASE WHEN coalesce(p.is_lead, 'false') = 'false' THEN a.associatedcontactid END AS contact_id,
    CASE WHEN p.is_lead = 'true' THEN a.associatedcontactid END AS lead_id,
    a.associateddealid AS opportunity_id,
    instant(a.hs_meeting_start_time) AS occurred_at,
    seconds_between(a.hs_meeting_start_time, a.hs_meeting_end_time) AS duration_s,
    CASE a.hs_meeting_outcome WHEN 'COMPLETED' THEN 'done' WHEN 'NO_SHOW' THEN 'no_show'
        WHEN 'CANCELED' THEN 'cancelled' WHEN 'SCHEDULED' THEN 'planned'
        WHEN 'RESCHEDULED' THEN 'planned' END AS status,
    a.hs_meeting_outcome AS outcome,
    a.hs_meeting_title AS subject,
    a.hs_object_id AS source_id,
    a.archived AS is_deleted,
    instant(a.hs_lastmodifieddate) AS updated_at
FROM meetings a
LEFT JOIN (
    SELECT
        hs_object_id AS id,
        min(CASE WHEN lifecyclestage IN ('subscriber', 'lead', 'marketingqualifiedlead', 'salesqualifiedlead')
            THEN 'true' ELSE 'false' END) AS is_lead
    FROM contacts GROUP BY hs_object_id
) p ON p.id = a.associatedcontactid
UNION ALL
SELECT
    'email:' || a.hs_object_id AS activity_id,
    'email' AS kind,
    CASE a.hs_email_direction WHEN 'INCOMING_EMAIL' THEN 'in' WHEN 'EMAIL' THEN 'out'
        WHEN 'FORWARDED_EMAIL' THEN 'out' END AS direction,
    coalesce(a.hubspot_owner_id, 'unassigned') AS owner_id,
    a.associatedcompanyid AS account_id,
    CASE WHEN coalesce(p.is_lead, 'false') = 'false' THEN a.associatedcontactid END AS contact_id,
    CASE WHEN p.is_lead = 'true' THEN a.associatedcontactid END AS lead_id,
    a.associateddealid AS opportunity_id,
    instant(a.hs_timestamp) AS occurred_at,
    CASE a.hs_email_status WHEN 'SENT' THEN 'done' WHEN 'SCHEDULED' THEN 'planned' END AS status,
    a.hs_email_subject AS subject,
    a.hs_object_id AS source_id,
    a.archived AS is_deleted,
    instant(a.hs_lastmodifieddate) AS updated_at
FROM emails a
LEFT JOIN (
    SELECT
        hs_object_id AS id,
        min(CASE WHEN lifecyclestage IN ('subscriber', 'lead', 'marketingqualifiedlead', 'salesqualifiedlead')
            THEN 'true' ELSE 'false' END) AS is_lead
    FROM contacts GROUP BY hs_object_id
) p ON p.id = a.associatedcontactid
UNION ALL
SELECT
    'task:' || a.hs_object_id AS activity_id,
    'task' AS kind,
    coalesce(a.hubspot_owner_id, 'unassigned') AS owner_id,
    a.associatedcompanyid AS account_id,
    CASE WHEN coalesce(p.is_lead, 'false') = 'false' THEN a.associatedcontactid END AS contact_id,
    CASE WHEN p.is_lead = 'true' THEN a.associatedcontactid END AS lead_id,
    a.associateddealid AS opportunity_id,
    instant(a.hs_timestamp) AS occurred_at,
    CASE a.hs_task_status WHEN 'COMPLETED' THEN 'done' WHEN 'DEFERRED' THEN 'cancelled'
        ELSE 'planned' END AS status,
    a.hs_task_subject AS subject,
    a.hs_object_id AS source_id,
    a.archived AS is_deleted,
    instant(a.hs_lastmodifieddate) AS updated_at
FROM tasks a
LEFT JOIN (
    SELECT
        hs_object_id AS id,
        min(CASE WHEN lifecyclestage IN ('subscriber', 'lead', 'marketingqualifiedlead', 'salesqualifiedlead')
            THEN 'true' ELSE 'false' END) AS is_lead
    FROM contacts GROUP BY hs_object_id
) p ON p.id = a.associatedcontactid
