-- What is each won or lost deal worth in the corporate currency?
-- At the rate that held on its close date. Where no rate of that day is known the amount is NULL, and
-- a total of such amounts is not the total: count them.
--
-- grain: one closed deal
-- unit: amount in currency; NULL is unknown
-- unit: corporate_amount amount in corporate_currency, to the cent; NULL without amount or rate
-- unit: fx_rate units of corporate_currency for one of currency, on fx_on; NULL if not known
-- unit: fx_on day of the rate, the close date; fx_valid_from first day of the rate that held then
-- unit: fx_basis 'same' for the corporate currency itself, 'direct', 'inverse'; NULL without a rate
SELECT
    d.opportunity_id,
    d.owner_id,
    d.account_id,
    d.territory_id,
    d.is_won,
    d.amount,
    d.currency,
    corporate_currency() AS corporate_currency,
    CASE
        WHEN d.currency = corporate_currency() THEN d.amount
        ELSE CAST(convert_currency(CAST(d.amount AS double), f.rate) AS decimal(18, 2))
    END AS corporate_amount,
    CASE WHEN d.currency = corporate_currency() THEN 1 ELSE f.rate END AS fx_rate,
    d.close_date AS fx_on,
    f.valid_from AS fx_valid_from,
    CASE WHEN d.currency = corporate_currency() THEN 'same' ELSE f.basis END AS fx_basis,
    d.close_date,
    d.quarter_start
FROM collect.closed_deals d
LEFT JOIN ops.fx_rates f
    ON f.currency = d.currency
    AND d.close_date >= f.valid_from
    AND (f.valid_to IS NULL OR d.close_date < f.valid_to)
