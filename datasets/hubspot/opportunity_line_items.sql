-- The line items; `associateddealid` is the deal they hang on. The term is an ISO period such as P12M.
-- requires: line_items(hs_object_id, associateddealid)
SELECT
    hs_object_id AS line_item_id,
    associateddealid AS opportunity_id,
    hs_product_id AS product_id,
    quantity AS quantity,
    price AS unit_price,
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
