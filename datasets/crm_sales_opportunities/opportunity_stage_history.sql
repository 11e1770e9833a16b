-- The export has no history: one is made of its two dates, and says so in `history_quality`.
-- requires: sales_pipeline(opportunity_id, deal_stage, engage_date, close_date)
SELECT
    opportunity_id AS opportunity_id,
    engage_date AS valid_from,
    close_date AS valid_to,
    'Engaging' AS stage_id,
    'USD' AS currency,
    '0.4' AS probability,
    'best_case' AS forecast_category,
    sales_agent AS owner_id,
    'synthetic' AS history_quality
FROM sales_pipeline
WHERE engage_date IS NOT NULL
UNION ALL
SELECT
    opportunity_id AS opportunity_id,
    close_date AS valid_from,
    NULL AS valid_to,
    deal_stage AS stage_id,
    close_value AS amount,
    'USD' AS currency,
    CASE deal_stage WHEN 'Won' THEN '1' WHEN 'Lost' THEN '0' END AS probability,
    close_date AS close_date,
    CASE deal_stage WHEN 'Won' THEN 'closed' WHEN 'Lost' THEN 'omitted' END AS forecast_category,
    sales_agent AS owner_id,
    'synthetic' AS history_quality
FROM sales_pipeline
WHERE close_date IS NOT NULL
