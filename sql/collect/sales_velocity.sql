-- How much money does the pipeline turn into bookings a day?
-- Open deals times mean won deal times win rate, over the days a win takes; the rates are those of
-- the deals closed in the 365 days until `as_of`.
--
-- grain: scope_type ('company', 'team', 'rep'), scope_id, currency
-- unit: open_count, won_count, lost_count deals (count)
-- unit: mean_won_amount in currency; mean_cycle_days days from opening to close of the won
-- unit: win_rate_ratio won over won and lost (ratio 0 to 1)
-- unit: velocity_day_amount money a day, in currency; NULL without wins or with an unknown cycle
WITH deals AS (
    SELECT owner_id, currency, is_won, amount, cycle_days, 0 AS open_count
    FROM collect.closed_deals
    CROSS JOIN ops.as_of a
    WHERE close_date > a.as_of - INTERVAL '365 days'
    UNION ALL
    SELECT owner_id, currency, CAST(NULL AS boolean), CAST(NULL AS decimal(18, 2)), NULL, 1
    FROM collect.open_pipeline
),
scoped AS (
    SELECT 'company' AS scope_type, 'company' AS scope_id, 'company' AS scope_name, d.* FROM deals d
    UNION ALL
    SELECT 'team', coalesce(u.team, 'none'), coalesce(u.team, 'none'), d.*
    FROM deals d LEFT JOIN crm.users u ON u.user_id = d.owner_id
    UNION ALL
    SELECT 'rep', d.owner_id, coalesce(u.name, d.owner_id), d.*
    FROM deals d LEFT JOIN crm.users u ON u.user_id = d.owner_id
),
totals AS (
    SELECT
        scope_type,
        scope_id,
        scope_name,
        currency,
        sum(open_count) AS open_count,
        count(*) FILTER (WHERE is_won) AS won_count,
        count(*) FILTER (WHERE NOT is_won) AS lost_count,
        avg(CAST(amount AS double)) FILTER (WHERE is_won) AS mean_won,
        win_rate(is_won) AS win_rate_ratio,
        avg(cycle_days) FILTER (WHERE is_won) AS mean_cycle_days
    FROM scoped
    GROUP BY scope_type, scope_id, scope_name, currency
)
SELECT
    scope_type,
    scope_id,
    scope_name,
    currency,
    open_count,
    won_count,
    lost_count,
    CAST(mean_won AS decimal(18, 2)) AS mean_won_amount,
    win_rate_ratio,
    mean_cycle_days,
    sales_velocity(open_count, mean_won, win_rate_ratio, mean_cycle_days) AS velocity_day_amount
FROM totals
