-- The lines of the sale orders that hang on deals. A deal can have several quotations for the same thing:
-- confirmed orders count, and without any the latest quotation that was not cancelled. Notes and section
-- titles are lines there too, and none here. Prices are in the order's currency.
-- requires: sale_order_line(id, order_id)
-- requires: sale_order(id, opportunity_id, state)
WITH orders AS (
    SELECT
        id,
        max(opportunity_id) AS deal_id,
        max(currency_id) AS currency_id,
        max(commitment_date) AS delivered_at,
        max(CASE WHEN state IN ('sale', 'done') THEN 'true' ELSE 'false' END) AS is_confirmed,
        max(date_order) AS ordered_at
    FROM sale_order
    WHERE opportunity_id IS NOT NULL AND state <> 'cancel'
    GROUP BY id
),
ranked AS (
    SELECT
        id, deal_id, currency_id, delivered_at, is_confirmed,
        row_number() OVER (
            PARTITION BY deal_id ORDER BY is_confirmed DESC, ordered_at DESC, TRY_CAST(id AS BIGINT) DESC
        ) AS place
    FROM orders
)
SELECT
    l.id AS line_item_id,
    o.deal_id AS opportunity_id,
    l.product_id AS product_id,
    l.product_uom_qty AS quantity,
    CAST(TRY_CAST(l.price_unit AS DECIMAL(18, 6)) * (100 - coalesce(TRY_CAST(l.discount AS DECIMAL(9, 4)), 0)) / 100 AS VARCHAR) AS unit_price,
    l.price_unit AS list_price,
    percent(l.discount) AS discount,
    l.price_subtotal AS total_price,
    coalesce(c.name, corporate_currency()) AS currency,
    substr(o.delivered_at, 1, 10) AS service_date,
    'one_time' AS billing_period,
    CASE WHEN o.is_confirmed = 'true' OR o.place = 1 THEN 'false' ELSE 'true' END AS is_deleted,
    utc(l.write_date) AS updated_at
FROM sale_order_line l
JOIN ranked o ON o.id = l.order_id
LEFT JOIN (SELECT id, max(name) AS name FROM res_currency GROUP BY id) c ON c.id = o.currency_id
WHERE l.display_type IS NULL
