-- What people did with e-mails and forms. An event names a recipient: the contact, and the lead, of that
-- address. HubSpot marks the clicks of bots and of own staff as filtered.
-- requires: email_events(id, type, created)
-- requires: form_submissions(conversionId, submittedAt)
-- else contacts: SELECT contact_id AS hs_object_id, email AS email, 'customer' AS lifecyclestage FROM crm.contacts UNION ALL SELECT lead_id AS hs_object_id, email AS email, 'lead' AS lifecyclestage FROM crm.leads
SELECT
    'email:' || e.id AS event_id,
    p.lead_id AS lead_id,
    p.contact_id AS contact_id,
    'email_' || lower(e.type) AS event_type,
    instant(e.created) AS occurred_at,
    e.emailCampaignId AS asset,
    e.url AS url,
    e.filteredEvent AS is_filtered,
    e.id AS source_id
FROM email_events e
LEFT JOIN (
    SELECT
        lower(trim(email)) AS email,
        max(CASE WHEN lifecyclestage IN ('subscriber', 'lead', 'marketingqualifiedlead', 'salesqualifiedlead')
            THEN hs_object_id END) AS lead_id,
        max(CASE WHEN lifecyclestage IN ('subscriber', 'lead', 'marketingqualifiedlead', 'salesqualifiedlead')
            THEN NULL ELSE hs_object_id END) AS contact_id
    FROM contacts
    WHERE email IS NOT NULL
    GROUP BY lower(trim(email))
) p ON p.email = lower(trim(e.recipient))
UNION ALL
SELECT
    'form:' || f.conversionId AS event_id,
    p.lead_id AS lead_id,
    p.contact_id AS contact_id,
    'form_submit' AS event_type,
    instant(f.submittedAt) AS occurred_at,
    f.formId AS asset,
    f.pageUrl AS url,
    f.conversionId AS source_id
FROM form_submissions f
LEFT JOIN (
    SELECT
        lower(trim(email)) AS email,
        max(CASE WHEN lifecyclestage IN ('subscriber', 'lead', 'marketingqualifiedlead', 'salesqualifiedlead')
            THEN hs_object_id END) AS lead_id,
        max(CASE WHEN lifecyclestage IN ('subscriber', 'lead', 'marketingqualifiedlead', 'salesqualifiedlead')
            THEN NULL ELSE hs_object_id END) AS contact_id
    FROM contacts
    WHERE email IS NOT NULL
    GROUP BY lower(trim(email))
) p ON p.email = lower(trim(f.email))
