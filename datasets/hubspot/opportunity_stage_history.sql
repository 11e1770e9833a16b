-- The states of deals, from the history of their properties (`propertiesWithHistory`, as the API gives
-- it, in a column of that name): a state begins whenever the stage, amount, close date, category or
-- owner changed.
-- A deal without it has its stages only, from the columns hs_v2_date_entered_<stage>; what it was worth
-- then is not known, and what it is worth now belongs to the stage it is in.
-- requires: deals(hs_object_id)
SELECT
    s.deal_id AS opportunity_id,
    json_text(s.state, 'from') AS valid_from,
    json_text(s.state, 'to') AS valid_to,
    json_text(s.state, 'dealstage') AS stage_id,
    json_text(s.state, 'amount') AS amount,
    s.currency AS currency,
    json_text(s.state, 'hs_deal_stage_probability') AS probability,
    day(instant(json_text(s.state, 'closedate'))) AS close_date,
    CASE json_text(s.state, 'hs_manual_forecast_category')
        WHEN 'OMIT' THEN 'omitted' ELSE lower(json_text(s.state, 'hs_manual_forecast_category'))
    END AS forecast_category,
    json_text(s.state, 'hubspot_owner_id') AS owner_id,
    json_text(s.state, 'by') AS changed_by,
    'recorded' AS history_quality,
    s.updated_at AS updated_at,
    CAST(NULL AS VARCHAR) AS extra
FROM (
    SELECT
        unnest(property_states(propertiesWithHistory)) AS state,
        hs_object_id AS deal_id,
        coalesce(deal_currency_code, corporate_currency()) AS currency,
        instant(hs_lastmodifieddate) AS updated_at
    FROM deals
    WHERE propertiesWithHistory IS NOT NULL
) s
WHERE json_text(s.state, 'dealstage') IS NOT NULL
UNION ALL
SELECT
    s.deal_id AS opportunity_id,
    json_text(s.state, 'from') AS valid_from,
    json_text(s.state, 'to') AS valid_to,
    json_text(s.state, 'dealstage') AS stage_id,
    CASE WHEN json_text(s.state, 'to') IS NULL THEN s.amount END AS amount,
    s.currency AS currency,
    CASE WHEN json_text(s.state, 'to') IS NULL THEN s.probability END AS probability,
    CASE WHEN json_text(s.state, 'to') IS NULL THEN s.close_date END AS close_date,
    s.owner_id AS owner_id,
    'recorded' AS history_quality,
    s.updated_at AS updated_at,
    CAST(NULL AS VARCHAR) AS extra
FROM (
    SELECT
        unnest(stage_dates(_extra)) AS state,
        hs_object_id AS deal_id,
        amount AS amount,
        coalesce(deal_currency_code, corporate_currency()) AS currency,
        hs_deal_stage_probability AS probability,
        day(instant(closedate)) AS close_date,
        hubspot_owner_id AS owner_id,
        instant(hs_lastmodifieddate) AS updated_at
    FROM deals
    WHERE propertiesWithHistory IS NULL
) s
