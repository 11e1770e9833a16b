-- Which deals are open, as they stood on the day reports are made for?
-- `FROM pipeline_asof(day)` answers for any other day.
--
-- grain: one open deal
-- unit: amount in currency; NULL is unknown
-- unit: list_amount list price of its products, in currency
-- unit: probability_ratio chance of winning (ratio 0 to 1)
-- unit: weighted_amount amount times probability, in currency
-- unit: age_days days since it was opened; stage_days days since it came to its stage
SELECT
    opportunity_id,
    account_id,
    owner_id,
    territory_id,
    pipeline_id,
    stage_id,
    stage_label,
    stage_ordinal,
    forecast_category,
    currency,
    amount,
    list_amount,
    probability_ratio,
    weighted_amount,
    created_on,
    close_date,
    opp_type,
    age_days,
    stage_days,
    is_overdue,
    is_stale,
    as_of
FROM pipeline_asof()
