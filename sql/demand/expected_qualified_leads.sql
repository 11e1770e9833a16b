-- How many sales-qualified leads can we expect, month by month, from which channel?
-- Leads come to qualify months after they came in: the share that does, and when, is measured on
-- the leads of a year, the last of them so old that nine in ten of those that ever qualify have
-- done so. Months to come get as many leads as a mean month of the last twelve that are over, the
-- month of as_of those for its remaining days. The channel is that of the campaign, else the source
-- of the lead; NULL if neither is known.
--
-- grain: month from 11 before that of as_of to 5 after it, channel
-- unit: lead_count, mql_count, sql_count leads that came in, became marketing- and sales-qualified
--   in the month until as_of (count); NULL in months to come
-- unit: sql_expected_count sales-qualified leads expected in the whole month (count), sql_lo_count
--   to sql_hi_count its 80 % interval: chance of the number, and of the share it was measured by,
--   NULL where no lead of the channel qualified; all NULL in months that are over, and without
--   leads to measure by
-- unit: sql_ratio share of leads that qualify (ratio), of matured_count leads (count)
-- unit: cost_per_sql_amount cost of the channel's campaigns of that year a lead that they
--   qualified, in cost_currency; NULL without cost, without such a lead, or in more than one
--   currency
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
        -- The lag that nine in ten qualified leads did not exceed.
        min(sql_on - created_on) FILTER (
            WHERE sql_on >= created_on AND place * 10 >= place_count * 9
        ) AS lag_days
    FROM (
        SELECT
            *,
            row_number() OVER (
                PARTITION BY sql_on >= created_on ORDER BY sql_on - created_on
            ) AS place,
            count(*) OVER (PARTITION BY sql_on >= created_on) AS place_count
        FROM arrivals
    ) AS ranked
),
window_of AS (
    SELECT
        as_of,
        CAST(as_of - lag_days AS date) AS matured_on,
        CAST(date_trunc('month', as_of) AS date) AS month_start,
        date_part('year', as_of) * 12 + date_part('month', as_of) AS this_month,
        -- Months that are over and have leads behind them, 12 at most.
        least(
            12,
            date_part('year', as_of) * 12 + date_part('month', as_of)
                - date_part('year', first_on) * 12 - date_part('month', first_on)
        ) AS month_count,
        1 - CAST(date_part('day', as_of) AS double)
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
    JOIN window_of w ON w.matured_on - n.created_on BETWEEN 0 AND 364
    GROUP BY n.channel, n.sql_month - n.created_month
),
shares AS (
    SELECT
        channel,
        lag_months,
        CAST(lead_count AS double) / sum(lead_count) OVER (PARTITION BY channel) AS share,
        sum(lead_count) OVER (PARTITION BY channel) AS matured_count,
        CAST(coalesce(
            sum(CASE WHEN lag_months >= 0 THEN lead_count END) OVER (PARTITION BY channel), 0
        ) AS double) / sum(lead_count) OVER (PARTITION BY channel) AS sql_ratio
    FROM rates
),
counts AS (
    SELECT
        channel,
        month,
        count(*) FILTER (WHERE event = 'lead') AS lead_count,
        count(*) FILTER (WHERE event = 'mql') AS mql_count,
        count(*) FILTER (WHERE event = 'sql') AS sql_count
    FROM (
        SELECT
            n.channel,
            e.event,
            CASE e.event
                WHEN 'lead' THEN n.created_month
                WHEN 'mql' THEN n.mql_month
                ELSE n.sql_month
            END AS month
        FROM numbered n
        CROSS JOIN (VALUES ('lead'), ('mql'), ('sql')) AS e (event)
    ) AS facts
    WHERE month IS NOT NULL
    GROUP BY channel, month
),
means AS (
    SELECT
        n.channel,
        w.month_start,
        w.this_month,
        w.left_ratio,
        CAST(count(*) FILTER (
            WHERE n.created_month < w.this_month AND n.created_month >= w.this_month - w.month_count
        ) AS double) / nullif(w.month_count, 0) AS month_leads
    FROM numbered n
    CROSS JOIN window_of w
    GROUP BY n.channel, w.month_start, w.this_month, w.left_ratio, w.month_count
),
months AS (
    SELECT *, CAST(unnest(generate_series(-11, 5)) AS bigint) AS step FROM means
),
expected AS (
    -- Leads of the month that lies the lag before: those that came, and those still to come.
    SELECT
        t.channel,
        t.month_start,
        t.step,
        max(CASE WHEN t.step <= 0 THEN coalesce(n.lead_count, 0) END) AS lead_count,
        max(CASE WHEN t.step <= 0 THEN coalesce(n.mql_count, 0) END) AS mql_count,
        max(CASE WHEN t.step <= 0 THEN coalesce(n.sql_count, 0) END) AS sql_count,
        max(CASE WHEN t.step >= 0 THEN s.matured_count END) AS matured_count,
        max(CASE WHEN t.step >= 0 THEN s.sql_ratio END) AS sql_ratio,
        CASE WHEN t.step >= 0 AND count(s.matured_count) > 0 THEN
            coalesce(sum(s.share * (
                coalesce(c.lead_count, 0)
                + t.month_leads * CASE
                    WHEN t.step - s.lag_months > 0 THEN 1
                    WHEN t.step - s.lag_months = 0 THEN t.left_ratio
                    ELSE 0
                END
            )) FILTER (WHERE s.lag_months >= 0), 0)
        END AS expected
    FROM months t
    LEFT JOIN counts n
        ON n.month = t.this_month + t.step AND n.channel IS NOT DISTINCT FROM t.channel
    LEFT JOIN shares s ON s.channel IS NOT DISTINCT FROM t.channel
    LEFT JOIN counts c
        ON c.month = t.this_month + t.step - s.lag_months
        AND c.channel IS NOT DISTINCT FROM t.channel
    GROUP BY t.channel, t.month_start, t.step
),
spread AS (
    -- Variance of a count, and that of the share times the leads squared.
    SELECT
        *,
        CASE WHEN sql_ratio > 0 THEN
            1.2815515655446004 * sqrt(
                expected + expected * expected * (1 - sql_ratio) / (matured_count * sql_ratio)
            )
        END AS reach
    FROM expected
),
costs AS (
    SELECT
        c.channel,
        sum(c.cost) AS cost,
        CASE WHEN count(DISTINCT c.currency) = 1 THEN max(c.currency) END AS currency,
        sum(q.sql_count) AS sql_count
    FROM crm.campaigns c
    JOIN window_of w ON w.matured_on - c.start_date BETWEEN 0 AND 364
    LEFT JOIN (
        SELECT campaign_id, count(sql_on) AS sql_count FROM arrivals GROUP BY campaign_id
    ) q ON q.campaign_id = c.campaign_id
    WHERE NOT c.is_deleted AND c.cost IS NOT NULL
    GROUP BY c.channel
)
SELECT
    CAST(s.month_start + CAST(concat(s.step, ' months') AS interval) AS date) AS month_start,
    s.channel,
    s.lead_count,
    s.mql_count,
    s.sql_count,
    s.expected AS sql_expected_count,
    CASE WHEN s.reach IS NOT NULL THEN greatest(s.expected - s.reach, 0) END AS sql_lo_count,
    s.expected + s.reach AS sql_hi_count,
    s.sql_ratio,
    s.matured_count,
    CASE WHEN o.currency IS NOT NULL
        THEN CAST(CAST(o.cost AS double) / nullif(o.sql_count, 0) AS decimal(18, 2))
    END AS cost_per_sql_amount,
    o.currency AS cost_currency
FROM spread s
LEFT JOIN costs o ON o.channel IS NOT DISTINCT FROM s.channel
