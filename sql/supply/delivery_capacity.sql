-- How many hours can we deliver, month by month, and how many are taken?
-- Available hours are workdays times hours a day times utilisation of everyone there, contractors
-- with the delivery people. Work is known by kind of resource, not by person or skill.
--
-- grain: month from that of as_of on, resource_type ('delivery', 'support')
-- unit: headcount people available on the first day (count)
-- unit: available_hours hours; booked_hours work of won deals, expected_hours of open ones by
--   probability; both NULL where no delivery profile says what work a win causes
-- unit: free_hours available less booked; negative is overbooked; free_expected_hours less expected
--   too
-- unit: booked_ratio booked over available (ratio)
WITH horizon AS (
    SELECT
        CAST(date_trunc('month', as_of) AS date) AS first_day,
        CAST(date_trunc('month', as_of) + INTERVAL '12 months' - INTERVAL '1 day' AS date)
            AS last_day
    FROM ops.as_of
),
available AS (
    SELECT
        period_start AS month_start,
        period_end AS month_end,
        resource_type,
        sum(headcount) AS headcount,
        sum(capacity) AS hours
    FROM delivery_gap((SELECT first_day FROM horizon), (SELECT last_day FROM horizon), 'month')
    GROUP BY period_start, period_end, resource_type
)
SELECT
    a.month_start,
    a.month_end,
    a.resource_type,
    a.headcount,
    a.hours AS available_hours,
    d.committed_hours AS booked_hours,
    d.expected_hours,
    a.hours - d.committed_hours AS free_hours,
    a.hours - d.total_hours AS free_expected_hours,
    d.committed_hours / nullif(a.hours, 0) AS booked_ratio
FROM available a
LEFT JOIN demand.delivery_demand d
    ON d.month_start = a.month_start AND d.resource_type = a.resource_type
