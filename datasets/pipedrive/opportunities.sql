-- The deals. Won and lost are no stages there but a status, and the deal stays in the stage it was in:
-- here they are stages, so that a deal that is over counts in no open one.
-- A deal without an owner belongs to `unassigned`; a probability is a percentage, the deal's or the stage's.
-- requires: deals(id, status, stage_id, pipeline_id)
-- labels: deals(id = Deal - ID, title = Deal - Title, value = Deal - Value, currency = Deal - Currency of Value, status = Deal - Status, probability = Deal - Probability, expected_close_date = Deal - Expected close date, won_time = Deal - Won time, lost_time = Deal - Lost time, lost_reason = Deal - Lost reason, add_time = Deal - Deal created, update_time = Deal - Update time, stage_id = Deal - Stage ID, pipeline_id = Deal - Pipeline ID, user_id = Deal - Owner ID, org_id = Deal - Organization ID, label = Deal - Label, last_activity_date = Deal - Last activity date)
-- else stages: SELECT stage_id AS id, default_probability * 100 AS deal_probability FROM crm.stage_definitions
SELECT
    d.id AS opportunity_id,
    json_text(d.org_id, 'value') AS account_id,
    d.title AS name,
    coalesce(json_text(d.user_id, 'id'), json_text(d.owner_id, 'id'), 'unassigned') AS owner_id,
    d.pipeline_id AS pipeline_id,
    CASE WHEN d.status IN ('won', 'lost') THEN d.status ELSE d.stage_id END AS stage_id,
    d.value AS amount,
    coalesce(d.currency, corporate_currency()) AS currency,
    CASE d.status WHEN 'won' THEN '1' WHEN 'lost' THEN '0'
        ELSE percent(coalesce(d.probability, s.probability)) END AS probability,
    CASE d.status WHEN 'won' THEN 'closed' WHEN 'lost' THEN 'omitted' ELSE 'pipeline' END AS forecast_category,
    CASE d.status WHEN 'won' THEN day(utc(coalesce(d.won_time, d.close_time)))
        WHEN 'lost' THEN day(utc(coalesce(d.lost_time, d.close_time)))
        ELSE d.expected_close_date END AS close_date,
    utc(d.add_time) AS created_at,
    CASE WHEN d.status IN ('won', 'lost') THEN 'true' ELSE 'false' END AS is_closed,
    CASE WHEN d.status = 'won' THEN 'true' ELSE 'false' END AS is_won,
    coalesce(d.channel, d.origin) AS lead_source,
    d.next_activity_subject AS next_step,
    d.lost_reason AS loss_reason,
    d.mrr AS mrr,
    d.arr AS arr,
    d.acv AS acv,
    d.last_activity_date AS last_activity_date,
    CASE WHEN d.status = 'deleted' OR flag(coalesce(d.is_deleted, d.deleted, 'false')) = 'true'
        THEN 'true' ELSE 'false' END AS is_deleted,
    utc(d.update_time) AS updated_at
FROM deals d
LEFT JOIN (
    SELECT id, max(deal_probability) AS probability FROM stages GROUP BY id
) s ON s.id = d.stage_id
