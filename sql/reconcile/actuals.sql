-- What has each person reached towards each kind of goal, day by day?
-- Nothing after `as_of` counts.
--
-- grain: one fact: a credit of a won deal, a deal opened, a meeting held
-- unit: metric 'bookings', 'opps_created', 'meetings'
-- unit: actual in `unit`: a currency for bookings, 'count' otherwise
-- unit: is_overlay true for credit beside the revenue split, which no total may contain
SELECT
    'bookings' AS metric,
    user_id,
    territory_id,
    close_date AS happened_on,
    currency AS unit,
    credited_amount AS actual,
    split_type <> 'revenue' AS is_overlay
FROM collect.bookings
WHERE credited_amount IS NOT NULL
UNION ALL
SELECT 'opps_created', o.owner_id, o.territory_id, CAST(o.created_at AS date), 'count', 1, false
FROM crm.opportunities o
CROSS JOIN ops.as_of a
WHERE NOT o.is_deleted AND CAST(o.created_at AS date) <= a.as_of
UNION ALL
SELECT 'meetings', v.owner_id, NULL, CAST(v.occurred_at AS date), 'count', 1, false
FROM crm.activities v
CROSS JOIN ops.as_of a
WHERE NOT v.is_deleted
    AND v.kind IN ('meeting', 'demo')
    AND v.status = 'done'
    AND CAST(v.occurred_at AS date) <= a.as_of
