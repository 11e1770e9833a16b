-- The campaigns of UTM links. Odoo keeps neither their dates nor their cost.
-- requires: utm_campaign(id)
SELECT
    id AS campaign_id,
    coalesce(json_text(title, 'en_US'), name) AS name,
    utc(write_date) AS updated_at
FROM utm_campaign
