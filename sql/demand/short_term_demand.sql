-- What will the leads that are open today bring in the next thirteen weeks?
-- A lead is expected to be won as often, and in the same week, as leads of its grade were that were
-- open 13 and 26 weeks before `as_of`: a share that was seen, not points. Wins are deals that a
-- lead was converted to. Leads that come in from now on bring more.
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
        -- Days since then: the day after is the first of the first week.
        (d.close_date - a.as_of + p.back - 1) / 7 + 1 AS week
    FROM past p
    CROSS JOIN ops.as_of a
    LEFT JOIN crm.leads l ON l.lead_id = p.lead_id
    LEFT JOIN collect.closed_deals d ON d.opportunity_id = l.converted_opportunity_id
        AND d.is_won
        AND d.close_date - a.as_of + p.back BETWEEN 1 AND 91
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
        coalesce(o.grade, c.grade) AS grade,
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
told AS (
    -- What is true of all leads, on every row: of the rows of a grade the first one counts.
    SELECT
        *,
        sum(CASE WHEN place = 1 AND grade = 'A1' THEN lead_count ELSE 0 END) OVER ()
            AS a1_lead_count,
        sum(CASE WHEN place = 1 THEN coalesce(lead_count, 0) ELSE 0 END) OVER ()
            AS open_lead_count,
        sum(CASE WHEN place = 1 AND grade_count IS NULL THEN lead_count ELSE 0 END) OVER ()
            AS unrated_lead_count,
        max(seen_lead_count) OVER () AS all_seen_count,
        max(currency) OVER () AS some_currency,
        sum(won) OVER (PARTITION BY currency)
            / nullif(sum(priced_count) OVER (PARTITION BY currency), 0) AS mean_amount
    FROM (
        SELECT *, row_number() OVER (PARTITION BY grade ORDER BY currency, week) AS place FROM rated
    ) AS placed
),
weeks AS (
    SELECT as_of, CAST(unnest(generate_series(1, 13)) AS bigint) AS week FROM ops.as_of
),
expected AS (
    SELECT
        w.as_of,
        w.week,
        coalesce(t.currency, corporate_currency()) AS currency,
        coalesce(t.a1_lead_count, 0) AS a1_lead_count,
        coalesce(t.open_lead_count, 0) AS open_lead_count,
        coalesce(t.unrated_lead_count, 0) AS unrated_lead_count,
        coalesce(t.all_seen_count, 0) AS seen_lead_count,
        coalesce(sum(
            CAST(t.lead_count AS double) * t.win_count / t.grade_count
        ) FILTER (WHERE t.week = w.week), 0) AS win_count,
        max(t.mean_amount) AS mean_amount
    FROM weeks w
    LEFT JOIN told t ON true
    -- Leads that were not won have no currency: where none was won, they are all there is.
    WHERE t.currency IS NOT NULL OR t.some_currency IS NULL
    GROUP BY w.as_of, w.week, t.currency, t.a1_lead_count, t.open_lead_count,
        t.unrated_lead_count, t.all_seen_count
),
known AS (
    -- Something was seen, and it says something of the leads of today, if there are any.
    SELECT
        *,
        seen_lead_count > 0 AND (open_lead_count = 0 OR open_lead_count > unrated_lead_count)
            AS is_known
    FROM expected
)
SELECT
    week,
    CAST(as_of + 7 * (week - 1) + 1 AS date) AS week_start,
    CAST(as_of + 7 * week AS date) AS week_end,
    currency,
    a1_lead_count,
    open_lead_count,
    unrated_lead_count,
    CASE WHEN is_known THEN win_count END AS win_expected_count,
    CASE WHEN is_known THEN
        CAST(CASE WHEN win_count = 0 THEN 0 ELSE win_count * mean_amount END AS decimal(18, 2))
    END AS revenue_expected_amount,
    seen_lead_count
FROM known
