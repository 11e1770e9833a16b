-- How often do we win, and what do the deals we win and lose have in common?
-- Every deal closed until `as_of` counts once in each dimension; open deals count in none.
--
-- grain: dimension, value, currency
-- unit: dimension 'all', 'quarter', 'owner', 'segment', 'industry', 'product', 'lead_source', 'opp_type'
-- unit: value NULL where the deal does not say; owner and product by name
-- unit: won_count, lost_count deals (count)
-- unit: win_rate_ratio won over won and lost (ratio 0 to 1), with its 95 % Wilson interval lo to hi
-- unit: won_amount, lost_amount sums of the known amounts, in currency
-- unit: value_win_rate_ratio won amount over won and lost amount; NULL if no lost deal has an amount
-- unit: mean_won_amount in currency; mean_cycle_days days from opening to close of the won
-- unit: top_loss_reason the most frequent reason given
WITH closed AS (
    SELECT
        d.opportunity_id,
        d.is_won,
        d.amount,
        d.currency,
        d.cycle_days,
        d.loss_reason,
        CAST(d.quarter_start AS varchar) AS quarter,
        u.name AS owner,
        a.segment,
        a.industry,
        p.name AS product,
        d.lead_source,
        d.opp_type
    FROM collect.closed_deals d
    LEFT JOIN crm.users u ON u.user_id = d.owner_id
    LEFT JOIN crm.accounts a ON a.account_id = d.account_id
    LEFT JOIN crm.products p ON p.product_id = d.main_product_id
),
cases AS (
    SELECT 'all' AS dimension, 'all' AS value, * FROM closed
    UNION ALL SELECT 'quarter', quarter, * FROM closed
    UNION ALL SELECT 'owner', owner, * FROM closed
    UNION ALL SELECT 'segment', segment, * FROM closed
    UNION ALL SELECT 'industry', industry, * FROM closed
    UNION ALL SELECT 'product', product, * FROM closed
    UNION ALL SELECT 'lead_source', lead_source, * FROM closed
    UNION ALL SELECT 'opp_type', opp_type, * FROM closed
),
reasons AS (
    SELECT
        dimension,
        value,
        currency,
        loss_reason,
        row_number() OVER (
            PARTITION BY dimension, value, currency ORDER BY count(*) DESC, loss_reason
        ) AS place
    FROM cases
    WHERE NOT is_won AND loss_reason IS NOT NULL
    GROUP BY dimension, value, currency, loss_reason
),
totals AS (
    SELECT
        dimension,
        value,
        currency,
        count(*) FILTER (WHERE is_won) AS won_count,
        count(*) FILTER (WHERE NOT is_won) AS lost_count,
        win_rate(is_won) AS win_rate_ratio,
        sum(amount) FILTER (WHERE is_won) AS won_amount,
        -- Some CRMs put 0 on a lost deal: what it would have brought is unknown, not nothing.
        sum(amount) FILTER (WHERE NOT is_won AND amount > 0) AS lost_amount,
        avg(CAST(amount AS double)) FILTER (WHERE is_won) AS mean_won,
        avg(cycle_days) FILTER (WHERE is_won) AS mean_cycle_days
    FROM cases
    GROUP BY dimension, value, currency
)
SELECT
    t.dimension,
    t.value,
    t.currency,
    t.won_count,
    t.lost_count,
    t.win_rate_ratio,
    win_rate_lo(t.won_count, t.won_count + t.lost_count) AS win_rate_lo_ratio,
    win_rate_hi(t.won_count, t.won_count + t.lost_count) AS win_rate_hi_ratio,
    t.won_amount,
    t.lost_amount,
    CASE
        WHEN t.lost_count = 0 AND t.won_amount > 0 THEN 1.0
        WHEN t.lost_amount > 0
            THEN coalesce(CAST(t.won_amount AS double), 0.0)
                / CAST(coalesce(t.won_amount, 0) + t.lost_amount AS double)
    END AS value_win_rate_ratio,
    CAST(t.mean_won AS decimal(18, 2)) AS mean_won_amount,
    t.mean_cycle_days,
    r.loss_reason AS top_loss_reason
FROM totals t
LEFT JOIN reasons r
    ON r.dimension = t.dimension
    AND r.value IS NOT DISTINCT FROM t.value
    AND r.currency = t.currency
    AND r.place = 1
