-- The recorded states of deals: each lasts until the next one of the same deal begins.
-- OpportunityHistory has no owner: that comes from OpportunityFieldHistory, where a change of owner is
-- a state of its own, or, for a deal that never changed hands, from the deal. A change of a look-up
-- field is kept twice there, once with ids and once with names: the ids count.
-- requires: OpportunityHistory(OpportunityId, CreatedDate, StageName)
-- requires: OpportunityFieldHistory(OpportunityId, CreatedDate, Field, OldValue, NewValue)
-- labels: OpportunityHistory(Id = Opportunity History ID, StageName = Stage, Probability = Probability (%), IsDeleted = Deleted)
-- labels: OpportunityFieldHistory(OldValue = Old Value, NewValue = New Value, IsDeleted = Deleted)
-- else Opportunity: SELECT opportunity_id AS Id, owner_id AS OwnerId FROM crm.opportunities
-- else OpportunityHistory: SELECT opportunity_id AS OpportunityId, valid_from AS CreatedDate, stage_id AS StageName, amount AS Amount, currency AS CurrencyIsoCode, probability * 100 AS Probability, close_date AS CloseDate, forecast_category AS ForecastCategory FROM crm.opportunity_stage_history WHERE history_quality = 'recorded'
WITH moments AS (
    SELECT
        opportunity_id,
        at,
        max(state_at) AS state_at,
        max(owner_id) AS owner_id,
        max(owner_before) AS owner_before
    FROM (
        SELECT
            salesforce_id(OpportunityId) AS opportunity_id,
            instant(CreatedDate) AS at,
            instant(CreatedDate) AS state_at,
            CAST(NULL AS VARCHAR) AS owner_id,
            CAST(NULL AS VARCHAR) AS owner_before
        FROM OpportunityHistory
        UNION ALL
        SELECT
            salesforce_id(OpportunityId) AS opportunity_id,
            instant(CreatedDate) AS at,
            CAST(NULL AS VARCHAR) AS state_at,
            salesforce_id(NewValue) AS owner_id,
            salesforce_id(OldValue) AS owner_before
        FROM OpportunityFieldHistory
        WHERE Field IN ('Owner', 'OwnerId') AND (NewValue LIKE '005%' OR NewValue LIKE '00G%')
    ) c
    GROUP BY opportunity_id, at
),
spans AS (
    SELECT
        opportunity_id,
        at,
        lead(at) OVER (PARTITION BY opportunity_id ORDER BY at) AS until,
        last_value(state_at) IGNORE NULLS OVER (
            PARTITION BY opportunity_id ORDER BY at
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS state_at,
        coalesce(
            last_value(owner_id) IGNORE NULLS OVER (
                PARTITION BY opportunity_id ORDER BY at
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ),
            first_value(owner_before) IGNORE NULLS OVER (
                PARTITION BY opportunity_id ORDER BY at
                ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
            )
        ) AS owner_id
    FROM moments
)
SELECT
    salesforce_id(h.OpportunityId) AS opportunity_id,
    h.CreatedDate AS valid_from,
    s.until AS valid_to,
    h.StageName AS stage_id,
    h.Amount AS amount,
    coalesce(h.CurrencyIsoCode, corporate_currency()) AS currency,
    percent(h.Probability) AS probability,
    h.CloseDate AS close_date,
    CASE lower(replace(replace(h.ForecastCategory, ' ', ''), '_', ''))
        WHEN 'omitted' THEN 'omitted' WHEN 'pipeline' THEN 'pipeline'
        WHEN 'bestcase' THEN 'best_case' WHEN 'mostlikely' THEN 'most_likely'
        WHEN 'forecast' THEN 'commit' WHEN 'commit' THEN 'commit' WHEN 'closed' THEN 'closed'
        ELSE h.ForecastCategory
    END AS forecast_category,
    coalesce(s.owner_id, o.owner_id) AS owner_id,
    salesforce_id(h.CreatedById) AS changed_by,
    'recorded' AS history_quality,
    salesforce_id(h.Id) AS source_id,
    h.IsDeleted AS is_deleted,
    h.SystemModstamp AS updated_at
FROM OpportunityHistory h
LEFT JOIN spans s
    ON s.opportunity_id = salesforce_id(h.OpportunityId) AND s.at = instant(h.CreatedDate)
LEFT JOIN (
    SELECT salesforce_id(Id) AS opportunity_id, max(salesforce_id(OwnerId)) AS owner_id
    FROM Opportunity
    GROUP BY salesforce_id(Id)
) o ON o.opportunity_id = salesforce_id(h.OpportunityId)
UNION ALL
SELECT
    salesforce_id(f.OpportunityId) AS opportunity_id,
    f.CreatedDate AS valid_from,
    s.until AS valid_to,
    p.stage_id AS stage_id,
    p.amount AS amount,
    p.currency AS currency,
    percent(p.probability) AS probability,
    p.close_date AS close_date,
    CASE lower(replace(replace(p.forecast_category, ' ', ''), '_', ''))
        WHEN 'omitted' THEN 'omitted' WHEN 'pipeline' THEN 'pipeline'
        WHEN 'bestcase' THEN 'best_case' WHEN 'mostlikely' THEN 'most_likely'
        WHEN 'forecast' THEN 'commit' WHEN 'commit' THEN 'commit' WHEN 'closed' THEN 'closed'
        ELSE p.forecast_category
    END AS forecast_category,
    s.owner_id AS owner_id,
    salesforce_id(f.CreatedById) AS changed_by,
    'recorded' AS history_quality,
    salesforce_id(f.Id) AS source_id,
    f.IsDeleted AS is_deleted,
    f.CreatedDate AS updated_at
FROM OpportunityFieldHistory f
LEFT JOIN spans s
    ON s.opportunity_id = salesforce_id(f.OpportunityId) AND s.at = instant(f.CreatedDate)
LEFT JOIN (
    SELECT
        salesforce_id(OpportunityId) AS opportunity_id,
        instant(CreatedDate) AS at,
        max(StageName) AS stage_id,
        max(Amount) AS amount,
        coalesce(max(CurrencyIsoCode), corporate_currency()) AS currency,
        max(Probability) AS probability,
        max(CloseDate) AS close_date,
        max(ForecastCategory) AS forecast_category
    FROM OpportunityHistory
    GROUP BY salesforce_id(OpportunityId), instant(CreatedDate)
) p ON p.opportunity_id = s.opportunity_id AND p.at = s.state_at
WHERE f.Field IN ('Owner', 'OwnerId')
    AND (f.NewValue LIKE '005%' OR f.NewValue LIKE '00G%')
    -- Changed in the same save as the stage: that state has the new owner already.
    AND (s.state_at IS NULL OR s.state_at <> s.at)
