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
    CASE lower(replace(replace(ForecastCategory, ' ', ''), '_', ''))
        WHEN 'omitted' THEN 'omitted' WHEN 'pipeline' THEN 'pipeline'
        WHEN 'bestcase' THEN 'best_case' WHEN 'mostlikely' THEN 'most_likely'
        WHEN 'forecast' THEN 'commit' WHEN 'commit' THEN 'commit' WHEN 'closed' THEN 'closed'
        ELSE ForecastCategory
    END AS forecast_category,
    IsActive AS is_active,
    salesforce_id(Id) AS source_id,
    coalesce(SystemModstamp, LastModifiedDate) AS updated_at
FROM OpportunityStage
