-- Which deals are won or lost, and what was each about?
-- A deal counts from its close date on: one marked won for a day to come is still pipeline.
--
-- grain: one closed deal
-- unit: amount in currency; NULL is unknown
-- unit: cycle_days days from the opening of the deal to its close; NULL if unknown or negative
-- unit: main_product_id product with the largest share of the deal
WITH lines AS (
    SELECT
        opportunity_id,
        product_id,
        row_number() OVER (
            PARTITION BY opportunity_id ORDER BY sum(total_price) DESC NULLS LAST, product_id
        ) AS place
    FROM crm.opportunity_line_items
    WHERE NOT is_deleted AND product_id IS NOT NULL
    GROUP BY opportunity_id, product_id
)
SELECT
    o.opportunity_id,
    o.owner_id,
    o.account_id,
    o.territory_id,
    o.is_won,
    o.amount,
    o.currency,
    CAST(o.created_at AS date) AS created_on,
    o.close_date,
    CAST(date_trunc('quarter', o.close_date) AS date) AS quarter_start,
    CASE WHEN o.close_date >= CAST(o.created_at AS date) THEN o.close_date - CAST(o.created_at AS date) END AS cycle_days,
    o.opp_type,
    o.lead_source,
    o.loss_reason,
    l.product_id AS main_product_id
FROM crm.opportunities o
CROSS JOIN ops.as_of a
LEFT JOIN lines l ON l.opportunity_id = o.opportunity_id AND l.place = 1
WHERE o.is_closed AND NOT o.is_deleted AND o.close_date <= a.as_of
