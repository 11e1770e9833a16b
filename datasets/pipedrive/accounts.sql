-- The organizations. An owner is a number, or the object that version 1 of the API nests.
-- requires: organizations(id, name)
-- labels: organizations(id = Organization - ID, name = Organization - Name, owner_id = Organization - Owner ID, add_time = Organization - Organization created, update_time = Organization - Update time, address_country = Organization - Country of Address, address_locality = Organization - City/town/village/locality of Address, industry = Organization - Industry, employee_count = Organization - Number of employees, annual_revenue = Organization - Annual revenue, website = Organization - Website)
SELECT
    id AS account_id,
    name AS name,
    regexp_replace(lower(trim(website)), '^(https?://)?(www\.)?([^/:?#]+).*$', '\3') AS domain,
    industry AS industry,
    label AS account_type,
    source AS source,
    employee_count AS employees,
    json_text(annual_revenue, 'value') AS annual_revenue,
    CASE WHEN annual_revenue IS NOT NULL THEN
        coalesce(CASE WHEN annual_revenue LIKE '{%' THEN json_text(annual_revenue, 'currency') END, corporate_currency())
    END AS currency,
    address_country AS country,
    address_admin_area_level_1 AS state,
    address_locality AS city,
    json_text(owner_id, 'id') AS owner_id,
    utc(add_time) AS created_at,
    CASE WHEN flag(coalesce(is_deleted, 'false')) = 'true' OR flag(coalesce(active_flag, 'true')) = 'false'
        THEN 'true' ELSE 'false' END AS is_deleted,
    utc(update_time) AS updated_at
FROM organizations
