-- How do the bookings of a seller grow with the time on board?
-- Quarters are counted from the hire date, 1 first; those that began before the calendar quarter of
-- the first closed deal are left out, because what was booked in them is not known. Sellers without
-- a hire date are not here. Bookings are credited by revenue splits.
--
-- grain: seller, quarter of tenure, currency
-- unit: tenure_quarter quarters since the hire date (count, 1 is the first)
-- unit: booked_amount in currency
-- unit: is_complete false while the quarter runs, or if the seller left in it
-- unit: steady_amount mean of the complete quarters from the fifth on of all sellers with bookings
--   in the currency; steady_count such quarters (count)
-- unit: steady_ratio booked over steady_amount; NULL for a quarter that is not complete
WITH credits AS (
    SELECT user_id, currency, close_date, credited_amount
    FROM collect.bookings
    WHERE split_type = 'revenue'
),
first_deals AS (
    SELECT CAST(date_trunc('quarter', min(close_date)) AS date) AS first_on
    FROM collect.closed_deals
),
currencies AS (
    SELECT DISTINCT user_id, currency FROM credits
),
starts AS (
    SELECT
        u.user_id,
        u.name,
        u.team,
        u.segment,
        u.hire_date,
        u.termination_date,
        a.as_of,
        CAST(unnest(generate_series(
            CAST(u.hire_date AS timestamp),
            CAST(least(a.as_of, u.termination_date) AS timestamp),
            INTERVAL '3 months'
        )) AS date) AS quarter_start
    FROM crm.users u
    CROSS JOIN ops.as_of a
    WHERE NOT u.is_deleted AND coalesce(u.role, 'ae') IN ('ae', 'am') AND u.hire_date <= a.as_of
),
quarters AS (
    SELECT
        s.*,
        row_number() OVER (PARTITION BY s.user_id ORDER BY s.quarter_start) AS tenure_quarter,
        CAST(s.quarter_start + INTERVAL '3 months' - INTERVAL '1 day' AS date) AS quarter_end
    FROM starts s
),
booked AS (
    SELECT
        q.user_id,
        q.name,
        q.team,
        q.segment,
        q.hire_date,
        q.tenure_quarter,
        q.quarter_start,
        q.quarter_end,
        q.quarter_end <= least(q.as_of, q.termination_date) AS is_complete,
        coalesce(c.currency, corporate_currency()) AS currency,
        sum(b.credited_amount) AS booked
    FROM quarters q
    CROSS JOIN first_deals f
    LEFT JOIN currencies c ON c.user_id = q.user_id
    LEFT JOIN credits b ON b.user_id = q.user_id
        AND b.currency = c.currency
        AND b.close_date >= q.quarter_start
        AND b.close_date <= q.quarter_end
    WHERE q.quarter_start >= f.first_on
    GROUP BY q.user_id, q.name, q.team, q.segment, q.hire_date, q.tenure_quarter, q.quarter_start,
        q.quarter_end, q.as_of, q.termination_date, c.currency
),
measured AS (
    SELECT
        *,
        avg(CASE
            WHEN is_complete AND tenure_quarter > 4 THEN coalesce(CAST(booked AS double), 0)
        END) OVER (PARTITION BY currency) AS steady,
        count(CASE WHEN is_complete AND tenure_quarter > 4 THEN 1 END) OVER (PARTITION BY currency)
            AS steady_count
    FROM booked
)
SELECT
    user_id,
    name AS user_name,
    team,
    segment,
    hire_date,
    tenure_quarter,
    quarter_start,
    quarter_end,
    is_complete,
    currency,
    coalesce(booked, CAST(0 AS decimal(18, 2))) AS booked_amount,
    CAST(steady AS decimal(18, 2)) AS steady_amount,
    steady_count,
    CASE WHEN is_complete THEN coalesce(CAST(booked AS double), 0) / nullif(steady, 0) END
        AS steady_ratio
FROM measured
