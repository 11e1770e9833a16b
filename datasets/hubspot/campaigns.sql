-- The campaigns. Their budget and spend are what their items add up to.
-- requires: campaigns(hs_object_id)
SELECT
    hs_object_id AS campaign_id,
    hs_name AS name,
    hs_campaign_type AS channel,
    day(instant(hs_start_date)) AS start_date,
    day(instant(hs_end_date)) AS end_date,
    hs_budget_items_sum_amount AS budget,
    hs_spend_items_sum_amount AS cost,
    coalesce(hs_currency_code, corporate_currency()) AS currency,
    archived AS is_deleted,
    instant(hs_lastmodifieddate) AS updated_at
FROM campaigns
