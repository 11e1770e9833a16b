-- The dated rates of Salesforce are units of a currency for one of the corporate currency, which
-- CurrencyType names: one unit of the currency is worth one over the rate.
-- requires: DatedConversionRate(IsoCode, StartDate, ConversionRate)
SELECT
    r.IsoCode AS from_ccy,
    coalesce(c.iso_code, corporate_currency()) AS to_ccy,
    r.StartDate AS valid_from,
    CASE WHEN r.NextStartDate LIKE '9999%' THEN NULL ELSE r.NextStartDate END AS valid_to,
    reciprocal(r.ConversionRate) AS rate,
    salesforce_id(r.Id) AS source_id,
    coalesce(r.SystemModstamp, r.LastModifiedDate) AS updated_at
FROM DatedConversionRate r
LEFT JOIN (
    SELECT max(IsoCode) AS iso_code FROM CurrencyType WHERE lower(IsCorporate) IN ('true', '1')
) c ON true
