-- The people who are past being leads, by `lifecyclestage`.
-- A contact that was merged into another stays, marked deleted, with `merged_into`.
-- requires: contacts(hs_object_id, createdate)
-- labels: contacts(hs_object_id = Record ID, associatedcompanyid = Primary Associated Company ID, jobtitle = Job Title, phone = Phone Number, hs_analytics_source = Original Source Type, hubspot_owner_id = Contact owner ID, hs_email_optout = Unsubscribed from all email, createdate = Create Date, lastmodifieddate = Last Modified Date, hs_lead_status = Lead Status, lifecyclestage = Lifecycle Stage, hs_merged_object_ids = Merged object IDs)
SELECT
    hs_object_id AS contact_id,
    associatedcompanyid AS account_id,
    firstname AS first_name,
    lastname AS last_name,
    lower(trim(email)) AS email,
    jobtitle AS title,
    phone AS phone,
    hs_analytics_source AS lead_source,
    hubspot_owner_id AS owner_id,
    hs_email_optout AS opted_out,
    instant(createdate) AS created_at,
    archived AS is_deleted,
    instant(lastmodifieddate) AS updated_at
FROM contacts
WHERE lifecyclestage IS NULL
    OR lifecyclestage NOT IN ('subscriber', 'lead', 'marketingqualifiedlead', 'salesqualifiedlead')
UNION ALL
SELECT
    m.merged_id AS contact_id,
    m.created_at AS created_at,
    'true' AS is_deleted,
    m.updated_at AS updated_at,
    '{"merged_into":"' || m.id || '"}' AS extra
FROM (
    SELECT
        unnest(string_to_array(hs_merged_object_ids, ';')) AS merged_id,
        hs_object_id AS id,
        instant(createdate) AS created_at,
        instant(lastmodifieddate) AS updated_at
    FROM contacts
    WHERE hs_merged_object_ids IS NOT NULL
) m
