-- The deals. Their stage is an id; whether it is closed or won stands in the deal or in its pipeline.
-- A deal without an owner belongs to `unassigned`. `closedate` is an instant: its day is that of the
-- time zone of the ingest. A deal that was merged into another stays, marked deleted.
-- requires: deals(hs_object_id, dealstage, pipeline)
-- labels: deals(hs_object_id = Record ID, hubspot_owner_id = Deal owner ID, deal_currency_code = Currency, closedate = Close Date, createdate = Create Date, dealtype = Deal Type, hs_next_step = Next step, hs_lastmodifieddate = Last Modified Date, hs_manual_forecast_category = Forecast category, hs_merged_object_ids = Merged object IDs)
-- else pipelines: SELECT pipeline_id AS pipelineId, stage_id AS stageId, is_closed AS isClosed, default_probability AS probability FROM crm.stage_definitions
SELECT
    d.hs_object_id AS opportunity_id,
    coalesce(d.associatedcompanyid, d.hs_primary_associated_company) AS account_id,
    d.dealname AS name,
    coalesce(d.hubspot_owner_id, 'unassigned') AS owner_id,
    d.pipeline AS pipeline_id,
    d.dealstage AS stage_id,
    d.amount AS amount,
    coalesce(d.deal_currency_code, corporate_currency()) AS currency,
    coalesce(d.hs_deal_stage_probability, p.probability) AS probability,
    CASE
        WHEN d.hs_manual_forecast_category = 'OMIT' THEN 'omitted'
        WHEN d.hs_manual_forecast_category IS NOT NULL THEN lower(d.hs_manual_forecast_category)
        WHEN coalesce(lower(d.hs_is_closed_won), p.is_won) = 'true' THEN 'closed'
        WHEN coalesce(lower(d.hs_is_closed), p.is_closed) = 'true' THEN 'omitted'
        ELSE 'pipeline'
    END AS forecast_category,
    day(instant(d.closedate)) AS close_date,
    instant(d.createdate) AS created_at,
    coalesce(d.hs_is_closed, p.is_closed) AS is_closed,
    coalesce(d.hs_is_closed_won, p.is_won) AS is_won,
    CASE d.dealtype WHEN 'newbusiness' THEN 'new' WHEN 'existingbusiness' THEN 'expansion'
        WHEN 'renewal' THEN 'renewal' ELSE CASE WHEN d.dealtype IS NOT NULL THEN 'other' END
    END AS opp_type,
    d.hs_analytics_source AS lead_source,
    d.hs_campaign AS campaign_id,
    d.hs_next_step AS next_step,
    d.closed_lost_reason AS loss_reason,
    d.hs_mrr AS mrr,
    d.hs_arr AS arr,
    d.hs_tcv AS tcv,
    d.hs_acv AS acv,
    day(instant(d.notes_last_contacted)) AS last_activity_date,
    d.archived AS is_deleted,
    instant(d.hs_lastmodifieddate) AS updated_at
FROM deals d
LEFT JOIN (
    SELECT
        pipelineId AS pipeline_id,
        stageId AS stage_id,
        max(probability) AS probability,
        max(lower(isClosed)) AS is_closed,
        max(CASE WHEN lower(isClosed) = 'true' AND TRY_CAST(probability AS DOUBLE) = 1
            THEN 'true' ELSE 'false' END) AS is_won
    FROM pipelines
    GROUP BY pipelineId, stageId
) p ON p.pipeline_id = d.pipeline AND p.stage_id = d.dealstage
UNION ALL
SELECT
    m.merged_id AS opportunity_id,
    m.owner_id AS owner_id,
    m.of_pipeline AS pipeline_id,
    m.of_stage AS stage_id,
    corporate_currency() AS currency,
    'false' AS is_closed,
    'false' AS is_won,
    'true' AS is_deleted,
    m.updated_at AS updated_at,
    '{"merged_into":"' || m.id || '"}' AS extra
FROM (
    SELECT
        unnest(string_to_array(hs_merged_object_ids, ';')) AS merged_id,
        hs_object_id AS id,
        coalesce(hubspot_owner_id, 'unassigned') AS owner_id,
        pipeline AS of_pipeline,
        dealstage AS of_stage,
        instant(hs_lastmodifieddate) AS updated_at
    FROM deals
    WHERE hs_merged_object_ids IS NOT NULL
) m
