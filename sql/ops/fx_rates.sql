-- What is a currency worth in the corporate one, and when?
-- A rate of a currency begins on its first day and holds until its last, or until the next rate of the
-- currency; a day that no rate reaches has none. A rate from the corporate currency is turned round.
-- Of two rates of the same first day the one to the corporate currency holds, then that of the source
-- whose name comes first.
--
-- grain: currency, first day
-- unit: rate units of corporate_currency for one of currency
-- unit: valid_from first day; valid_to first day the rate no longer holds, NULL while it does
-- unit: basis 'direct', or 'inverse' of a rate from the corporate currency
WITH known AS (
    SELECT
        from_ccy AS currency, valid_from, valid_to, rate, 'direct' AS basis, source_system, source_id
    FROM crm.fx_rates
    WHERE NOT is_deleted AND rate > 0 AND to_ccy = corporate_currency()
        AND from_ccy <> corporate_currency()
    UNION ALL
    SELECT to_ccy, valid_from, valid_to, 1 / rate, 'inverse', source_system, source_id
    FROM crm.fx_rates
    WHERE NOT is_deleted AND rate > 0 AND from_ccy = corporate_currency()
        AND to_ccy <> corporate_currency()
),
ranked AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY currency, valid_from ORDER BY basis, source_system, source_id
        ) AS place
    FROM known
    WHERE valid_to IS NULL OR valid_to > valid_from
),
chosen AS (
    SELECT *, lead(valid_from) OVER (PARTITION BY currency ORDER BY valid_from) AS next_from
    FROM ranked
    WHERE place = 1
)
SELECT
    currency,
    corporate_currency() AS corporate_currency,
    valid_from,
    least(valid_to, next_from) AS valid_to,
    rate,
    basis,
    source_system,
    source_id
FROM chosen
