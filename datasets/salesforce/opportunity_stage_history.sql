-- The recorded states of deals: each lasts until the next one of the same deal begins.
-- requires: OpportunityHistory(OpportunityId, CreatedDate, StageName)
SELECT
    salesforce_id(h.OpportunityId) AS opportunity_id,
    h.CreatedDate AS valid_from,
    n.valid_to AS valid_to,
    h.StageName AS stage_id,
    h.Amount AS amount,
    coalesce(h.CurrencyIsoCode, 'USD') AS currency,
    percent(h.Probability) AS probability,
    h.CloseDate AS close_date,
    CASE h.ForecastCategory
        WHEN 'Omitted' THEN 'omitted' WHEN 'Pipeline' THEN 'pipeline'
        WHEN 'BestCase' THEN 'best_case' WHEN 'MostLikely' THEN 'most_likely'
        WHEN 'Forecast' THEN 'commit' WHEN 'Closed' THEN 'closed'
    END AS forecast_category,
    salesforce_id(h.CreatedById) AS changed_by,
    'recorded' AS history_quality,
    salesforce_id(h.Id) AS source_id,
    h.IsDeleted AS is_deleted,
    h.SystemModstamp AS updated_at
FROM OpportunityHistory h
LEFT JOIN (
    SELECT
        opportunity_id,
        started,
        lead(started) OVER (PARTITION BY opportunity_id ORDER BY instant(started)) AS valid_to
    FROM (
        SELECT DISTINCT salesforce_id(OpportunityId) AS opportunity_id, CreatedDate AS started
        FROM OpportunityHistory
    ) d
) n ON n.opportunity_id = salesforce_id(h.OpportunityId) AND n.started = h.CreatedDate
