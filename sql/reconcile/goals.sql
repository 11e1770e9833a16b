-- Which quotas are set, for whom, and for how much of their period is the person in the seat?
-- Quotas limited to a kind of deal or a product family are left out: they need actuals of their own.
--
-- grain: one quota
-- unit: goal in `unit`: a currency for money, 'count' for numbers of things; never add across units
-- unit: period_start, period_end days, both inclusive
-- unit: active_from, active_to days between which the quota binds; NULL is open-ended
SELECT
    q.quota_id,
    q.owner_id,
    q.territory_id,
    q.metric,
    coalesce(q.quota_kind, 'individual') AS quota_kind,
    CASE WHEN q.amount IS NOT NULL THEN coalesce(q.currency, 'unknown') ELSE 'count' END AS unit,
    q.period_start,
    q.period_end,
    coalesce(q.amount, CAST(q.quantity AS decimal(18, 2))) AS goal,
    -- A goal that already allows for the ramp is not cut a second time for a late start.
    CASE WHEN NOT q.ramp_included THEN coalesce(u.quota_start_date, u.hire_date) END AS active_from,
    u.termination_date AS active_to
FROM crm.quotas q
LEFT JOIN crm.users u ON u.user_id = q.owner_id
WHERE NOT q.is_deleted
    AND q.opp_type IS NULL
    AND q.product_family IS NULL
    AND coalesce(q.amount, CAST(q.quantity AS decimal(18, 2))) IS NOT NULL
