-- The campaigns; their type is the channel.
-- requires: Campaign(Id)
-- labels: Campaign(Id = Campaign ID, Name = Campaign Name, BudgetedCost = Budgeted Cost in Campaign, ActualCost = Actual Cost in Campaign, IsDeleted = Deleted)
SELECT
    salesforce_id(Id) AS campaign_id,
    Name AS name,
    Type AS channel,
    StartDate AS start_date,
    EndDate AS end_date,
    BudgetedCost AS budget,
    ActualCost AS cost,
    coalesce(CurrencyIsoCode, corporate_currency()) AS currency,
    IsDeleted AS is_deleted,
    coalesce(SystemModstamp, LastModifiedDate) AS updated_at
FROM Campaign
