-- What is in stock of each product, and is it time to order?
-- As last counted until `as_of`, all places together. Demand is what was sold in the last 52 weeks,
-- weeks without a sale included; products that nobody has counted are not here.
--
-- grain: product with a stock count
-- unit: on_hand_units, on_order_units, allocated_units as counted; counted_on the oldest of the
--   counts that make it up
-- unit: available_units on hand and on order less allocated; negative is a backlog
-- unit: week_demand_units mean units sold a week; week_deviation_units their standard deviation
-- unit: lead_time_days days from order to receipt, the longest of the places; NULL if not known
-- unit: safety_units 1.645 deviations over the lead time: enough in 95 % of the cases
-- unit: reorder_point_units demand over the lead time and safety_units; NULL without a lead time
-- unit: is_to_order true if available_units is at or below it
-- unit: cover_days days that available_units lasts at mean demand; NULL without demand
WITH counted AS (
    SELECT
        i.product_id,
        i.location,
        i.as_of AS counted_on,
        i.on_hand,
        i.on_order,
        i.allocated,
        i.lead_time_days,
        row_number() OVER (PARTITION BY i.product_id, i.location ORDER BY i.as_of DESC) AS place
    FROM crm.inventory i
    CROSS JOIN ops.as_of t
    WHERE NOT i.is_deleted AND i.as_of <= t.as_of
),
stock AS (
    SELECT
        product_id,
        min(counted_on) AS counted_on,
        sum(on_hand) AS on_hand,
        sum(on_order) AS on_order,
        sum(allocated) AS allocated,
        max(lead_time_days) AS lead_time_days
    FROM counted
    WHERE place = 1
    GROUP BY product_id
),
weeks AS (
    SELECT l.product_id, (t.as_of - d.close_date) / 7 AS week, sum(l.quantity) AS units
    FROM collect.closed_deals d
    CROSS JOIN ops.as_of t
    JOIN crm.opportunity_line_items l ON l.opportunity_id = d.opportunity_id AND NOT l.is_deleted
    WHERE d.is_won AND t.as_of - d.close_date < 364
    GROUP BY l.product_id, (t.as_of - d.close_date) / 7
),
demand AS (
    -- Weeks without a sale count with 0, hence 52 and not the number of rows.
    SELECT
        product_id,
        sum(units) / 52 AS week_demand,
        sqrt(greatest((sum(units * units) - sum(units) * sum(units) / 52) / 51, 0))
            AS week_deviation
    FROM weeks
    GROUP BY product_id
),
judged AS (
    SELECT
        s.*,
        s.on_hand + s.on_order - s.allocated AS available,
        coalesce(d.week_demand, 0) AS week_demand,
        coalesce(d.week_deviation, 0) AS week_deviation,
        safety_stock(1.645, coalesce(d.week_deviation, 0), s.lead_time_days / 7) AS safety
    FROM stock s
    LEFT JOIN demand d ON d.product_id = s.product_id
)
SELECT
    j.product_id,
    p.name AS product_name,
    j.counted_on,
    j.on_hand AS on_hand_units,
    j.on_order AS on_order_units,
    j.allocated AS allocated_units,
    j.available AS available_units,
    j.week_demand AS week_demand_units,
    j.week_deviation AS week_deviation_units,
    j.lead_time_days,
    j.safety AS safety_units,
    j.week_demand * j.lead_time_days / 7 + j.safety AS reorder_point_units,
    j.available <= j.week_demand * j.lead_time_days / 7 + j.safety AS is_to_order,
    j.available / nullif(j.week_demand, 0) * 7 AS cover_days
FROM judged j
LEFT JOIN crm.products p ON p.product_id = j.product_id
