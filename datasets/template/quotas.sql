-- Quotas as a spreadsheet has them: `owner_email` will do for an owner's id, and a quota without an id
-- has one made of whose, what and when.
-- requires: quotas(metric, period_start, period_end)
-- else users: SELECT * FROM crm.users
SELECT
    coalesce(q.quota_id, coalesce(q.owner_id, u.user_id, lower(trim(q.owner_email)), q.territory_id, 'company') || ':' || q.metric || ':' || q.period_start || coalesce(':' || q.opp_type, '') || coalesce(':' || q.product_family, '')) AS quota_id,
    coalesce(q.owner_id, u.user_id, lower(trim(q.owner_email))) AS owner_id,
    q.territory_id AS territory_id,
    q.metric AS metric,
    q.opp_type AS opp_type,
    q.product_family AS product_family,
    q.period_start AS period_start,
    q.period_end AS period_end,
    q.amount AS amount,
    q.quantity AS quantity,
    CASE WHEN q.amount IS NOT NULL THEN coalesce(q.currency, corporate_currency()) ELSE q.currency END AS currency,
    q.quota_kind AS quota_kind,
    coalesce(flag(q.ramp_included), 'false') AS ramp_included,
    q.source_system AS source_system,
    q.source_id AS source_id,
    q.is_deleted AS is_deleted,
    q.updated_at AS updated_at
FROM quotas q
LEFT JOIN (
    SELECT lower(trim(email)) AS email, max(user_id) AS user_id FROM users WHERE email IS NOT NULL GROUP BY lower(trim(email))
) u ON u.email = lower(trim(q.owner_email))
