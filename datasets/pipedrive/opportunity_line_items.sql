-- The products on deals. A discount is a percentage unless its type says amount.
-- requires: deal_products(id, deal_id)
SELECT
    id AS line_item_id,
    deal_id AS opportunity_id,
    product_id AS product_id,
    quantity AS quantity,
    CASE WHEN coalesce(discount_type, 'percentage') = 'percentage' AND TRY_CAST(discount AS DOUBLE) <> 0
        THEN CAST(TRY_CAST(item_price AS DECIMAL(18, 6)) * (100 - TRY_CAST(discount AS DECIMAL(9, 4))) / 100 AS VARCHAR)
        ELSE item_price END AS unit_price,
    item_price AS list_price,
    CASE WHEN coalesce(discount_type, 'percentage') = 'percentage' THEN percent(discount)
        WHEN TRY_CAST(item_price AS DOUBLE) * TRY_CAST(quantity AS DOUBLE) > 0
        THEN CAST(TRY_CAST(discount AS DOUBLE) / (TRY_CAST(item_price AS DOUBLE) * TRY_CAST(quantity AS DOUBLE)) AS VARCHAR)
    END AS discount,
    sum AS total_price,
    coalesce(currency, corporate_currency()) AS currency,
    billing_start_date AS service_date,
    CASE billing_frequency WHEN 'monthly' THEN billing_frequency_cycles
        WHEN 'quarterly' THEN CAST(TRY_CAST(billing_frequency_cycles AS BIGINT) * 3 AS VARCHAR)
        WHEN 'annually' THEN CAST(TRY_CAST(billing_frequency_cycles AS BIGINT) * 12 AS VARCHAR)
    END AS term_months,
    CASE coalesce(billing_frequency, 'one-time') WHEN 'one-time' THEN 'one_time'
        WHEN 'annually' THEN 'yearly' ELSE billing_frequency END AS billing_period,
    CASE WHEN flag(coalesce(is_enabled, enabled_flag, 'true')) = 'false' THEN 'true' ELSE 'false' END AS is_deleted,
    utc(coalesce(update_time, last_edit, add_time)) AS updated_at
FROM deal_products
