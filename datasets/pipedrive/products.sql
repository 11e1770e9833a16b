-- The products. Of their prices the first counts, in its own currency.
-- requires: products(id, name)
SELECT
    id AS product_id,
    name AS name,
    code AS code,
    category AS family,
    coalesce(json_text(prices, '0.price'), unit_price) AS list_price,
    coalesce(json_text(prices, '0.currency'), currency, corporate_currency()) AS currency,
    flag(coalesce(active_flag, 'true')) AS is_active,
    flag(coalesce(is_deleted, 'false')) AS is_deleted,
    utc(update_time) AS updated_at
FROM products
