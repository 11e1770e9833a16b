-- What was booked in each quarter that has ended, all currencies in the corporate one?
-- Each deal at the rate of its close date. A total that a deal is missing from, for want of a rate, is
-- NULL and not a smaller number: `converted_amount` is what could be converted.
--
-- grain: quarter
-- unit: booked_amount in corporate_currency; NULL if a won deal has an amount and no rate
-- unit: converted_amount in corporate_currency, of the deals that have a rate
-- unit: won_count, unpriced_count, unconverted_count deals (count); unpriced have no amount,
--   unconverted an amount and no rate
-- unit: currency_count currencies of the deals (count); more than 1 is a mixed total
-- unit: unconverted_currencies codes without a rate on the day that was needed, comma-separated
WITH booked AS (
    SELECT
        quarter_start,
        count(*) AS won_count,
        sum(corporate_amount) AS converted_amount,
        count(*) FILTER (WHERE amount IS NULL) AS unpriced_count,
        count(amount) - count(corporate_amount) AS unconverted_count,
        count(DISTINCT currency) AS currency_count,
        string_agg(DISTINCT currency, ', ' ORDER BY currency)
            FILTER (WHERE amount IS NOT NULL AND fx_rate IS NULL) AS unconverted_currencies
    FROM collect.corporate_closed_deals
    WHERE is_won
    GROUP BY quarter_start
),
first_quarter AS (
    SELECT min(quarter_start) AS first_start FROM booked
)
SELECT
    q.quarter_start,
    q.quarter_end,
    corporate_currency() AS corporate_currency,
    CASE WHEN coalesce(b.unconverted_count, 0) = 0
        THEN coalesce(b.converted_amount, CAST(0 AS decimal(18, 2)))
    END AS booked_amount,
    coalesce(b.converted_amount, CAST(0 AS decimal(18, 2))) AS converted_amount,
    coalesce(b.won_count, 0) AS won_count,
    coalesce(b.unpriced_count, 0) AS unpriced_count,
    coalesce(b.unconverted_count, 0) AS unconverted_count,
    coalesce(b.currency_count, 0) AS currency_count,
    b.unconverted_currencies
FROM ops.quarters q
JOIN first_quarter f ON q.quarter_start >= f.first_start
LEFT JOIN booked b ON b.quarter_start = q.quarter_start
WHERE q.is_complete
