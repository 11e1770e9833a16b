-- The deals. A stage that is not one of the four goes through as `is_closed`, where the check stops it.
-- Open deals have no value: it is unknown, not zero. Prospects have no date yet.
-- requires: sales_pipeline(opportunity_id, sales_agent, deal_stage, engage_date, close_date, close_value)
SELECT
    opportunity_id AS opportunity_id,
    account AS account_id,
    product AS name,
    sales_agent AS owner_id,
    'default' AS pipeline_id,
    deal_stage AS stage_id,
    close_value AS amount,
    'USD' AS currency,
    CASE deal_stage
        WHEN 'Prospecting' THEN '0.1' WHEN 'Engaging' THEN '0.4'
        WHEN 'Won' THEN '1' WHEN 'Lost' THEN '0'
    END AS probability,
    CASE deal_stage
        WHEN 'Prospecting' THEN 'pipeline' WHEN 'Engaging' THEN 'best_case'
        WHEN 'Won' THEN 'closed' WHEN 'Lost' THEN 'omitted'
    END AS forecast_category,
    close_date AS close_date,
    engage_date AS created_at,
    CASE deal_stage
        WHEN 'Prospecting' THEN 'false' WHEN 'Engaging' THEN 'false'
        WHEN 'Won' THEN 'true' WHEN 'Lost' THEN 'true'
        ELSE deal_stage
    END AS is_closed,
    CASE WHEN deal_stage = 'Won' THEN 'true' ELSE 'false' END AS is_won
FROM sales_pipeline
