-- How long do deals stay in each stage?
-- Stays that ended tell how long one takes; those that go on are counted beside them, because a mean
-- without them is too short where deals get stuck. A deal that comes back stays twice.
--
-- grain: pipeline, open stage
-- unit: ended_count stays that ended until as_of, current_count stays that go on (count)
-- unit: mean_days, median_days, p90_days of the stays that ended (days); nine of ten ended by p90_days
-- unit: current_median_days, current_max_days of the stays that go on, so far (days)
-- unit: regression_count stays that ended in going back to an earlier stage (count)
WITH stays AS (
    SELECT
        pipeline_id,
        stage_id,
        count(*) FILTER (WHERE NOT is_current) AS ended_count,
        count(*) FILTER (WHERE is_current) AS current_count,
        avg(CAST(stage_days AS double)) FILTER (WHERE NOT is_current) AS mean_days,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(stage_days AS double))
            FILTER (WHERE NOT is_current) AS median_days,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY CAST(stage_days AS double))
            FILTER (WHERE NOT is_current) AS p90_days,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(stage_days AS double))
            FILTER (WHERE is_current) AS current_median_days,
        max(stage_days) FILTER (WHERE is_current) AS current_max_days,
        count(*) FILTER (WHERE is_regression) AS regression_count
    FROM collect.deal_stages
    GROUP BY pipeline_id, stage_id
)
SELECT
    a.as_of,
    g.pipeline_id,
    g.stage_id,
    g.label AS stage_label,
    g.ordinal AS stage_ordinal,
    coalesce(s.ended_count, 0) AS ended_count,
    coalesce(s.current_count, 0) AS current_count,
    s.mean_days,
    s.median_days,
    s.p90_days,
    s.current_median_days,
    s.current_max_days,
    coalesce(s.regression_count, 0) AS regression_count
FROM crm.stage_definitions g
CROSS JOIN ops.as_of a
LEFT JOIN stays s ON s.pipeline_id = g.pipeline_id AND s.stage_id = g.stage_id
WHERE NOT g.is_closed
