-- The products: each variant, with what it has from its template. Prices are in the currency of the company.
-- requires: product_product(id, product_tmpl_id)
SELECT
    p.id AS product_id,
    coalesce(t.name, p.default_code, p.id) AS name,
    coalesce(p.default_code, t.code) AS code,
    c.name AS family,
    t.list_price AS list_price,
    coalesce(y.currency, corporate_currency()) AS currency,
    CASE WHEN flag(coalesce(p.active, 'true')) = 'true' AND coalesce(t.active, 'true') = 'true'
        THEN 'true' ELSE 'false' END AS is_active,
    utc(greatest(p.write_date, t.changed_at)) AS updated_at
FROM product_product p
LEFT JOIN (
    SELECT
        id, max(json_text(name, 'en_US')) AS name, max(default_code) AS code, max(list_price) AS list_price,
        max(categ_id) AS categ_id, max(company_id) AS company_id, max(flag(active)) AS active,
        max(write_date) AS changed_at
    FROM product_template GROUP BY id
) t ON t.id = p.product_tmpl_id
LEFT JOIN (SELECT id, max(coalesce(complete_name, name)) AS name FROM product_category GROUP BY id) c ON c.id = t.categ_id
LEFT JOIN (
    SELECT n.id AS id, max(c.name) AS currency
    FROM res_company n LEFT JOIN res_currency c ON c.id = n.currency_id GROUP BY n.id
) y ON y.id = t.company_id
