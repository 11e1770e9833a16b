-- What is in the pipeline on the day reports are made for, by stage?
-- Set `runrate.as_of` to see an earlier day.
--
-- grain: as_of, pipeline, stage, forecast category, currency
-- unit: deal_count, unpriced_count, overdue_count, stale_count deals (count)
-- unit: amount sum of the known amounts, in currency; unpriced_count deals have none
-- unit: unpriced_list_amount list price of the products on deals without an amount, in currency
-- unit: weighted_amount sum of amount times probability, a deal at a time, in currency
-- unit: mean_age_days days since the deals were opened
SELECT
    as_of,
    pipeline_id,
    stage_id,
    stage_label,
    stage_ordinal,
    forecast_category,
    currency,
    count(*) AS deal_count,
    sum(amount) AS amount,
    sum(weighted_amount) AS weighted_amount,
    count(*) FILTER (WHERE amount IS NULL) AS unpriced_count,
    sum(list_amount) FILTER (WHERE amount IS NULL) AS unpriced_list_amount,
    avg(age_days) AS mean_age_days,
    count(*) FILTER (WHERE is_overdue) AS overdue_count,
    count(*) FILTER (WHERE is_stale) AS stale_count
FROM collect.open_pipeline
GROUP BY as_of, pipeline_id, stage_id, stage_label, stage_ordinal, forecast_category, currency
