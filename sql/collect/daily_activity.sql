-- What was done and what came of it, one row a day?
-- `collect.kpi_daily` as columns, for those who want a table and no series; money is in `kpi_daily` and
-- `daily_sales`, by currency. A kind of fact that has not occurred yet is NULL and not 0.
--
-- grain: day, from the first fact of any kind until as_of
-- unit: call_count, email_count, meeting_count, demo_count, proposal_count done (count)
-- unit: lead_count, qualified_count, accepted_count leads that came in, were qualified by marketing and
--   accepted by sales (count)
-- unit: opened_count, won_count, lost_count deals (count)
SELECT
    day,
    CAST(max(kpi_value) FILTER (WHERE kpi = 'calls') AS bigint) AS call_count,
    CAST(max(kpi_value) FILTER (WHERE kpi = 'emails') AS bigint) AS email_count,
    CAST(max(kpi_value) FILTER (WHERE kpi = 'meetings') AS bigint) AS meeting_count,
    CAST(max(kpi_value) FILTER (WHERE kpi = 'demos') AS bigint) AS demo_count,
    CAST(max(kpi_value) FILTER (WHERE kpi = 'proposals') AS bigint) AS proposal_count,
    CAST(max(kpi_value) FILTER (WHERE kpi = 'leads_created') AS bigint) AS lead_count,
    CAST(max(kpi_value) FILTER (WHERE kpi = 'leads_qualified') AS bigint) AS qualified_count,
    CAST(max(kpi_value) FILTER (WHERE kpi = 'leads_accepted') AS bigint) AS accepted_count,
    CAST(max(kpi_value) FILTER (WHERE kpi = 'opps_created') AS bigint) AS opened_count,
    CAST(max(kpi_value) FILTER (WHERE kpi = 'deals_won') AS bigint) AS won_count,
    CAST(max(kpi_value) FILTER (WHERE kpi = 'deals_lost') AS bigint) AS lost_count
FROM collect.kpi_daily
GROUP BY day
