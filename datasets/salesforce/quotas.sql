-- The forecasting quotas; the end of their period stands in Period.
-- A file quotas.csv with the canonical columns may stand in the same directory.
-- requires: ForecastingQuota(Id, StartDate)
SELECT
    salesforce_id(q.Id) AS quota_id,
    salesforce_id(q.QuotaOwnerId) AS owner_id,
    salesforce_id(q.Territory2Id) AS territory_id,
    CASE WHEN lower(coalesce(q.IsQuantity, 'false')) IN ('true', '1') THEN 'opps_created' ELSE 'bookings' END AS metric,
    q.ProductFamily AS product_family,
    q.StartDate AS period_start,
    p.period_end AS period_end,
    q.QuotaAmount AS amount,
    q.QuotaQuantity AS quantity,
    coalesce(q.CurrencyIsoCode, corporate_currency()) AS currency,
    'individual' AS quota_kind,
    'false' AS ramp_included,
    coalesce(q.SystemModstamp, q.LastModifiedDate) AS updated_at
FROM ForecastingQuota q
LEFT JOIN (
    SELECT salesforce_id(Id) AS period_id, max(EndDate) AS period_end FROM Period GROUP BY salesforce_id(Id)
) p ON p.period_id = salesforce_id(q.PeriodId)
