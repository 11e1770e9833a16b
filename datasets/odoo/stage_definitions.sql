-- The stages. They are shared by all teams, so there is one pipeline. A stage has no probability of its
-- own: it has the mean of the open deals that are in it, and 0 without any.
-- `lost`, which is no stage there, comes with the mapping.
-- requires: crm_stage(id, name, sequence, is_won)
SELECT
    'default' AS pipeline_id,
    g.id AS stage_id,
    json_text(g.name, 'en_US') AS label,
    row_number() OVER (ORDER BY TRY_CAST(g.sequence AS BIGINT), TRY_CAST(g.id AS BIGINT)) AS ordinal,
    flag(g.is_won) AS is_closed,
    flag(g.is_won) AS is_won,
    CASE WHEN flag(g.is_won) = 'true' THEN 1.0 ELSE coalesce(d.probability, 0.0) END AS default_probability,
    CASE WHEN flag(g.is_won) = 'true' THEN 'closed' ELSE 'pipeline' END AS forecast_category,
    'true' AS is_active,
    g.id AS source_id,
    utc(g.write_date) AS updated_at
FROM crm_stage g
LEFT JOIN (
    SELECT stage_id, avg(TRY_CAST(probability AS DOUBLE)) / 100 AS probability
    FROM crm_lead
    WHERE type = 'opportunity' AND flag(coalesce(active, 'true')) = 'true'
    GROUP BY stage_id
) d ON d.stage_id = g.id
