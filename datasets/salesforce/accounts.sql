-- The accounts. Ids of 15 and 18 characters are one id; the web address gives the domain.
-- A record that was merged into another is deleted, and `merged_into` says into which.
-- requires: Account(Id, Name)
-- labels: Account(Id = Account ID, Name = Account Name, NumberOfEmployees = Employees, BillingState = Billing State/Province, Segment__c = Segment, SystemModstamp = System Modstamp, IsDeleted = Deleted)
SELECT
    salesforce_id(a.Id) AS account_id,
    a.Name AS name,
    regexp_replace(lower(trim(a.Website)), '^(https?://)?(www\.)?([^/:?#]+).*$', '\3') AS domain,
    a.Industry AS industry,
    a.Type AS account_type,
    a.AccountSource AS source,
    a.NumberOfEmployees AS employees,
    a.AnnualRevenue AS annual_revenue,
    coalesce(a.CurrencyIsoCode, corporate_currency()) AS currency,
    a.YearStarted AS founded_year,
    a.BillingCountry AS country,
    a.BillingState AS state,
    a.BillingCity AS city,
    salesforce_id(a.OwnerId) AS owner_id,
    salesforce_id(a.ParentId) AS parent_account_id,
    t.territory_id AS territory_id,
    a.Segment__c AS segment,
    a.CreatedDate AS created_at,
    a.IsDeleted AS is_deleted,
    merged_into(a._extra, salesforce_id(a.MasterRecordId)) AS extra,
    coalesce(a.SystemModstamp, a.LastModifiedDate) AS updated_at
FROM Account a
LEFT JOIN (
    SELECT salesforce_id(ObjectId) AS account_id, min(salesforce_id(Territory2Id)) AS territory_id
    FROM ObjectTerritory2Association
    GROUP BY salesforce_id(ObjectId)
) t ON t.account_id = salesforce_id(a.Id)
