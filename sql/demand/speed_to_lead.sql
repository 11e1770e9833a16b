-- How fast does each rep answer a new lead?
-- Leads that came in within the 90 days until `as_of`. The time allowed is an hour, or the newest
-- company target of metric 'speed_to_lead_minutes'. A lead that is still within it and not answered
-- counts in no ratio; one that is past it and not answered has missed it.
--
-- grain: rep (owner of the lead); NULL for leads that nobody owns
-- unit: lead_count, answered_count, unanswered_count leads (count)
-- unit: median_minutes, p90_minutes minutes from the lead to the first answer, of those answered;
--   nine in ten took p90_minutes or less
-- unit: sla_minutes time allowed; within_sla_ratio answered in time over those whose time is up or
--   that were answered (ratio 0 to 1)
-- unit: invalid_count answers before their lead came in (count), left out of all the others but
--   lead_count
WITH targets AS (
    SELECT t.value, row_number() OVER (ORDER BY t.period_start DESC, t.scope_id) AS place
    FROM crm.targets t
    CROSS JOIN ops.as_of a
    WHERE t.metric = 'speed_to_lead_minutes'
        AND t.scope_type = 'company'
        AND NOT t.is_deleted
        AND t.period_start <= a.as_of
),
today AS (
    SELECT
        a.as_of,
        CAST(a.as_of AS timestamp) + INTERVAL '1 day' AS ends_at,
        coalesce(t.value, 60) AS sla_minutes
    FROM ops.as_of a
    LEFT JOIN targets t ON t.place = 1
),
answers AS (
    SELECT
        l.owner_id,
        t.sla_minutes,
        (date_part('epoch', t.ends_at) - date_part('epoch', CAST(l.created_at AS timestamp))) / 60
            AS waited_minutes,
        CASE WHEN CAST(l.first_response_at AS timestamp) < t.ends_at THEN
            (
                date_part('epoch', CAST(l.first_response_at AS timestamp))
                - date_part('epoch', CAST(l.created_at AS timestamp))
            ) / 60
        END AS minutes
    FROM crm.leads l
    CROSS JOIN today t
    WHERE NOT l.is_deleted
        AND CAST(l.created_at AS timestamp) < t.ends_at
        AND CAST(l.created_at AS timestamp) >= t.ends_at - INTERVAL '90 days'
),
ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY owner_id, minutes >= 0 ORDER BY minutes) AS place,
        count(*) OVER (PARTITION BY owner_id, minutes >= 0) AS place_count
    FROM answers
),
counted AS (
    SELECT
        owner_id,
        max(sla_minutes) AS sla_minutes,
        count(*) AS lead_count,
        count(*) FILTER (WHERE minutes >= 0) AS answered_count,
        count(*) FILTER (WHERE minutes IS NULL) AS unanswered_count,
        count(*) FILTER (WHERE minutes < 0) AS invalid_count,
        median(minutes) FILTER (WHERE minutes >= 0) AS median_minutes,
        min(minutes) FILTER (WHERE minutes >= 0 AND place * 10 >= place_count * 9) AS p90_minutes,
        count(*) FILTER (WHERE minutes >= 0 AND minutes <= sla_minutes) AS within_count,
        count(*) FILTER (
            WHERE minutes >= 0 OR (minutes IS NULL AND waited_minutes > sla_minutes)
        ) AS judged_count
    FROM ranked
    GROUP BY owner_id
)
SELECT
    c.owner_id AS user_id,
    u.name AS user_name,
    u.team,
    c.lead_count,
    c.answered_count,
    c.unanswered_count,
    c.invalid_count,
    c.median_minutes,
    c.p90_minutes,
    c.sla_minutes,
    CAST(c.within_count AS double) / nullif(c.judged_count, 0) AS within_sla_ratio
FROM counted c
LEFT JOIN crm.users u ON u.user_id = c.owner_id
