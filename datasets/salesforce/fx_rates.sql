-- The dated rates of Salesforce are units of a currency for one of the corporate currency (here USD):
-- one unit of the currency is worth one over the rate.
-- requires: DatedConversionRate(IsoCode, StartDate, ConversionRate)
SELECT
    IsoCode AS from_ccy,
    'USD' AS to_ccy,
    StartDate AS valid_from,
    NextStartDate AS valid_to,
    reciprocal(ConversionRate) AS rate,
    salesforce_id(Id) AS source_id,
    coalesce(SystemModstamp, LastModifiedDate) AS updated_at
FROM DatedConversionRate
