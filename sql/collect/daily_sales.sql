-- What was won on each day, and is the quarter on pace?
-- Every day is there, from the first win in a currency until `as_of`, those without sales with 0.
-- The goal is the plan of the quarter in this currency; where no plan quota is set, the company's target
-- for bookings, if it is for that very quarter, which counts in the corporate currency.
--
-- grain: day, currency
-- unit: won_count deals, unpriced_count those without an amount, which no sum contains (count)
-- unit: won_amount, month_amount, quarter_amount of the day, and since the first day of its month and of
--   its quarter, in currency
-- unit: target_amount goal of the whole quarter, in currency; NULL if none is set
-- unit: attainment_ratio quarter_amount over target_amount; pace_ratio that over the elapsed share of
--   the quarter, 1 is on pace (ratios)
WITH today AS (
    SELECT as_of FROM ops.as_of
),
won AS (
    SELECT
        close_date AS day,
        currency,
        count(*) AS won_count,
        count(*) FILTER (WHERE amount IS NULL) AS unpriced_count,
        sum(amount) AS amount
    FROM collect.closed_deals
    WHERE is_won
    GROUP BY close_date, currency
),
firsts AS (
    SELECT currency, min(day) AS first_on FROM won GROUP BY currency
),
bounds AS (
    SELECT min(w.day) AS first_on, max(t.as_of) AS last_on FROM won w CROSS JOIN today t
),
calendar AS (
    SELECT CAST(unnest(generate_series(
        CAST(first_on AS timestamp), CAST(last_on AS timestamp), INTERVAL '1 day'
    )) AS date) AS day
    FROM bounds
),
days AS (
    SELECT c.day, f.currency FROM firsts f JOIN calendar c ON c.day >= f.first_on
),
sold AS (
    SELECT
        d.day,
        d.currency,
        CAST(date_trunc('quarter', d.day) AS date) AS quarter_start,
        CAST(date_trunc('quarter', d.day) + INTERVAL '3 months' - INTERVAL '1 day' AS date)
            AS quarter_end,
        coalesce(w.won_count, 0) AS won_count,
        coalesce(w.unpriced_count, 0) AS unpriced_count,
        -- Deals without an amount on a day without others: what was won is not known.
        CASE
            WHEN w.won_count IS NULL THEN CAST(0 AS decimal(18, 2))
            ELSE CAST(w.amount AS decimal(18, 2))
        END AS won_amount
    FROM days d
    LEFT JOIN won w ON w.day = d.day AND w.currency = d.currency
),
plans AS (
    SELECT period_start, period_end, unit AS currency, sum(goal) AS goal
    FROM reconcile.goals
    WHERE metric = 'bookings' AND quota_kind = 'plan'
    GROUP BY period_start, period_end, unit
),
targets AS (
    SELECT period_start, period_end, CAST(target_value AS decimal(18, 2)) AS goal
    FROM collect.target_periods
    WHERE metric = 'bookings' AND scope_type = 'company'
),
summed AS (
    SELECT
        s.*,
        sum(s.won_amount) OVER (
            PARTITION BY s.currency, date_trunc('month', s.day) ORDER BY s.day
        ) AS month_amount,
        sum(s.won_amount) OVER (PARTITION BY s.currency, s.quarter_start ORDER BY s.day)
            AS quarter_amount,
        coalesce(p.goal, CASE WHEN s.currency = corporate_currency() THEN g.goal END) AS goal
    FROM sold s
    LEFT JOIN plans p
        ON p.period_start = s.quarter_start AND p.period_end = s.quarter_end
        AND p.currency = s.currency
    LEFT JOIN targets g ON g.period_start = s.quarter_start AND g.period_end = s.quarter_end
)
SELECT
    day,
    currency,
    won_count,
    unpriced_count,
    won_amount,
    CAST(month_amount AS decimal(18, 2)) AS month_amount,
    quarter_start,
    CAST(quarter_amount AS decimal(18, 2)) AS quarter_amount,
    CAST(goal AS decimal(18, 2)) AS target_amount,
    quota_attainment(CAST(quarter_amount AS double), CAST(goal AS double)) AS attainment_ratio,
    quota_pace(
        CAST(quarter_amount AS double), CAST(goal AS double), quarter_start, quarter_end, day
    ) AS pace_ratio
FROM summed
