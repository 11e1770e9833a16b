-- Which deals were open on a day, as they stood then?
--
-- parameter: as_of date = NULL -- the day; without, the day reports are made for
-- grain: one open deal
-- unit: amount in currency; NULL is unknown
-- unit: list_amount list price of its products, in currency
-- unit: probability_ratio chance of winning (ratio 0 to 1)
-- unit: weighted_amount amount times probability, in currency
-- unit: age_days days since it was opened; stage_days days since it came to its stage
SELECT * FROM deals_asof($as_of) WHERE status = 'open'
