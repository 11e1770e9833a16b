-- What will the leads that are open today bring in the next thirteen weeks?
-- A lead is expected to be won as often, and in the same week, as leads of its grade were that were
-- open 13 and 26 weeks before `as_of`: a share that was seen, not points. Wins are deals that a lead
-- was converted to. Leads that come in from now on bring more.
--
-- grain: week after as_of, currency
-- unit: week 1 to 13 (count); week_start, week_end days, both inclusive
-- unit: a1_lead_count open leads of grade A1, open_lead_count open leads of any, unrated_lead_count
--   those of a grade without history, which count in nothing (count); the same in each row
-- unit: win_expected_count wins expected in the week (count); NULL without history
-- unit: revenue_expected_amount these wins times the mean amount of the wins seen, in currency
-- unit: seen_lead_count leads that the shares were seen on (count)
WITH past AS (
    SELECT lead_id, grade, 91 AS back
    FROM lead_score('default', (SELECT CAST(as_of - 91 AS date) FROM ops.as_of))
    WHERE status = 'ok' AND grade IS NOT NULL
    UNION ALL
    SELECT lead_id, grade, 182
    FROM lead_score('default', (SELECT CAST(as_of - 182 AS date) FROM ops.as_of))
    WHERE status = 'ok' AND grade IS NOT NULL
),
seen AS (
    -- One row a lead: what it was won for within 13 weeks, if it was.
    SELECT
        p.grade,
        d.currency,
        d.amount,
        (d.close_date - (a.as_of - p.back) - 1) / 7 + 1 AS week
    FROM past p
    CROSS JOIN ops.as_of a
    LEFT JOIN crm.leads l ON l.lead_id = p.lead_id
    LEFT JOIN collect.closed_deals d ON d.opportunity_id = l.converted_opportunity_id
        AND d.is_won
        AND d.close_date > a.as_of - p.back
        AND d.close_date <= a.as_of - p.back + 91
),
cells AS (
    SELECT
        grade,
        currency,
        week,
        count(week) AS win_count,
        sum(CAST(amount AS double)) AS won,
        count(amount) AS priced_count,
        sum(count(*)) OVER (PARTITION BY grade) AS grade_count,
        sum(count(*)) OVER () AS seen_lead_count
    FROM seen
    GROUP BY grade, currency, week
),
open_leads AS (
    SELECT grade, count(*) AS lead_count
    FROM lead_score()
    WHERE status = 'ok' AND grade IS NOT NULL
    GROUP BY grade
),
rated AS (
    SELECT
        o.grade,
        o.lead_count,
        c.currency,
        c.week,
        c.win_count,
        c.won,
        c.priced_count,
        c.grade_count,
        c.seen_lead_count
    FROM cells c
    FULL JOIN open_leads o ON o.grade = c.grade
),
leads AS (
    SELECT
        coalesce(sum(lead_count) FILTER (WHERE grade = 'A1'), 0) AS a1_lead_count,
        coalesce(sum(lead_count), 0) AS open_lead_count,
        coalesce(sum(lead_count) FILTER (WHERE grade_count IS NULL), 0) AS unrated_lead_count,
        max(seen_lead_count) AS seen_lead_count,
        -- Something was seen, and it says something of the leads of today, if there are any.
        coalesce(max(seen_lead_count), 0) > 0
            AND (count(lead_count) = 0 OR count(lead_count) FILTER (WHERE grade_count > 0) > 0) AS is_known
    FROM (
        SELECT grade, max(lead_count) AS lead_count, max(grade_count) AS grade_count,
            max(seen_lead_count) AS seen_lead_count
        FROM rated
        GROUP BY grade
    ) AS grades
),
wins AS (
    SELECT
        currency,
        week,
        sum(CAST(lead_count AS double) * win_count / grade_count) AS win_count,
        sum(won) AS won,
        sum(priced_count) AS priced_count
    FROM rated
    WHERE week IS NOT NULL
    GROUP BY currency, week
),
prices AS (
    SELECT currency, sum(won) / nullif(sum(priced_count), 0) AS mean_amount FROM wins GROUP BY currency
),
weeks AS (
    SELECT as_of, CAST(unnest(generate_series(1, 13)) AS bigint) AS week FROM ops.as_of
)
SELECT
    w.week,
    CAST(w.as_of + 7 * (w.week - 1) + 1 AS date) AS week_start,
    CAST(w.as_of + 7 * w.week AS date) AS week_end,
    coalesce(p.currency, corporate_currency()) AS currency,
    l.a1_lead_count,
    l.open_lead_count,
    l.unrated_lead_count,
    CASE WHEN l.is_known THEN coalesce(n.win_count, 0) END AS win_expected_count,
    CASE WHEN l.is_known
        THEN CAST(coalesce(n.win_count * p.mean_amount, 0) AS decimal(18, 2))
    END AS revenue_expected_amount,
    coalesce(l.seen_lead_count, 0) AS seen_lead_count
FROM weeks w
CROSS JOIN leads l
LEFT JOIN prices p ON true
LEFT JOIN wins n ON n.week = w.week AND n.currency = p.currency
