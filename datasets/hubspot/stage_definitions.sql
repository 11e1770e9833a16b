-- The stages of each pipeline, as the pipelines API lists them. A stage is won if it is closed and certain.
-- requires: pipelines(pipelineId, stageId, label, displayOrder, isClosed, probability)
SELECT
    pipelineId AS pipeline_id,
    stageId AS stage_id,
    label AS label,
    -- HubSpot counts from 0.
    coalesce(CAST(TRY_CAST(displayOrder AS BIGINT) + 1 AS VARCHAR), displayOrder) AS ordinal,
    isClosed AS is_closed,
    CASE WHEN lower(isClosed) = 'true' AND TRY_CAST(probability AS DOUBLE) = 1 THEN 'true' ELSE 'false' END AS is_won,
    probability AS default_probability,
    CASE WHEN lower(isClosed) <> 'true' THEN 'pipeline'
        WHEN TRY_CAST(probability AS DOUBLE) = 1 THEN 'closed' ELSE 'omitted'
    END AS forecast_category,
    CASE lower(archived) WHEN 'true' THEN 'false' WHEN 'false' THEN 'true' ELSE archived END AS is_active,
    pipelineId || ':' || stageId AS source_id,
    instant(updatedAt) AS updated_at
FROM pipelines
