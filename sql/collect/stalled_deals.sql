-- Which open deals have been in their stage for longer than nine of ten deals were?
-- A deal in a stage that no deal has left yet cannot be judged: it is here with `is_stalled` NULL.
-- Of deals that are marked won for a day to come there is nothing to wait for: they are left out.
--
-- grain: one open deal that stalls, or that cannot be judged
-- unit: amount in currency; NULL is unknown
-- unit: stage_days days since it came to its stage; median_days, p90_days of the stays there that ended
-- unit: over_days days beyond p90_days
-- unit: ended_count stays that median and p90 are of (count); of a few they say little
-- unit: idle_days days since the last activity or the new stage; NULL if neither is known
WITH touches AS (
    SELECT v.opportunity_id, max(CAST(v.occurred_at AS date)) AS touched_on
    FROM crm.activities v
    CROSS JOIN ops.as_of a
    WHERE NOT v.is_deleted
        AND v.status = 'done'
        AND v.opportunity_id IS NOT NULL
        AND CAST(v.occurred_at AS date) <= a.as_of
    GROUP BY v.opportunity_id
)
SELECT
    o.opportunity_id,
    r.name AS opportunity_name,
    o.owner_id,
    u.name AS owner_name,
    o.account_id,
    c.name AS account_name,
    o.pipeline_id,
    o.stage_id,
    o.stage_label,
    o.stage_ordinal,
    o.amount,
    o.currency,
    o.close_date,
    o.stage_days,
    d.median_days,
    d.p90_days,
    o.stage_days - d.p90_days AS over_days,
    coalesce(d.ended_count, 0) AS ended_count,
    least(
        o.stage_days,
        CASE WHEN r.last_activity_date <= o.as_of THEN o.as_of - r.last_activity_date END,
        o.as_of - t.touched_on
    ) AS idle_days,
    o.stage_days > d.p90_days AS is_stalled,
    o.as_of
FROM collect.open_pipeline o
JOIN crm.opportunities r ON r.opportunity_id = o.opportunity_id
LEFT JOIN crm.stage_definitions g ON g.pipeline_id = o.pipeline_id AND g.stage_id = o.stage_id
LEFT JOIN collect.stage_duration d ON d.pipeline_id = o.pipeline_id AND d.stage_id = o.stage_id
LEFT JOIN touches t ON t.opportunity_id = o.opportunity_id
LEFT JOIN crm.users u ON u.user_id = o.owner_id
LEFT JOIN crm.accounts c ON c.account_id = o.account_id
WHERE NOT coalesce(g.is_closed, false)
    AND (d.p90_days IS NULL OR o.stage_days IS NULL OR o.stage_days > d.p90_days)
