-- Who is credited with which won deal, and with how much of it?
-- Revenue splits share a deal out; a deal without them is its owner's.
-- Overlay splits come on top: they count for the person and never for a total.
-- Shares are rounded so that the credits of a deal add up to its amount to the cent.
--
-- grain: won deal, credited user, split type
-- unit: share_ratio share of the deal's credit (ratio 0 to 1)
-- unit: credited_amount, amount in currency; NULL if the deal has no amount
WITH won AS (
    SELECT * FROM collect.closed_deals WHERE is_won
),
splits AS (
    SELECT s.opportunity_id, s.user_id, s.split_type, s.share
    FROM crm.opportunity_splits s
    JOIN won w ON w.opportunity_id = s.opportunity_id
    WHERE NOT s.is_deleted
),
shared AS (
    SELECT DISTINCT opportunity_id FROM splits WHERE split_type = 'revenue'
),
shares AS (
    SELECT opportunity_id, user_id, split_type, share FROM splits
    UNION ALL
    SELECT w.opportunity_id, w.owner_id, 'revenue', CAST(1 AS double)
    FROM won w
    LEFT JOIN shared s ON s.opportunity_id = w.opportunity_id
    WHERE s.opportunity_id IS NULL
),
running AS (
    SELECT
        opportunity_id,
        user_id,
        split_type,
        share,
        sum(share) OVER (PARTITION BY opportunity_id, split_type ORDER BY user_id) AS until_here
    FROM shares
)
SELECT
    r.opportunity_id,
    r.user_id,
    r.split_type,
    r.share AS share_ratio,
    CAST(
        round(CAST(w.amount AS double) * r.until_here, 2)
        - round(CAST(w.amount AS double) * (r.until_here - r.share), 2)
        AS decimal(18, 2)
    ) AS credited_amount,
    w.amount,
    w.currency,
    w.owner_id,
    w.account_id,
    w.territory_id,
    w.opp_type,
    w.lead_source,
    w.main_product_id,
    w.close_date,
    w.quarter_start
FROM running r
JOIN won w ON w.opportunity_id = r.opportunity_id
