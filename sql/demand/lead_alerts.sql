-- Which open leads have just become worth a call, and by what?
-- A lead crosses the threshold on a day at whose end it scores that much and at whose start it did
-- not; only what a lead does can raise its score, so only days with a touch are looked at. A
-- crossing within 14 days of the one before is no alert. The threshold is 60, or the newest company
-- target of metric 'lead_alert_score'. Scores are those of `FROM lead_score('default', day)`.
--
-- grain: lead, day of the 30 until as_of on which it crossed
-- unit: score, score_before points at the end of the day and of the day before (0 to 100)
-- unit: threshold points (0 to 100)
-- unit: crossed_at time of the last touch of that day
-- unit: reason kinds of touches of that day, comma-separated
WITH thresholds AS (
    SELECT t.value, row_number() OVER (ORDER BY t.period_start DESC, t.scope_id) AS place
    FROM crm.targets t
    CROSS JOIN ops.as_of a
    WHERE t.metric = 'lead_alert_score'
        AND t.scope_type = 'company'
        AND NOT t.is_deleted
        AND t.period_start <= a.as_of
),
settings AS (
    SELECT a.as_of, coalesce(t.value, 60) AS threshold
    FROM ops.as_of a
    LEFT JOIN thresholds t ON t.place = 1
),
acts AS (
    SELECT
        e.lead_id,
        e.event_type,
        e.occurred_at AS touched_at,
        CAST(e.occurred_at AS timestamp) AS occurred_at,
        r.points,
        coalesce(r.half_life_days, 30) AS half_life_days,
        coalesce(r.group_name, r.rule_id) AS group_name,
        r.group_cap
    FROM crm.engagement_events e
    JOIN crm.scoring_rules r
        ON r.kind = 'engagement' AND r.model = 'default' AND r.attribute = e.event_type
        AND NOT r.is_deleted
    WHERE NOT e.is_deleted AND NOT coalesce(e.is_filtered, false) AND e.lead_id IS NOT NULL
),
days AS (
    -- A fortnight more than is shown, for the crossings before.
    SELECT
        e.lead_id,
        CAST(e.occurred_at AS date) AS day,
        max(e.touched_at) AS crossed_at,
        string_agg(DISTINCT e.event_type, ', ' ORDER BY e.event_type) AS reason
    FROM acts e
    CROSS JOIN settings t
    WHERE t.as_of - CAST(e.occurred_at AS date) BETWEEN 0 AND 43
    GROUP BY e.lead_id, CAST(e.occurred_at AS date)
),
ends AS (
    SELECT
        d.lead_id,
        d.day,
        b.back,
        CAST(CAST(d.day - b.back AS date) AS timestamp) + INTERVAL '1 day' AS ends_at
    FROM days d
    CROSS JOIN (VALUES (0), (1)) AS b (back)
),
group_points AS (
    SELECT
        n.lead_id,
        n.day,
        n.back,
        e.group_name,
        least(
            sum(e.points * power(
                CAST(0.5 AS double),
                (date_part('epoch', n.ends_at) - date_part('epoch', e.occurred_at))
                / 86400 / e.half_life_days
            )),
            coalesce(max(e.group_cap), 1000000000)
        ) AS points
    FROM ends n
    JOIN acts e ON e.lead_id = n.lead_id AND e.occurred_at < n.ends_at
    GROUP BY n.lead_id, n.day, n.back, e.group_name
),
levels AS (
    SELECT
        lead_id,
        day,
        least(greatest(sum(points) FILTER (WHERE back = 0), 0), 100) AS engagement,
        least(greatest(coalesce(sum(points) FILTER (WHERE back = 1), 0), 0), 100)
            AS engagement_before
    FROM group_points
    GROUP BY lead_id, day
),
judged AS (
    SELECT
        l.lead_id,
        l.company,
        l.owner_id,
        d.day,
        d.crossed_at,
        d.reason,
        t.threshold,
        t.as_of,
        lead_score(s.fit, g.engagement) AS score,
        -- A lead that came in on the day had no score before.
        CASE WHEN CAST(l.created_at AS date) < d.day THEN lead_score(s.fit, g.engagement_before) END
            AS score_before
    FROM days d
    CROSS JOIN settings t
    JOIN levels g ON g.lead_id = d.lead_id AND g.day = d.day
    JOIN lead_score() s ON s.lead_id = d.lead_id AND s.status = 'ok'
    JOIN crm.leads l ON l.lead_id = d.lead_id
),
crossings AS (
    SELECT *, lag(day) OVER (PARTITION BY lead_id ORDER BY day) AS day_before
    FROM judged
    WHERE score >= threshold AND coalesce(score_before, 0) < threshold
)
SELECT
    c.lead_id,
    c.company,
    c.owner_id,
    u.name AS owner_name,
    c.score,
    c.score_before,
    c.threshold,
    c.day AS crossed_on,
    c.crossed_at,
    c.reason
FROM crossings c
LEFT JOIN crm.users u ON u.user_id = c.owner_id
WHERE c.as_of - c.day < 30 AND (c.day_before IS NULL OR c.day - c.day_before > 14)
