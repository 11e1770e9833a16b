-- The stages of the one pipeline that all sales processes draw from.
-- requires: OpportunityStage(MasterLabel, SortOrder, IsClosed, IsWon)
SELECT
    'default' AS pipeline_id,
    coalesce(ApiName, MasterLabel) AS stage_id,
    MasterLabel AS label,
    SortOrder AS ordinal,
    IsClosed AS is_closed,
    IsWon AS is_won,
    percent(DefaultProbability) AS default_probability,
    CASE ForecastCategory
        WHEN 'Omitted' THEN 'omitted' WHEN 'Pipeline' THEN 'pipeline'
        WHEN 'BestCase' THEN 'best_case' WHEN 'MostLikely' THEN 'most_likely'
        WHEN 'Forecast' THEN 'commit' WHEN 'Closed' THEN 'closed'
    END AS forecast_category,
    IsActive AS is_active,
    salesforce_id(Id) AS source_id,
    coalesce(SystemModstamp, LastModifiedDate) AS updated_at
FROM OpportunityStage
