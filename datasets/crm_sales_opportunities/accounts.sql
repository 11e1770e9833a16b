-- The accounts. Their name is their id: the other files know them by nothing else.
-- An account is as old as its first deal; revenue comes in millions; `technolgy` is a slip of the source.
-- requires: accounts(account, sector, revenue)
-- else sales_pipeline: SELECT account_id AS account, CAST(created_at AS DATE) AS engage_date FROM crm.opportunities
SELECT
    a.account AS account_id,
    a.account AS name,
    CASE a.sector WHEN 'technolgy' THEN 'technology' ELSE a.sector END AS industry,
    a.employees AS employees,
    shift_decimal(a.revenue, 6) AS annual_revenue,
    'USD' AS currency,
    a.year_established AS founded_year,
    a.office_location AS country,
    a.subsidiary_of AS parent_account_id,
    CAST(d.first_day AS VARCHAR) AS created_at
FROM accounts a
LEFT JOIN (
    -- Dates that are none fail in their own row, not here.
    SELECT account, min(TRY_CAST(engage_date AS DATE)) AS first_day
    FROM sales_pipeline
    GROUP BY account
) d ON d.account = a.account
