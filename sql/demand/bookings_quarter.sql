-- What was booked in each quarter that has ended?
-- Quarters without bookings are there with 0, the running quarter is not: it would look like a fall.
-- Each series starts with the first quarter in which its currency was booked.
--
-- grain: quarter, currency
-- unit: booked_amount in currency; won_count deals (count)
WITH booked AS (
    SELECT quarter_start, currency, sum(amount) AS booked_amount, count(*) AS won_count
    FROM collect.closed_deals
    WHERE is_won
    GROUP BY quarter_start, currency
),
first_quarters AS (
    SELECT currency, min(quarter_start) AS first_start FROM booked GROUP BY currency
)
SELECT
    q.quarter_start,
    q.quarter_end,
    f.currency,
    coalesce(b.booked_amount, CAST(0 AS decimal(18, 2))) AS booked_amount,
    coalesce(b.won_count, 0) AS won_count
FROM ops.quarters q
JOIN first_quarters f ON q.quarter_start >= f.first_start
LEFT JOIN booked b ON b.quarter_start = q.quarter_start AND b.currency = f.currency
WHERE q.is_complete
