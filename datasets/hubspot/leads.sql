-- The contacts that are leads, and those that were: HubSpot keeps when each lifecycle stage began.
-- requires: contacts(hs_object_id, lifecyclestage, createdate)
SELECT
    hs_object_id AS lead_id,
    lower(trim(email)) AS email,
    company AS company,
    jobtitle AS title,
    coalesce(hs_lead_status, lifecyclestage) AS status,
    hs_analytics_source AS lead_source,
    industry AS industry,
    numemployees AS employees,
    annualrevenue AS annual_revenue,
    corporate_currency() AS currency,
    country AS country,
    hubspot_owner_id AS owner_id,
    hs_campaign AS campaign_id,
    instant(createdate) AS created_at,
    instant(hs_lifecyclestage_marketingqualifiedlead_date) AS mql_at,
    instant(hs_lifecyclestage_salesqualifiedlead_date) AS sql_at,
    instant(hs_sa_first_engagement_date) AS first_response_at,
    CASE WHEN lifecyclestage IN ('opportunity', 'customer', 'evangelist') THEN 'true' ELSE 'false' END AS is_converted,
    instant(coalesce(hs_lifecyclestage_opportunity_date, hs_lifecyclestage_customer_date)) AS converted_at,
    CASE WHEN lifecyclestage IN ('opportunity', 'customer', 'evangelist') THEN associatedcompanyid END AS converted_account_id,
    CASE WHEN lifecyclestage IN ('opportunity', 'customer', 'evangelist') THEN hs_object_id END AS converted_contact_id,
    CASE WHEN lifecyclestage IN ('opportunity', 'customer', 'evangelist') THEN associateddealid END AS converted_opportunity_id,
    archived AS is_deleted,
    instant(lastmodifieddate) AS updated_at
FROM contacts
WHERE lifecyclestage IN ('subscriber', 'lead', 'marketingqualifiedlead', 'salesqualifiedlead')
    OR hs_lifecyclestage_lead_date IS NOT NULL
    OR hs_lifecyclestage_marketingqualifiedlead_date IS NOT NULL
