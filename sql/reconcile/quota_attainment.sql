-- Who reaches their bookings quota, quarter by quarter?
-- `FROM quota_attainment(start, end, scope, metric)` answers for any other period or metric.
--
-- grain: scope_type ('rep', 'manager', 'territory', 'company'), quarter, scope_id, unit
-- unit: quota, effective_quota, actual, gap, open_pipeline, own_quota in `unit`, a currency
-- unit: attainment, pace, coverage, over_assignment ratios; 1 attainment is the whole quota
SELECT 'rep' AS scope_type, * FROM quota_attainment(NULL, NULL, 'rep')
UNION ALL
SELECT 'manager', * FROM quota_attainment(NULL, NULL, 'manager')
UNION ALL
SELECT 'territory', * FROM quota_attainment(NULL, NULL, 'territory')
UNION ALL
SELECT 'company', * FROM quota_attainment(NULL, NULL, 'company')
