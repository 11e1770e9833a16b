-- Which deals did not close when they were to, how often were they put off, and by how much?
-- A deal is pushed when its close date moves to a later month while it is open; it slips, too, if it
-- closes later than it was first to, or is open past its date. Of a deal without history only the
-- CRM's own count of pushes is known, and only for the newest day of the data.
--
-- grain: one deal, open or closed, that was pushed, closed late or is overdue
-- unit: status open, won or lost
-- unit: amount in currency; NULL is unknown
-- unit: push_count moves of the close date to a later month (count)
-- unit: slipped_days days from the first close date to the one it has; negative if it came earlier
-- unit: overdue_days days that an open deal is past its close date; NULL if it is not
WITH moves AS (
    SELECT
        h.opportunity_id,
        h.stage_id,
        h.valid_from,
        h.close_date,
        lag(h.close_date) OVER (PARTITION BY h.opportunity_id ORDER BY h.valid_from) AS date_before,
        first_value(h.close_date) OVER (PARTITION BY h.opportunity_id ORDER BY h.valid_from)
            AS first_close_date
    FROM crm.opportunity_stage_history h
    CROSS JOIN ops.as_of a
    WHERE NOT h.is_deleted AND h.close_date IS NOT NULL AND CAST(h.valid_from AS date) <= a.as_of
),
pushes AS (
    SELECT
        m.opportunity_id,
        min(m.first_close_date) AS first_close_date,
        count(*) FILTER (
            WHERE NOT coalesce(g.is_closed, false)
                AND date_trunc('month', m.close_date) > date_trunc('month', m.date_before)
        ) AS push_count,
        max(CAST(m.valid_from AS date)) FILTER (
            WHERE NOT coalesce(g.is_closed, false)
                AND date_trunc('month', m.close_date) > date_trunc('month', m.date_before)
        ) AS last_pushed_on
    FROM moves m
    JOIN crm.opportunities o ON o.opportunity_id = m.opportunity_id
    LEFT JOIN crm.stage_definitions g ON g.pipeline_id = o.pipeline_id AND g.stage_id = m.stage_id
    GROUP BY m.opportunity_id
),
deals AS (
    SELECT
        d.opportunity_id,
        o.name AS opportunity_name,
        d.owner_id,
        d.account_id,
        d.status,
        d.stage_label,
        d.amount,
        d.currency,
        p.first_close_date,
        d.close_date,
        CASE
            WHEN p.opportunity_id IS NOT NULL THEN p.push_count
            WHEN a.origin = 'data' THEN o.push_count
        END AS push_count,
        d.close_date - p.first_close_date AS slipped_days,
        CASE WHEN d.status = 'open' AND d.is_overdue THEN d.as_of - d.close_date END AS overdue_days,
        p.last_pushed_on,
        d.as_of
    FROM deals_asof() d
    CROSS JOIN ops.as_of a
    JOIN crm.opportunities o ON o.opportunity_id = d.opportunity_id
    LEFT JOIN pushes p ON p.opportunity_id = d.opportunity_id
)
SELECT
    d.opportunity_id,
    d.opportunity_name,
    d.owner_id,
    u.name AS owner_name,
    d.account_id,
    d.status,
    d.stage_label,
    d.amount,
    d.currency,
    d.first_close_date,
    d.close_date,
    d.push_count,
    d.slipped_days,
    d.overdue_days,
    d.last_pushed_on,
    d.as_of
FROM deals d
LEFT JOIN crm.users u ON u.user_id = d.owner_id
WHERE d.push_count > 0 OR d.slipped_days > 0 OR d.overdue_days > 0
