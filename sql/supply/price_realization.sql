-- How much of the list price do we get, product by product?
-- Lines of won deals by the month of the win. The net price of a line is its total, or price times
-- quantity where the CRM gives none. Lines without a list price are counted and in no sum.
--
-- grain: product, month, currency
-- unit: list_amount list price times quantity, net_amount what was paid for the same lines, both in
--   currency
-- unit: realization_ratio net over list; discount_ratio 1 less it; negative is above the list price
-- unit: sold_units units of those lines
-- unit: line_count lines in the sums, excluded_count lines without a list price, a price or a
--   quantity (count)
-- unit: is_complete false for the month that is not over on as_of
WITH lines AS (
    SELECT
        l.product_id,
        CAST(date_trunc('month', d.close_date) AS date) AS month_start,
        coalesce(l.currency, d.currency) AS currency,
        l.quantity,
        l.quantity * CAST(l.list_price AS double) AS list,
        coalesce(CAST(l.total_price AS double), l.quantity * CAST(l.unit_price AS double)) AS net
    FROM collect.closed_deals d
    JOIN crm.opportunity_line_items l ON l.opportunity_id = d.opportunity_id AND NOT l.is_deleted
    WHERE d.is_won
),
judged AS (
    SELECT *, coalesce(list > 0 AND net IS NOT NULL, false) AS is_priced FROM lines
),
totals AS (
    SELECT
        product_id,
        month_start,
        currency,
        sum(list) FILTER (WHERE is_priced) AS list,
        sum(net) FILTER (WHERE is_priced) AS net,
        sum(quantity) FILTER (WHERE is_priced) AS sold_units,
        count(*) FILTER (WHERE is_priced) AS line_count,
        count(*) FILTER (WHERE NOT is_priced) AS excluded_count
    FROM judged
    GROUP BY product_id, month_start, currency
)
SELECT
    t.product_id,
    p.name AS product_name,
    p.family AS product_family,
    t.month_start,
    t.currency,
    CAST(t.list AS decimal(18, 2)) AS list_amount,
    CAST(t.net AS decimal(18, 2)) AS net_amount,
    t.net / t.list AS realization_ratio,
    1 - t.net / t.list AS discount_ratio,
    t.sold_units,
    t.line_count,
    t.excluded_count,
    CAST(t.month_start + INTERVAL '1 month' - INTERVAL '1 day' AS date) <= a.as_of AS is_complete
FROM totals t
CROSS JOIN ops.as_of a
LEFT JOIN crm.products p ON p.product_id = t.product_id
