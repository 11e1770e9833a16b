-- What is each seller paid for each deal, and by which tier?
-- A won deal is credited as `collect.bookings` does, splits and overlays together; a credit
-- recorded in crm.commission_credits takes its place, and clawbacks come from there. A plan without
-- tiers pays its base rate. Attainment counts the credits of the quarter in the order of their
-- days, whatever plan they fall under; the quota is that of the quarter, cut to the days in the
-- seat. Credits without a plan on their day, without a quota, or in another currency than the
-- plan's cap pay NULL, not 0.
--
-- grain: user, quarter, deal, event ('book', 'clawback'), day
-- unit: credited_amount, quota_amount, payout_amount, cumulative_amount in currency
-- unit: attainment_ratio credits of the quarter up to and with this one over quota (ratio)
-- unit: tier_from_ratio attainment at which the tier reached begins; tier_rate_ratio its rate
--   (ratio)
-- unit: payout_amount commission on this credit, negative for a clawback
-- unit: cumulative_amount payouts of the quarter so far, those that are NULL left out
WITH recorded AS (
    SELECT
        c.user_id,
        c.opportunity_id,
        c.event,
        c.credited_on,
        coalesce(c.currency, o.currency) AS currency,
        c.amount,
        c.credit_id
    FROM crm.commission_credits c
    CROSS JOIN ops.as_of a
    LEFT JOIN crm.opportunities o ON o.opportunity_id = c.opportunity_id
    WHERE NOT c.is_deleted AND c.credited_on <= a.as_of
),
replaced AS (
    SELECT DISTINCT user_id, opportunity_id
    FROM recorded
    WHERE event = 'book' AND opportunity_id IS NOT NULL
),
credits AS (
    SELECT
        b.user_id,
        b.opportunity_id,
        'book' AS event,
        b.close_date AS credited_on,
        b.currency,
        sum(b.credited_amount) AS credited,
        '' AS credit_id
    FROM collect.bookings b
    LEFT JOIN replaced r ON r.user_id = b.user_id AND r.opportunity_id = b.opportunity_id
    WHERE r.user_id IS NULL
    GROUP BY b.user_id, b.opportunity_id, b.close_date, b.currency
    UNION ALL
    SELECT user_id, opportunity_id, event, credited_on, currency, amount, credit_id FROM recorded
),
planned AS (
    -- Of several plans that hold on the day the one that began last.
    SELECT
        c.*,
        CAST(date_trunc('quarter', c.credited_on) AS date) AS quarter_start,
        p.plan_id,
        coalesce(p.method, 'marginal') AS method,
        p.base_rate,
        p.cap,
        p.currency AS cap_currency,
        row_number() OVER (
            PARTITION BY
                c.user_id, c.opportunity_id, c.event, c.credited_on, c.currency, c.credit_id
            ORDER BY p.valid_from DESC NULLS LAST, p.plan_id
        ) AS place
    FROM credits c
    LEFT JOIN crm.commission_plans p ON p.user_id = c.user_id
        AND NOT p.is_deleted
        AND (p.valid_from IS NULL OR p.valid_from <= c.credited_on)
        AND (p.valid_to IS NULL OR p.valid_to >= c.credited_on)
),
ordered AS (
    SELECT
        *,
        coalesce(sum(credited) OVER (
            PARTITION BY user_id, quarter_start, currency
            ORDER BY credited_on, opportunity_id, event, credit_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS prior
    FROM planned
    WHERE place = 1
),
steps AS (
    SELECT
        plan_id,
        from_attainment,
        rate,
        lead(from_attainment) OVER (PARTITION BY plan_id ORDER BY from_attainment)
            AS next_attainment
    FROM crm.commission_tiers
    WHERE NOT is_deleted
),
ladders AS (
    SELECT
        plan_id,
        array_agg(named_struct('from', from_attainment, 'rate', rate) ORDER BY from_attainment)
            AS tiers
    FROM crm.commission_tiers
    WHERE NOT is_deleted
    GROUP BY plan_id
),
quotas AS (
    SELECT scope_id, period_start, unit, effective_quota FROM quota_attainment(NULL, NULL, 'rep')
),
paid AS (
    SELECT
        o.*,
        q.effective_quota AS quota,
        quota_attainment(CAST(o.prior + o.credited AS double), q.effective_quota) AS attainment,
        CASE WHEN o.cap IS NULL OR o.cap_currency = o.currency THEN
            commission(
                CAST(o.credited AS double),
                q.effective_quota,
                CAST(o.prior AS double),
                CASE
                    WHEN l.tiers IS NOT NULL THEN l.tiers
                    WHEN o.base_rate IS NOT NULL THEN
                        make_array(named_struct('from', CAST(0 AS double), 'rate', o.base_rate))
                END,
                o.method,
                CAST(o.cap AS double)
            )
        END AS payout
    FROM ordered o
    LEFT JOIN ladders l ON l.plan_id = o.plan_id
    LEFT JOIN quotas q
        ON q.scope_id = o.user_id AND q.period_start = o.quarter_start AND q.unit = o.currency
)
SELECT
    p.user_id,
    u.name AS user_name,
    p.quarter_start,
    p.opportunity_id,
    p.event,
    p.credited_on,
    p.currency,
    p.credited AS credited_amount,
    CAST(p.quota AS decimal(18, 2)) AS quota_amount,
    p.attainment AS attainment_ratio,
    p.plan_id,
    s.from_attainment AS tier_from_ratio,
    coalesce(s.rate, p.base_rate) AS tier_rate_ratio,
    CAST(p.payout AS decimal(18, 2)) AS payout_amount,
    CAST(sum(p.payout) OVER (
        PARTITION BY p.user_id, p.quarter_start, p.currency
        ORDER BY p.credited_on, p.opportunity_id, p.event, p.credit_id
    ) AS decimal(18, 2)) AS cumulative_amount
FROM paid p
LEFT JOIN steps s ON s.plan_id = p.plan_id
    AND p.attainment >= s.from_attainment
    AND (s.next_attainment IS NULL OR p.attainment < s.next_attainment)
LEFT JOIN crm.users u ON u.user_id = p.user_id
