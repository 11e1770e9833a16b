-- Every deal is the credit of its one agent.
-- requires: sales_pipeline(opportunity_id, sales_agent)
SELECT
    opportunity_id AS opportunity_id,
    sales_agent AS user_id,
    'revenue' AS split_type,
    '1' AS share
FROM sales_pipeline
