-- The rates are units of a currency for one of the company's: one unit is worth one over the rate.
-- A rate holds until the next one of the same currency and company. Rates of all companies are those of the
-- first company.
-- requires: res_currency_rate(id, name, rate, currency_id)
SELECT
    c.name AS from_ccy,
    coalesce(y.currency, corporate_currency()) AS to_ccy,
    day(r.name) AS valid_from,
    n.valid_to AS valid_to,
    reciprocal(r.rate) AS rate,
    r.id AS source_id,
    utc(r.write_date) AS updated_at
FROM res_currency_rate r
LEFT JOIN (SELECT id, max(name) AS name FROM res_currency GROUP BY id) c ON c.id = r.currency_id
LEFT JOIN (
    SELECT
        id,
        lead(name) OVER (PARTITION BY currency_id, company_id ORDER BY name) AS valid_to
    FROM res_currency_rate
) n ON n.id = r.id
LEFT JOIN (
    SELECT n.id AS id, max(c.name) AS currency
    FROM res_company n LEFT JOIN res_currency c ON c.id = n.currency_id GROUP BY n.id
) y ON y.id = coalesce(r.company_id, '1')
