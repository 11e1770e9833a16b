-- The companies. A company that was merged into another stays, marked deleted, with `merged_into`.
-- requires: companies(hs_object_id, name)
-- labels: companies(hs_object_id = Record ID, name = Company name, domain = Company Domain Name, numberofemployees = Number of Employees, annualrevenue = Annual Revenue, founded_year = Year Founded, hubspot_owner_id = Company owner ID, createdate = Create Date, hs_lastmodifieddate = Last Modified Date, hs_parent_company_id = Parent Company ID, hs_analytics_source = Original Source Type, hs_merged_object_ids = Merged object IDs)
SELECT
    hs_object_id AS account_id,
    coalesce(name, domain) AS name,
    lower(domain) AS domain,
    industry AS industry,
    type AS account_type,
    hs_analytics_source AS source,
    numberofemployees AS employees,
    annualrevenue AS annual_revenue,
    coalesce(hs_annual_revenue_currency_code, corporate_currency()) AS currency,
    founded_year AS founded_year,
    country AS country,
    state AS state,
    city AS city,
    hubspot_owner_id AS owner_id,
    hs_parent_company_id AS parent_account_id,
    hs_ideal_customer_profile AS segment,
    instant(createdate) AS created_at,
    archived AS is_deleted,
    instant(hs_lastmodifieddate) AS updated_at
FROM companies
UNION ALL
SELECT
    m.merged_id AS account_id,
    m.called AS name,
    m.created_at AS created_at,
    'true' AS is_deleted,
    m.updated_at AS updated_at,
    '{"merged_into":"' || m.id || '"}' AS extra
FROM (
    SELECT
        unnest(string_to_array(hs_merged_object_ids, ';')) AS merged_id,
        hs_object_id AS id,
        coalesce(name, domain) AS called,
        instant(createdate) AS created_at,
        instant(hs_lastmodifieddate) AS updated_at
    FROM companies
    WHERE hs_merged_object_ids IS NOT NULL
) m
