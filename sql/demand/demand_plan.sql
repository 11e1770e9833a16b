-- How many units of each product will be asked for, where and when?
-- The plan of a product is the forecast of the units it sold a month, shared out to regions as they
-- bought it in the year until `as_of`, at the mean net price of that year. What open deals hold of
-- it stands beside, by probability. The month of as_of is no history yet. On the last day of a
-- month it has ended: it has no plan, only what is open of it. A product that sold nothing in the
-- year has no share and no plan; its open deals are there.
--
-- grain: month from that of as_of on, product, region (NULL if the deals name none), currency
-- unit: plan_units, pipeline_units units; plan_amount, pipeline_amount in currency, net of
--   discounts
-- unit: share_ratio share of the region in the product's units of the year (ratio)
-- unit: plan_method how the product was forecast
WITH sales AS (
    SELECT
        l.product_id,
        r.region,
        d.currency,
        d.close_date,
        l.quantity AS units,
        -- Lines in another currency than the deal's are no part of a price in it.
        CASE WHEN coalesce(l.currency, d.currency) = d.currency THEN
            coalesce(CAST(l.total_price AS double), l.quantity * CAST(l.unit_price AS double))
        END AS net,
        a.as_of,
        a.as_of - d.close_date < 365 AS is_recent
    FROM collect.closed_deals d
    CROSS JOIN ops.as_of a
    JOIN crm.opportunity_line_items l ON l.opportunity_id = d.opportunity_id AND NOT l.is_deleted
    LEFT JOIN crm.territories r ON r.territory_id = d.territory_id
    WHERE d.is_won AND l.product_id IS NOT NULL AND l.quantity IS NOT NULL
),
steps AS (
    SELECT
        product_id,
        currency,
        unnest(forecast(
            close_date, units, 12, 'auto', 0, 12, 0, as_of, 'zero', 'month', 'drop'
        )) AS step
    FROM sales
    GROUP BY product_id, currency
),
futures AS (
    -- Keys made anew: GROUP BY takes those of a group for unique even where unnest repeats them.
    SELECT
        concat(product_id) AS product_id,
        concat(currency) AS currency,
        CAST(step['ds'] AS date) AS month_start,
        step['yhat'] AS units,
        step['method'] AS method
    FROM steps
    WHERE step['ds'] IS NOT NULL
),
regions AS (
    SELECT
        product_id,
        region,
        currency,
        sum(units) AS units,
        sum(units) FILTER (WHERE net IS NOT NULL) AS priced_units,
        sum(net) AS net
    FROM sales
    WHERE is_recent
    GROUP BY product_id, region, currency
),
shares AS (
    SELECT
        product_id,
        region,
        currency,
        units / nullif(sum(units) OVER (PARTITION BY product_id, currency), 0) AS share,
        sum(net) OVER (PARTITION BY product_id, currency)
            / nullif(sum(priced_units) OVER (PARTITION BY product_id, currency), 0) AS price
    FROM regions
),
parts AS (
    SELECT
        f.month_start,
        s.product_id,
        s.region,
        s.currency,
        f.units * s.share AS plan_units,
        f.units * s.share * s.price AS plan_amount,
        s.share,
        f.method AS plan_method,
        CAST(0 AS double) AS pipeline_units,
        CAST(0 AS double) AS pipeline_amount
    FROM futures f
    JOIN shares s ON s.product_id = f.product_id AND s.currency = f.currency
    WHERE s.share IS NOT NULL
    UNION ALL
    SELECT
        CAST(date_trunc('month', o.close_date) AS date),
        l.product_id,
        r.region,
        o.currency,
        NULL,
        NULL,
        NULL,
        NULL,
        l.quantity * o.probability_ratio,
        CASE WHEN coalesce(l.currency, o.currency) = o.currency THEN
            coalesce(CAST(l.total_price AS double), l.quantity * CAST(l.unit_price AS double))
                * o.probability_ratio
        END
    FROM collect.open_pipeline o
    JOIN crm.opportunity_line_items l ON l.opportunity_id = o.opportunity_id AND NOT l.is_deleted
    LEFT JOIN crm.territories r ON r.territory_id = o.territory_id
    WHERE l.product_id IS NOT NULL
        AND l.quantity IS NOT NULL
        AND o.close_date >= CAST(date_trunc('month', o.as_of) AS date)
        AND o.close_date < CAST(date_trunc('month', o.as_of) + INTERVAL '12 months' AS date)
),
totals AS (
    SELECT
        month_start,
        product_id,
        region,
        currency,
        max(plan_units) AS plan_units,
        max(plan_amount) AS plan_amount,
        max(share) AS share_ratio,
        max(plan_method) AS plan_method,
        sum(pipeline_units) AS pipeline_units,
        sum(pipeline_amount) AS pipeline_amount
    FROM parts
    GROUP BY month_start, product_id, region, currency
)
SELECT
    t.month_start,
    t.product_id,
    p.name AS product_name,
    t.region,
    t.currency,
    t.plan_units,
    CAST(t.plan_amount AS decimal(18, 2)) AS plan_amount,
    t.share_ratio,
    t.plan_method,
    t.pipeline_units,
    CAST(t.pipeline_amount AS decimal(18, 2)) AS pipeline_amount
FROM totals t
LEFT JOIN crm.products p ON p.product_id = t.product_id
