{{ config(materialized='table') }}
SELECT owner_id, count(*) AS deal_count, sum(amount) AS amount
FROM {{ source('crm', 'opportunities') }}
GROUP BY owner_id
