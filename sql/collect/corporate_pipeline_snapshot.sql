-- What is in the pipeline by stage, all currencies in the corporate one?
-- A total that a deal is missing from, for want of a rate, is NULL and not a smaller number:
-- `converted_amount` is what could be converted, `unconverted_currencies` what could not.
--
-- grain: as_of, pipeline, stage, forecast category
-- unit: amount, weighted_amount in corporate_currency; NULL if a deal has an amount and no rate
-- unit: converted_amount in corporate_currency, of the deals that have a rate
-- unit: deal_count, unpriced_count, unconverted_count deals (count); unpriced have no amount,
--   unconverted an amount and no rate
-- unit: currency_count currencies of the deals (count); more than 1 is a mixed total
-- unit: unconverted_currencies codes without a rate on the day that was needed, comma-separated
SELECT
    as_of,
    pipeline_id,
    stage_id,
    stage_label,
    stage_ordinal,
    forecast_category,
    corporate_currency,
    count(*) AS deal_count,
    CASE WHEN count(amount) = count(corporate_amount) THEN sum(corporate_amount) END AS amount,
    CASE WHEN count(amount) = count(corporate_amount) THEN sum(corporate_weighted_amount) END
        AS weighted_amount,
    sum(corporate_amount) AS converted_amount,
    count(*) FILTER (WHERE amount IS NULL) AS unpriced_count,
    count(amount) - count(corporate_amount) AS unconverted_count,
    count(DISTINCT currency) AS currency_count,
    string_agg(DISTINCT currency, ', ' ORDER BY currency)
        FILTER (WHERE amount IS NOT NULL AND fx_rate IS NULL)
        AS unconverted_currencies
FROM collect.corporate_open_pipeline
GROUP BY
    as_of, pipeline_id, stage_id, stage_label, stage_ordinal, forecast_category, corporate_currency
