-- What did each seller do, week by week?
-- Weeks begin on Monday, and those in which nothing was done are there with 0. Only what is done counts,
-- until `as_of`; e-mails that came in do not, and those that a sequence sent stand apart.
--
-- grain: user, week, from the first fact of the company or the user's hiring on
-- unit: email_count, automated_email_count, call_count, connected_call_count, meeting_count, demo_count,
--   proposal_count activities (count); connected are calls whose outcome says so
-- unit: unrated_call_count calls without an outcome, of which nobody knows whether they connected (count)
-- unit: talk_minutes length of the connected calls (minutes)
-- unit: opened_count deals opened, lead_count leads that were mailed, called or met (count)
-- unit: selling_hours calls, meetings, demos and proposals whose length is known (hours); NULL if there
--   were such, but no length of any is known
-- unit: untimed_count of these, the ones whose length is not known (count)
-- unit: contracted_hours of the workdays of the week that the user was in the seat and that are over
-- unit: selling_ratio selling_hours over contracted_hours (ratio)
WITH today AS (
    SELECT as_of, CAST(date_trunc('week', as_of) AS date) AS last_week FROM ops.as_of
),
done AS (
    SELECT
        v.owner_id,
        CAST(date_trunc('week', v.occurred_at) AS date) AS week_start,
        v.kind,
        v.lead_id,
        v.duration_s,
        v.outcome,
        v.direction IS DISTINCT FROM 'in' AS is_ours,
        coalesce(v.is_automated, false) AS is_automated,
        lower(v.outcome) LIKE 'connected%' AS is_connected,
        v.kind IN ('call', 'meeting', 'demo', 'proposal') AS is_selling
    FROM crm.activities v
    CROSS JOIN today t
    WHERE NOT v.is_deleted AND v.status = 'done' AND CAST(v.occurred_at AS date) <= t.as_of
),
acts AS (
    SELECT
        owner_id,
        week_start,
        count(*) FILTER (WHERE kind = 'email' AND is_ours AND NOT is_automated) AS email_count,
        count(*) FILTER (WHERE kind = 'email' AND is_ours AND is_automated) AS automated_email_count,
        count(*) FILTER (WHERE kind = 'call') AS call_count,
        count(*) FILTER (WHERE kind = 'call' AND is_connected) AS connected_call_count,
        count(*) FILTER (WHERE kind = 'call' AND outcome IS NULL) AS unrated_call_count,
        sum(duration_s) FILTER (WHERE kind = 'call' AND is_connected) AS talk_s,
        count(*) FILTER (WHERE kind = 'meeting') AS meeting_count,
        count(*) FILTER (WHERE kind = 'demo') AS demo_count,
        count(*) FILTER (WHERE kind = 'proposal') AS proposal_count,
        count(DISTINCT lead_id) FILTER (
            WHERE is_selling OR (kind = 'email' AND is_ours AND NOT is_automated)
        ) AS lead_count,
        count(*) FILTER (WHERE is_selling) AS selling_count,
        count(*) FILTER (WHERE is_selling AND duration_s IS NULL) AS untimed_count,
        sum(duration_s) FILTER (WHERE is_selling) AS selling_s
    FROM done
    GROUP BY owner_id, week_start
),
opened AS (
    SELECT
        o.owner_id,
        CAST(date_trunc('week', o.created_at) AS date) AS week_start,
        count(*) AS opened_count
    FROM crm.opportunities o
    CROSS JOIN today t
    WHERE NOT o.is_deleted AND CAST(o.created_at AS date) <= t.as_of
    GROUP BY o.owner_id, CAST(date_trunc('week', o.created_at) AS date)
),
facts AS (
    SELECT owner_id, week_start FROM acts
    UNION ALL
    SELECT owner_id, week_start FROM opened
),
firsts AS (
    SELECT owner_id, min(week_start) AS own_first, min(min(week_start)) OVER () AS company_first
    FROM facts
    GROUP BY owner_id
),
seats AS (
    SELECT
        f.owner_id,
        u.name,
        u.team,
        u.role,
        u.hire_date,
        u.termination_date,
        u.hours_per_week,
        -- Who came before the data begins is followed from there, who came later from the hiring.
        least(
            f.own_first,
            coalesce(
                greatest(CAST(date_trunc('week', u.hire_date) AS date), f.company_first), f.own_first
            )
        ) AS first_week,
        least(
            t.last_week,
            coalesce(CAST(date_trunc('week', u.termination_date) AS date), t.last_week)
        ) AS last_week
    FROM firsts f
    CROSS JOIN today t
    LEFT JOIN crm.users u ON u.user_id = f.owner_id
),
bounds AS (
    SELECT min(first_week) AS first_week, max(last_week) AS last_week FROM seats
),
calendar AS (
    SELECT CAST(unnest(generate_series(
        CAST(first_week AS timestamp), CAST(last_week AS timestamp), INTERVAL '7 days'
    )) AS date) AS week_start
    FROM bounds
),
weeks AS (
    -- What somebody did after they left is theirs, too.
    SELECT s.owner_id, c.week_start
    FROM seats s
    JOIN calendar c ON c.week_start >= s.first_week AND c.week_start <= s.last_week
    UNION
    SELECT owner_id, week_start FROM facts
),
joined AS (
    SELECT
        w.owner_id,
        s.name,
        s.team,
        s.role,
        w.week_start,
        CAST(w.week_start + INTERVAL '6 days' AS date) <= t.as_of AS is_complete,
        s.hours_per_week * workdays(
            greatest(w.week_start, coalesce(s.hire_date, w.week_start)),
            least(
                CAST(w.week_start + INTERVAL '6 days' AS date),
                t.as_of,
                coalesce(s.termination_date, t.as_of)
            )
        ) / 5 AS contracted_hours,
        t.as_of
    FROM weeks w
    CROSS JOIN today t
    JOIN seats s ON s.owner_id = w.owner_id
)
SELECT
    j.owner_id AS user_id,
    j.name AS user_name,
    j.team,
    j.role,
    j.week_start,
    j.is_complete,
    coalesce(a.email_count, 0) AS email_count,
    coalesce(a.automated_email_count, 0) AS automated_email_count,
    coalesce(a.call_count, 0) AS call_count,
    coalesce(a.connected_call_count, 0) AS connected_call_count,
    coalesce(a.unrated_call_count, 0) AS unrated_call_count,
    CASE
        WHEN coalesce(a.connected_call_count, 0) = 0 THEN 0
        ELSE CAST(a.talk_s AS double) / 60
    END AS talk_minutes,
    coalesce(a.meeting_count, 0) AS meeting_count,
    coalesce(a.demo_count, 0) AS demo_count,
    coalesce(a.proposal_count, 0) AS proposal_count,
    coalesce(o.opened_count, 0) AS opened_count,
    coalesce(a.lead_count, 0) AS lead_count,
    CASE WHEN coalesce(a.selling_count, 0) = 0 THEN 0 ELSE CAST(a.selling_s AS double) / 3600 END
        AS selling_hours,
    coalesce(a.untimed_count, 0) AS untimed_count,
    j.contracted_hours,
    CASE WHEN coalesce(a.selling_count, 0) = 0 THEN 0 ELSE CAST(a.selling_s AS double) / 3600 END
        / nullif(j.contracted_hours, 0) AS selling_ratio,
    j.as_of
FROM joined j
LEFT JOIN acts a ON a.owner_id = j.owner_id AND a.week_start = j.week_start
LEFT JOIN opened o ON o.owner_id = j.owner_id AND o.week_start = j.week_start
