{{ config(materialized='view') }}
SELECT u.name, d.deal_count, d.amount
FROM {{ ref('deals_by_owner') }} d
JOIN {{ source('crm', 'users') }} u ON u.user_id = d.owner_id
