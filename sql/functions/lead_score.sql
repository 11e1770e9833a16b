-- Which leads are worth a call today, and why?
-- Fit is the share of the points of those rules whose attribute is known; engagement is the decayed
-- points of what the lead did until `as_of`, each group of rules within its cap.
-- Leads are taken with the attributes they have now: a CRM export keeps no older ones.
--
-- parameter: model text = 'default'
-- parameter: as_of date = (SELECT as_of FROM ops.as_of)
-- example: SELECT lead_id, score, grade FROM lead_score('default', DATE '2026-05-31') ORDER BY score DESC
-- grain: one lead that came in until as_of
-- unit: fit, engagement, score points (0 to 100); fit NULL if no attribute is known
-- unit: fit_coverage share of the model's fit points whose attribute is known (ratio 0 to 1)
-- unit: grade A1 to C3, fit as the letter and engagement as the digit
-- unit: status ok, no_data (nothing known to judge the fit by), excluded (converted already)
-- unit: reasons rules that gave or took points, with the points
WITH today AS (
    SELECT CAST($as_of AS date) AS as_of, CAST(CAST($as_of AS date) AS timestamp) + INTERVAL '1 day' AS ends_at
),
candidates AS (
    SELECT l.*
    FROM crm.leads l
    CROSS JOIN today t
    WHERE NOT l.is_deleted AND CAST(l.created_at AS timestamp) < t.ends_at
),
fit_facts AS (
    SELECT
        l.lead_id,
        r.rule_id,
        r.op,
        r.value,
        r.points,
        r.group_name,
        r.group_cap,
        CASE r.attribute
            WHEN 'industry' THEN l.industry
            WHEN 'title' THEN l.title
            WHEN 'lead_source' THEN l.lead_source
            WHEN 'country' THEN l.country
            WHEN 'company' THEN l.company
            WHEN 'email' THEN l.email
            WHEN 'status' THEN l.status
            WHEN 'employees' THEN CAST(l.employees AS varchar)
            WHEN 'annual_revenue' THEN CAST(l.annual_revenue AS varchar)
        END AS fact
    FROM candidates l
    JOIN crm.scoring_rules r ON r.kind = 'fit' AND r.model = $model AND NOT r.is_deleted
),
fit_cases AS (
    SELECT
        lead_id,
        rule_id,
        group_name,
        group_cap,
        points,
        op = 'known' OR fact IS NOT NULL AS is_known,
        CASE op
            WHEN 'eq' THEN fact = value
            WHEN 'ne' THEN fact <> value
            WHEN 'in' THEN array_has(string_to_array(value, ','), fact)
            WHEN 'gte' THEN TRY_CAST(fact AS double) >= TRY_CAST(value AS double)
            WHEN 'lt' THEN TRY_CAST(fact AS double) < TRY_CAST(value AS double)
            WHEN 'known' THEN fact IS NOT NULL
        END AS holds
    FROM fit_facts
),
fit_groups AS (
    SELECT
        lead_id,
        coalesce(group_name, rule_id) AS group_name,
        least(
            coalesce(sum(points) FILTER (WHERE is_known AND holds), 0),
            coalesce(max(group_cap), 1000000000)
        ) AS points,
        least(
            coalesce(sum(points) FILTER (WHERE is_known AND points > 0), 0),
            coalesce(max(group_cap), 1000000000)
        ) AS known_points,
        least(coalesce(sum(points) FILTER (WHERE points > 0), 0), coalesce(max(group_cap), 1000000000))
            AS all_points
    FROM fit_cases
    GROUP BY lead_id, coalesce(group_name, rule_id)
),
fits AS (
    SELECT
        lead_id,
        CASE WHEN sum(known_points) > 0
            THEN least(greatest(100 * sum(points) / sum(known_points), 0), 100)
        END AS fit,
        sum(known_points) / nullif(sum(all_points), 0) AS fit_coverage
    FROM fit_groups
    GROUP BY lead_id
),
touches AS (
    SELECT
        e.lead_id,
        r.rule_id,
        r.group_name,
        r.group_cap,
        r.points * power(
            CAST(0.5 AS double),
            (date_part('epoch', t.ends_at) - date_part('epoch', CAST(e.occurred_at AS timestamp)))
            / 86400 / coalesce(r.half_life_days, 30)
        ) AS points
    FROM crm.engagement_events e
    CROSS JOIN today t
    JOIN crm.scoring_rules r
        ON r.kind = 'engagement' AND r.model = $model AND r.attribute = e.event_type AND NOT r.is_deleted
    WHERE NOT e.is_deleted
        AND NOT coalesce(e.is_filtered, false)
        AND e.lead_id IS NOT NULL
        AND CAST(e.occurred_at AS timestamp) < t.ends_at
),
touch_groups AS (
    SELECT
        lead_id,
        coalesce(group_name, rule_id) AS group_name,
        least(sum(points), coalesce(max(group_cap), 1000000000)) AS points
    FROM touches
    GROUP BY lead_id, coalesce(group_name, rule_id)
),
engagements AS (
    SELECT lead_id, least(greatest(sum(points), 0), 100) AS engagement
    FROM touch_groups
    GROUP BY lead_id
),
causes AS (
    SELECT lead_id, rule_id, points FROM fit_cases WHERE is_known AND holds
    UNION ALL
    SELECT lead_id, rule_id, sum(points) FROM touches GROUP BY lead_id, rule_id
),
reasons AS (
    SELECT
        lead_id,
        array_agg(named_struct('rule', rule_id, 'points', points) ORDER BY points DESC, rule_id) AS reasons
    FROM causes
    GROUP BY lead_id
),
scored AS (
    SELECT
        l.lead_id,
        l.is_converted AND CAST(l.converted_at AS date) <= t.as_of AS is_converted,
        f.fit,
        f.fit_coverage,
        -- No events is a fact, not a gap.
        coalesce(e.engagement, 0) AS engagement,
        r.reasons
    FROM candidates l
    CROSS JOIN today t
    LEFT JOIN fits f ON f.lead_id = l.lead_id
    LEFT JOIN engagements e ON e.lead_id = l.lead_id
    LEFT JOIN reasons r ON r.lead_id = l.lead_id
)
SELECT
    lead_id,
    fit,
    fit_coverage,
    engagement,
    lead_score(fit, engagement) AS score,
    lead_grade(fit, engagement) AS grade,
    CASE WHEN is_converted THEN 'excluded' WHEN fit IS NULL THEN 'no_data' ELSE 'ok' END AS status,
    reasons
FROM scored
