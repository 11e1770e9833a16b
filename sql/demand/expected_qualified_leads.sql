-- How many sales-qualified leads can we expect, month by month, from which channel?
-- Leads come to qualify months after they came in: the share that does, and when, is measured on the
-- leads of a year, the last of them so old that nine in ten of those that ever qualify have done so.
-- Months to come get as many leads as a mean month of the last twelve that are over, the month of
-- as_of those for its remaining days.
-- The channel is that of the campaign, else the source of the lead; NULL if neither is known.
--
-- grain: month from 11 before that of as_of to 5 after it, channel
-- unit: lead_count, mql_count, sql_count leads that came in, became marketing- and sales-qualified in
--   the month until as_of (count); NULL in months to come
-- unit: sql_expected_count sales-qualified leads expected in the whole month (count), sql_lo_count to
--   sql_hi_count its 80 % interval: chance of the number, and of the share it was measured by, NULL
--   where no lead of the channel qualified; all NULL in months that are over, and without leads to
--   measure by
-- unit: sql_ratio share of leads that qualify (ratio), of matured_count leads (count)
-- unit: cost_per_sql_amount cost of the channel's campaigns of that year a lead that they qualified,
--   in cost_currency; NULL without cost, without such a lead, or in more than one currency
WITH arrivals AS (
    SELECT
        coalesce(c.channel, l.lead_source) AS channel,
        l.campaign_id,
        a.as_of,
        CAST(l.created_at AS date) AS created_on,
        CASE WHEN CAST(l.mql_at AS date) <= a.as_of THEN CAST(l.mql_at AS date) END AS mql_on,
        CASE WHEN CAST(l.sql_at AS date) <= a.as_of THEN CAST(l.sql_at AS date) END AS sql_on
    FROM crm.leads l
    CROSS JOIN ops.as_of a
    LEFT JOIN crm.campaigns c ON c.campaign_id = l.campaign_id AND NOT c.is_deleted
    WHERE NOT l.is_deleted AND CAST(l.created_at AS date) <= a.as_of
),
numbered AS (
    -- Months are numbered, so that they can be subtracted.
    SELECT
        channel,
        created_on,
        sql_on,
        date_part('year', created_on) * 12 + date_part('month', created_on) AS created_month,
        date_part('year', mql_on) * 12 + date_part('month', mql_on) AS mql_month,
        date_part('year', sql_on) * 12 + date_part('month', sql_on) AS sql_month,
        date_part('year', as_of) * 12 + date_part('month', as_of) AS this_month
    FROM arrivals
),
bounds AS (
    SELECT
        max(as_of) AS as_of,
        min(created_on) AS first_on,
        max(as_of) - CAST(ceil(
            percentile_cont(0.9) WITHIN GROUP (ORDER BY CAST(sql_on - created_on AS double))
                FILTER (WHERE sql_on >= created_on)
        ) AS bigint) AS matured_on
    FROM arrivals
),
window_of AS (
    SELECT
        as_of,
        CAST(matured_on AS date) AS matured_on,
        CAST(date_trunc('month', as_of) AS date) AS month_start,
        date_part('year', as_of) * 12 + date_part('month', as_of) AS this_month,
        -- Months that are over and have leads behind them, 12 at most.
        least(
            12,
            date_part('year', as_of) * 12 + date_part('month', as_of)
                - date_part('year', first_on) * 12 - date_part('month', first_on)
        ) AS month_count,
        (date_part('day', date_trunc('month', as_of) + INTERVAL '1 month' - INTERVAL '1 day')
            - date_part('day', as_of))
            / date_part('day', date_trunc('month', as_of) + INTERVAL '1 month' - INTERVAL '1 day')
            AS left_ratio
    FROM bounds
),
rates AS (
    SELECT
        n.channel,
        n.sql_month - n.created_month AS lag_months,
        count(*) AS lead_count
    FROM numbered n
    JOIN window_of w ON n.created_on <= w.matured_on AND n.created_on > w.matured_on - 365
    GROUP BY n.channel, n.sql_month - n.created_month
),
shares AS (
    SELECT
        channel,
        lag_months,
        CAST(lead_count AS double) / sum(lead_count) OVER (PARTITION BY channel) AS share,
        sum(lead_count) OVER (PARTITION BY channel) AS matured_count,
        CAST(coalesce(sum(CASE WHEN lag_months >= 0 THEN lead_count END) OVER (PARTITION BY channel), 0)
            AS double) / sum(lead_count) OVER (PARTITION BY channel) AS sql_ratio
    FROM rates
),
counts AS (
    SELECT channel, month, sum(is_lead) AS lead_count, sum(is_mql) AS mql_count, sum(is_sql) AS sql_count
    FROM (
        SELECT channel, created_month AS month, 1 AS is_lead, 0 AS is_mql, 0 AS is_sql FROM numbered
        UNION ALL
        SELECT channel, mql_month, 0, 1, 0 FROM numbered WHERE mql_month IS NOT NULL
        UNION ALL
        SELECT channel, sql_month, 0, 0, 1 FROM numbered WHERE sql_month IS NOT NULL
    ) AS facts
    GROUP BY channel, month
),
means AS (
    SELECT
        n.channel,
        CAST(count(*) FILTER (
            WHERE n.created_month < w.this_month AND n.created_month >= w.this_month - w.month_count
        ) AS double) / nullif(max(w.month_count), 0) AS month_leads
    FROM numbered n
    CROSS JOIN window_of w
    GROUP BY n.channel
),
months AS (
    SELECT *, CAST(unnest(generate_series(-11, 5)) AS bigint) AS step FROM window_of
),
cells AS (
    SELECT
        w.month_start,
        w.this_month + w.step AS month,
        w.step,
        w.left_ratio,
        e.channel,
        e.month_leads,
        CASE WHEN w.step <= 0 THEN coalesce(c.lead_count, 0) END AS lead_count,
        CASE WHEN w.step <= 0 THEN coalesce(c.mql_count, 0) END AS mql_count,
        CASE WHEN w.step <= 0 THEN coalesce(c.sql_count, 0) END AS sql_count
    FROM months w
    CROSS JOIN means e
    LEFT JOIN counts c ON c.month = w.this_month + w.step AND c.channel IS NOT DISTINCT FROM e.channel
),
expected AS (
    -- Leads of the month that lies the lag before: those that came, and those that are still to come.
    SELECT
        t.channel,
        t.month,
        max(s.matured_count) AS matured_count,
        max(s.sql_ratio) AS sql_ratio,
        coalesce(sum(s.share * (
            coalesce(c.lead_count, 0)
            + t.month_leads * CASE
                WHEN t.step - s.lag_months > 0 THEN 1
                WHEN t.step - s.lag_months = 0 THEN t.left_ratio
                ELSE 0
            END
        )) FILTER (WHERE s.lag_months >= 0), 0) AS expected
    FROM cells t
    JOIN shares s ON s.channel IS NOT DISTINCT FROM t.channel
    LEFT JOIN counts c ON c.month = t.month - s.lag_months AND c.channel IS NOT DISTINCT FROM t.channel
    WHERE t.step >= 0
    GROUP BY t.channel, t.month
),
spread AS (
    -- Variance of a count, and that of the share times the leads squared.
    SELECT
        *,
        1.2815515655446004 * sqrt(
            expected + coalesce(
                expected * expected * (1 - sql_ratio) / nullif(matured_count * sql_ratio, 0), 0
            )
        ) AS reach
    FROM expected
),
costs AS (
    SELECT
        c.channel,
        sum(c.cost) AS cost,
        CASE WHEN count(DISTINCT c.currency) = 1 THEN max(c.currency) END AS currency,
        sum(q.sql_count) AS sql_count
    FROM crm.campaigns c
    JOIN window_of w ON c.start_date <= w.matured_on AND c.start_date > w.matured_on - 365
    LEFT JOIN (
        SELECT campaign_id, count(sql_on) AS sql_count FROM arrivals GROUP BY campaign_id
    ) q ON q.campaign_id = c.campaign_id
    WHERE NOT c.is_deleted AND c.cost IS NOT NULL
    GROUP BY c.channel
)
SELECT
    CAST(t.month_start + CAST(concat(t.step, ' months') AS interval) AS date) AS month_start,
    t.channel,
    t.lead_count,
    t.mql_count,
    t.sql_count,
    s.expected AS sql_expected_count,
    CASE WHEN s.sql_ratio > 0 THEN greatest(s.expected - s.reach, 0) END AS sql_lo_count,
    CASE WHEN s.sql_ratio > 0 THEN s.expected + s.reach END AS sql_hi_count,
    s.sql_ratio,
    s.matured_count,
    CASE WHEN o.currency IS NOT NULL
        THEN CAST(CAST(o.cost AS double) / nullif(o.sql_count, 0) AS decimal(18, 2))
    END AS cost_per_sql_amount,
    o.currency AS cost_currency
FROM cells t
LEFT JOIN spread s ON s.month = t.month AND s.channel IS NOT DISTINCT FROM t.channel
LEFT JOIN costs o ON o.channel IS NOT DISTINCT FROM t.channel
