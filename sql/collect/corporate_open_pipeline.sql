-- What is each open deal worth in the corporate currency?
-- At the rate of its close date, or of the day reports are made for if it closes later: the rates of
-- days to come are not known yet. Where no rate of the day is known the amount is NULL.
--
-- grain: one open deal
-- unit: amount, weighted_amount in currency; NULL is unknown
-- unit: corporate_amount amount, corporate_weighted_amount amount times probability, both in
--   corporate_currency, to the cent; NULL without amount or rate
-- unit: probability_ratio chance of winning (ratio 0 to 1)
-- unit: fx_rate units of corporate_currency for one of currency, on fx_on; NULL if not known
-- unit: fx_on day of the rate; fx_valid_from first day of the rate that held then
-- unit: fx_basis 'same' for the corporate currency itself, 'direct', 'inverse'; NULL without a rate
WITH deals AS (
    SELECT *, coalesce(least(close_date, as_of), as_of) AS fx_on FROM collect.open_pipeline
)
SELECT
    d.opportunity_id,
    d.owner_id,
    d.account_id,
    d.territory_id,
    d.pipeline_id,
    d.stage_id,
    d.stage_label,
    d.stage_ordinal,
    d.forecast_category,
    d.amount,
    d.weighted_amount,
    d.currency,
    corporate_currency() AS corporate_currency,
    CASE
        WHEN d.currency = corporate_currency() THEN d.amount
        ELSE CAST(convert_currency(CAST(d.amount AS double), f.rate) AS decimal(18, 2))
    END AS corporate_amount,
    CASE
        WHEN d.currency = corporate_currency() THEN d.weighted_amount
        ELSE CAST(
            convert_currency(CAST(d.amount AS double) * d.probability_ratio, f.rate)
            AS decimal(18, 2)
        )
    END AS corporate_weighted_amount,
    d.probability_ratio,
    CASE WHEN d.currency = corporate_currency() THEN 1 ELSE f.rate END AS fx_rate,
    d.fx_on,
    f.valid_from AS fx_valid_from,
    CASE WHEN d.currency = corporate_currency() THEN 'same' ELSE f.basis END AS fx_basis,
    d.close_date,
    d.as_of
FROM deals d
LEFT JOIN ops.fx_rates f
    ON f.currency = d.currency
    AND d.fx_on >= f.valid_from
    AND (f.valid_to IS NULL OR d.fx_on < f.valid_to)
