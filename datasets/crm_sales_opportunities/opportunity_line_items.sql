-- One line a deal: its product once, at the value of the deal. `GTXPro` is `GTX Pro` on the price list.
-- requires: sales_pipeline(opportunity_id, product, close_value)
-- else products: SELECT product_id AS product, list_price AS sales_price FROM crm.products
SELECT
    s.opportunity_id || ':1' AS line_item_id,
    s.opportunity_id AS opportunity_id,
    CASE s.product WHEN 'GTXPro' THEN 'GTX Pro' ELSE s.product END AS product_id,
    '1' AS quantity,
    s.close_value AS unit_price,
    p.list_price AS list_price,
    s.close_value AS total_price,
    'USD' AS currency,
    'one_time' AS billing_period
FROM sales_pipeline s
LEFT JOIN (
    SELECT product, min(TRY_CAST(sales_price AS DECIMAL(18, 2))) AS list_price
    FROM products
    GROUP BY product
) p ON p.product = CASE s.product WHEN 'GTXPro' THEN 'GTX Pro' ELSE s.product END
