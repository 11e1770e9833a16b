-- The stages of each pipeline, and for each pipeline the two that Pipedrive keeps as a status.
-- requires: stages(id, name, pipeline_id, order_nr)
-- requires: pipelines(id, name)
SELECT
    pipeline_id AS pipeline_id,
    id AS stage_id,
    name AS label,
    row_number() OVER (PARTITION BY pipeline_id ORDER BY TRY_CAST(order_nr AS BIGINT), id) AS ordinal,
    'false' AS is_closed,
    'false' AS is_won,
    coalesce(percent(deal_probability), '0') AS default_probability,
    'pipeline' AS forecast_category,
    CASE WHEN flag(coalesce(is_deleted, 'false')) = 'true' THEN 'false'
        ELSE flag(coalesce(active_flag, 'true')) END AS is_active,
    id AS source_id,
    utc(update_time) AS updated_at
FROM stages
UNION ALL
SELECT
    id AS pipeline_id,
    'won' AS stage_id,
    'Won' AS label,
    '998' AS ordinal,
    'true' AS is_closed,
    'true' AS is_won,
    '1' AS default_probability,
    'closed' AS forecast_category,
    'true' AS is_active,
    id || ':won' AS source_id,
    utc(update_time) AS updated_at
FROM pipelines
UNION ALL
SELECT
    id AS pipeline_id,
    'lost' AS stage_id,
    'Lost' AS label,
    '999' AS ordinal,
    'true' AS is_closed,
    'false' AS is_won,
    '0' AS default_probability,
    'omitted' AS forecast_category,
    'true' AS is_active,
    id || ':lost' AS source_id,
    utc(update_time) AS updated_at
FROM pipelines
