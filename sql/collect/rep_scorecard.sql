-- How is each seller doing, quarter by quarter?
-- Bookings are credited by splits; win rate, cycle and slips are those of the deals a seller owns.
--
-- grain: user_id, quarter, currency
-- unit: booked_amount, quota_amount, mean_won_amount in currency; quota cut to the days in the seat
-- unit: attainment_ratio booked over quota; pace_ratio attainment over elapsed share of the quarter
-- unit: won_count, lost_count deals closed in the quarter (count)
-- unit: win_rate_ratio won over won and lost (ratio 0 to 1); mean_cycle_days of the won
-- unit: pipeline_amount open deals that are to close in the quarter; NULL once it has ended
-- unit: coverage_ratio pipeline over what is left of the quota
-- unit: velocity_day_amount closed deals times mean won deal times win rate over cycle, money a day
-- unit: slip_rate_ratio of the deals due in the quarter on its first day, those that did not close
--   in it; NULL until it has ended, or without history
WITH attainment AS (
    SELECT * FROM quota_attainment(NULL, NULL, 'rep')
),
closed AS (
    SELECT
        owner_id,
        quarter_start,
        currency,
        count(*) FILTER (WHERE is_won) AS won_count,
        count(*) FILTER (WHERE NOT is_won) AS lost_count,
        win_rate(is_won) AS win_rate_ratio,
        avg(CAST(amount AS double)) FILTER (WHERE is_won) AS mean_won,
        avg(cycle_days) FILTER (WHERE is_won) AS mean_cycle_days
    FROM collect.closed_deals
    GROUP BY owner_id, quarter_start, currency
),
due AS (
    -- Deals whose close date, as it stood when the quarter began, lay in that quarter.
    SELECT
        o.owner_id,
        q.quarter_start,
        o.currency,
        count(*) AS due_count,
        count(*) FILTER (
            WHERE NOT (o.is_closed AND o.close_date >= q.quarter_start AND o.close_date <= q.quarter_end)
        ) AS slipped_count
    FROM crm.opportunity_stage_history h
    JOIN ops.quarters q ON q.quarter_start = CAST(date_trunc('quarter', h.close_date) AS date)
    JOIN crm.opportunities o ON o.opportunity_id = h.opportunity_id AND NOT o.is_deleted
    LEFT JOIN crm.stage_definitions g ON g.pipeline_id = o.pipeline_id AND g.stage_id = h.stage_id
    WHERE q.is_complete
        AND NOT h.is_deleted
        AND CAST(h.valid_from AS timestamp) < CAST(q.quarter_start AS timestamp)
        AND (h.valid_to IS NULL OR CAST(h.valid_to AS timestamp) >= CAST(q.quarter_start AS timestamp))
        AND NOT coalesce(g.is_closed, false)
    GROUP BY o.owner_id, q.quarter_start, o.currency
),
keys AS (
    SELECT scope_id AS user_id, period_start AS quarter_start, unit AS currency FROM attainment
    UNION
    SELECT owner_id, quarter_start, currency FROM closed
    UNION
    SELECT owner_id, quarter_start, currency FROM due
)
SELECT
    k.user_id,
    u.name AS user_name,
    u.team,
    u.segment,
    k.quarter_start,
    q.quarter_end,
    k.currency,
    CAST(coalesce(t.actual, 0.0) AS decimal(18, 2)) AS booked_amount,
    CAST(t.effective_quota AS decimal(18, 2)) AS quota_amount,
    t.attainment AS attainment_ratio,
    t.pace AS pace_ratio,
    coalesce(c.won_count, 0) AS won_count,
    coalesce(c.lost_count, 0) AS lost_count,
    c.win_rate_ratio,
    CAST(c.mean_won AS decimal(18, 2)) AS mean_won_amount,
    c.mean_cycle_days,
    CAST(t.open_pipeline AS decimal(18, 2)) AS pipeline_amount,
    t.coverage AS coverage_ratio,
    sales_velocity(c.won_count + c.lost_count, c.mean_won, c.win_rate_ratio, c.mean_cycle_days)
        AS velocity_day_amount,
    CAST(d.slipped_count AS double) / d.due_count AS slip_rate_ratio
FROM keys k
JOIN ops.quarters q ON q.quarter_start = k.quarter_start
LEFT JOIN attainment t
    ON t.scope_id = k.user_id AND t.period_start = k.quarter_start AND t.unit = k.currency
LEFT JOIN closed c
    ON c.owner_id = k.user_id AND c.quarter_start = k.quarter_start AND c.currency = k.currency
LEFT JOIN due d
    ON d.owner_id = k.user_id AND d.quarter_start = k.quarter_start AND d.currency = k.currency
LEFT JOIN crm.users u ON u.user_id = k.user_id
