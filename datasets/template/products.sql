-- The products, and the price book that sets their prices: it names a product by its code and keeps
-- whatever it does not say.
-- requires: products(product_id, name)
-- requires: price_book(code, list_price)
-- else products: SELECT * FROM crm.products
SELECT
    p.product_id AS product_id,
    p.name AS name,
    p.code AS code,
    p.family AS family,
    p.list_price AS list_price,
    p.currency AS currency,
    p.is_active AS is_active,
    p.source_system AS source_system,
    p.source_id AS source_id,
    p.is_deleted AS is_deleted,
    p.updated_at AS updated_at
FROM products p
UNION ALL
SELECT
    coalesce(b.product_id, p.product_id, b.code) AS product_id,
    coalesce(b.name, p.name) AS name,
    coalesce(b.code, p.code) AS code,
    coalesce(b.family, p.family) AS family,
    coalesce(b.list_price, p.list_price) AS list_price,
    coalesce(b.currency, p.currency, corporate_currency()) AS currency,
    coalesce(flag(b.is_active), p.is_active) AS is_active,
    p.source_system AS source_system,
    p.source_id AS source_id,
    p.is_deleted AS is_deleted,
    coalesce(b.updated_at, p.updated_at) AS updated_at
FROM price_book b
LEFT JOIN (
    SELECT
        coalesce(code, product_id) AS by_code, max(product_id) AS product_id, max(name) AS name, max(code) AS code, max(family) AS family, max(list_price) AS list_price, max(currency) AS currency, max(is_active) AS is_active, max(source_system) AS source_system, max(source_id) AS source_id, max(is_deleted) AS is_deleted, max(updated_at) AS updated_at
    FROM products GROUP BY coalesce(code, product_id)
) p ON p.by_code = b.code
