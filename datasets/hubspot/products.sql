-- The products.
-- requires: products(hs_object_id, name)
SELECT
    hs_object_id AS product_id,
    name AS name,
    hs_sku AS code,
    hs_product_type AS family,
    price AS list_price,
    coalesce(hs_price_currency_code, corporate_currency()) AS currency,
    CASE lower(archived) WHEN 'true' THEN 'false' ELSE 'true' END AS is_active,
    archived AS is_deleted,
    instant(hs_lastmodifieddate) AS updated_at
FROM products
