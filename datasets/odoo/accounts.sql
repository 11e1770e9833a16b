-- The companies among the partners. Names of countries and industries are translated there: English counts.
-- requires: res_partner(id, name, is_company)
SELECT
    p.id AS account_id,
    p.name AS name,
    regexp_replace(lower(trim(p.website)), '^(https?://)?(www\.)?([^/:?#]+).*$', '\3') AS domain,
    i.name AS industry,
    CASE WHEN TRY_CAST(p.customer_rank AS BIGINT) > 0 THEN 'customer'
        WHEN TRY_CAST(p.supplier_rank AS BIGINT) > 0 THEN 'supplier' ELSE 'prospect' END AS account_type,
    c.name AS country,
    s.name AS state,
    p.city AS city,
    p.user_id AS owner_id,
    p.parent_id AS parent_account_id,
    p.team_id AS territory_id,
    utc(p.create_date) AS created_at,
    CASE WHEN flag(coalesce(p.active, 'true')) = 'false' THEN 'true' ELSE 'false' END AS is_deleted,
    utc(p.write_date) AS updated_at
FROM res_partner p
LEFT JOIN (
    SELECT id, max(json_text(name, 'en_US')) AS name FROM res_partner_industry GROUP BY id
) i ON i.id = p.industry_id
LEFT JOIN (SELECT id, max(json_text(name, 'en_US')) AS name FROM res_country GROUP BY id) c ON c.id = p.country_id
LEFT JOIN (SELECT id, max(name) AS name FROM res_country_state GROUP BY id) s ON s.id = p.state_id
WHERE flag(p.is_company) = 'true'
