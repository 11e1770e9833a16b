-- The line items; `associateddealid` is the deal they hang on. `price` is before the discount, which is a
-- percentage or an amount a unit. The term is an ISO period such as P12M.
-- requires: line_items(hs_object_id, associateddealid)
SELECT
    hs_object_id AS line_item_id,
    associateddealid AS opportunity_id,
    hs_product_id AS product_id,
    quantity AS quantity,
    CASE
        WHEN hs_discount_percentage IS NOT NULL AND TRY_CAST(hs_discount_percentage AS DECIMAL(9, 4)) IS NOT NULL
            THEN CAST(TRY_CAST(price AS DECIMAL(18, 6)) * (100 - TRY_CAST(hs_discount_percentage AS DECIMAL(9, 4))) / 100 AS VARCHAR)
        WHEN TRY_CAST(discount AS DECIMAL(18, 6)) IS NOT NULL
            THEN CAST(TRY_CAST(price AS DECIMAL(18, 6)) - TRY_CAST(discount AS DECIMAL(18, 6)) AS VARCHAR)
        ELSE price
    END AS unit_price,
    price AS list_price,
    percent(hs_discount_percentage) AS discount,
    amount AS total_price,
    coalesce(hs_line_item_currency_code, corporate_currency()) AS currency,
    day(instant(hs_recurring_billing_start_date)) AS service_date,
    months(hs_recurring_billing_period) AS term_months,
    CASE recurringbillingfrequency
        WHEN 'monthly' THEN 'monthly' WHEN 'quarterly' THEN 'quarterly'
        WHEN 'annually' THEN 'yearly' ELSE coalesce(recurringbillingfrequency, 'one_time')
    END AS billing_period,
    archived AS is_deleted,
    instant(hs_lastmodifieddate) AS updated_at
FROM line_items
