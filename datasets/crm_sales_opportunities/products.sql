-- The price list. A product's name is its id.
-- requires: products(product, sales_price)
SELECT
    product AS product_id,
    product AS name,
    series AS family,
    sales_price AS list_price,
    'USD' AS currency,
    'true' AS is_active
FROM products
