-- What turned the pipeline of one day into that of another?
-- The pipeline is what is to close in a window: `start_amount + created + pulled_in + increased
-- - decreased - pushed - lost - won = end_amount`, to the cent, and `check_amount` is what is missing.
-- A deal that comes and ends between the two days counts as created and as won or lost.
-- A deal that is reopened counts as created, one whose amount changes as it is won or lost as
-- increased or decreased too; one whose currency changes is pushed in one and created in the other.
-- Deals without an amount count as 0 and in `unpriced_count`.
--
-- parameter: start date -- first day: the pipeline at its end
-- parameter: end date -- last day: the pipeline at its end
-- parameter: win_start date -- first close date of the window
-- parameter: win_end date -- last close date of the window
-- example: SELECT * FROM pipeline_waterfall(DATE '2026-03-31', DATE '2026-05-31', DATE '2026-04-01', DATE '2026-06-30')
-- grain: currency
-- unit: start_amount, created, pulled_in, increased, decreased, pushed, lost, won, end_amount, check_amount in currency
-- unit: deal_count, unpriced_count deals that were in the window on either day (count)
WITH moves AS (
    SELECT
        coalesce(e.currency, s.currency) AS currency,
        coalesce(s.amount, 0) AS was,
        coalesce(e.amount, s.amount, 0) AS is_now,
        s.amount IS NULL AND e.amount IS NULL AS is_unpriced,
        coalesce(s.status = 'open' AND s.close_date BETWEEN $win_start AND $win_end, false) AS was_in,
        coalesce(e.close_date BETWEEN $win_start AND $win_end, false) AS ends_in,
        coalesce(e.status, 'open') AS status,
        s.status IS NOT NULL AND s.status = 'open' AS was_open
    FROM deals_asof($start) s
    FULL JOIN deals_asof($end) e
        ON e.opportunity_id = s.opportunity_id AND e.currency = s.currency
    -- What had ended before the first day and did not come back has no part in it.
    WHERE coalesce(s.status, 'open') = 'open' OR e.status = 'open'
),
parts AS (
    SELECT
        currency,
        is_unpriced,
        CASE WHEN was_in THEN was ELSE 0 END AS start_amount,
        CASE WHEN NOT was_in AND NOT was_open THEN is_now ELSE 0 END AS created,
        CASE WHEN NOT was_in AND was_open THEN is_now ELSE 0 END AS pulled_in,
        CASE WHEN was_in AND is_now > was AND NOT is_pushed THEN is_now - was ELSE 0 END AS increased,
        CASE WHEN was_in AND is_now < was AND NOT is_pushed THEN was - is_now ELSE 0 END AS decreased,
        CASE WHEN is_pushed THEN was ELSE 0 END AS pushed,
        CASE WHEN status = 'lost' THEN is_now ELSE 0 END AS lost,
        CASE WHEN status = 'won' THEN is_now ELSE 0 END AS won,
        CASE WHEN status = 'open' AND ends_in THEN is_now ELSE 0 END AS end_amount
    FROM (SELECT *, was_in AND status = 'open' AND NOT ends_in AS is_pushed FROM moves) AS m
    WHERE was_in OR ends_in
)
SELECT
    currency,
    sum(start_amount) AS start_amount,
    sum(created) AS created,
    sum(pulled_in) AS pulled_in,
    sum(increased) AS increased,
    sum(decreased) AS decreased,
    sum(pushed) AS pushed,
    sum(lost) AS lost,
    sum(won) AS won,
    sum(end_amount) AS end_amount,
    sum(start_amount) + sum(created) + sum(pulled_in) + sum(increased)
        - sum(decreased) - sum(pushed) - sum(lost) - sum(won) - sum(end_amount) AS check_amount,
    count(*) AS deal_count,
    count(*) FILTER (WHERE is_unpriced) AS unpriced_count
FROM parts
GROUP BY currency
