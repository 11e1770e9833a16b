-- The forecasts as they stood when they were exported: what the deals add up to (system), with the
-- rep's adjustments (rep) and with the managers' too (manager).
-- requires: ForecastingItem(OwnerId, PeriodId, ForecastCategoryName, ForecastAmount)
SELECT
    day(coalesce(i.LastModifiedDate, i.SystemModstamp)) AS as_of,
    salesforce_id(i.OwnerId) AS scope_id,
    p.period_start AS period_start,
    CASE lower(replace(replace(i.ForecastCategoryName, ' ', ''), '_', ''))
        WHEN 'omitted' THEN 'omitted' WHEN 'pipeline' THEN 'pipeline'
        WHEN 'bestcase' THEN 'best_case' WHEN 'mostlikely' THEN 'most_likely'
        WHEN 'forecast' THEN 'commit' WHEN 'commit' THEN 'commit' WHEN 'closed' THEN 'closed'
        ELSE i.ForecastCategoryName
    END AS category,
    'manager' AS layer,
    i.ForecastAmount AS amount,
    coalesce(i.CurrencyIsoCode, corporate_currency()) AS currency,
    'salesforce' AS method,
    salesforce_id(i.Id) AS source_id,
    coalesce(i.SystemModstamp, i.LastModifiedDate) AS updated_at
FROM ForecastingItem i
LEFT JOIN (
    SELECT salesforce_id(Id) AS period_id, max(StartDate) AS period_start FROM Period GROUP BY salesforce_id(Id)
) p ON p.period_id = salesforce_id(i.PeriodId)
UNION ALL
SELECT
    day(coalesce(i.LastModifiedDate, i.SystemModstamp)) AS as_of,
    salesforce_id(i.OwnerId) AS scope_id,
    p.period_start AS period_start,
    CASE lower(replace(replace(i.ForecastCategoryName, ' ', ''), '_', ''))
        WHEN 'omitted' THEN 'omitted' WHEN 'pipeline' THEN 'pipeline'
        WHEN 'bestcase' THEN 'best_case' WHEN 'mostlikely' THEN 'most_likely'
        WHEN 'forecast' THEN 'commit' WHEN 'commit' THEN 'commit' WHEN 'closed' THEN 'closed'
        ELSE i.ForecastCategoryName
    END AS category,
    'rep' AS layer,
    i.AmountWithoutManagerAdjustment AS amount,
    coalesce(i.CurrencyIsoCode, corporate_currency()) AS currency,
    'salesforce' AS method,
    salesforce_id(i.Id) AS source_id,
    coalesce(i.SystemModstamp, i.LastModifiedDate) AS updated_at
FROM ForecastingItem i
LEFT JOIN (
    SELECT salesforce_id(Id) AS period_id, max(StartDate) AS period_start FROM Period GROUP BY salesforce_id(Id)
) p ON p.period_id = salesforce_id(i.PeriodId)
WHERE i.AmountWithoutManagerAdjustment IS NOT NULL
UNION ALL
SELECT
    day(coalesce(i.LastModifiedDate, i.SystemModstamp)) AS as_of,
    salesforce_id(i.OwnerId) AS scope_id,
    p.period_start AS period_start,
    CASE lower(replace(replace(i.ForecastCategoryName, ' ', ''), '_', ''))
        WHEN 'omitted' THEN 'omitted' WHEN 'pipeline' THEN 'pipeline'
        WHEN 'bestcase' THEN 'best_case' WHEN 'mostlikely' THEN 'most_likely'
        WHEN 'forecast' THEN 'commit' WHEN 'commit' THEN 'commit' WHEN 'closed' THEN 'closed'
        ELSE i.ForecastCategoryName
    END AS category,
    'system' AS layer,
    i.AmountWithoutAdjustments AS amount,
    coalesce(i.CurrencyIsoCode, corporate_currency()) AS currency,
    'salesforce' AS method,
    salesforce_id(i.Id) AS source_id,
    coalesce(i.SystemModstamp, i.LastModifiedDate) AS updated_at
FROM ForecastingItem i
LEFT JOIN (
    SELECT salesforce_id(Id) AS period_id, max(StartDate) AS period_start FROM Period GROUP BY salesforce_id(Id)
) p ON p.period_id = salesforce_id(i.PeriodId)
WHERE i.AmountWithoutAdjustments IS NOT NULL
