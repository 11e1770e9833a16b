-- The leads. When they became marketing- or sales-qualified is kept in custom fields, if at all.
-- A record that was merged into another is deleted, and `merged_into` says into which.
-- requires: Lead(Id, Status)
-- labels: Lead(Id = Lead ID, Company = Company / Account, Status = Lead Status, NumberOfEmployees = No. of Employees, IsConverted = Converted, MQL_Date__c = MQL Date, SQL_Date__c = SQL Date, First_Response__c = First Response, IsDeleted = Deleted)
-- else CampaignMember: SELECT lead_or_contact_id AS LeadId, campaign_id AS CampaignId FROM crm.campaign_members
SELECT
    salesforce_id(l.Id) AS lead_id,
    lower(trim(l.Email)) AS email,
    l.Company AS company,
    l.Title AS title,
    l.Status AS status,
    l.LeadSource AS lead_source,
    l.Industry AS industry,
    l.NumberOfEmployees AS employees,
    l.AnnualRevenue AS annual_revenue,
    coalesce(l.CurrencyIsoCode, corporate_currency()) AS currency,
    l.Country AS country,
    salesforce_id(l.OwnerId) AS owner_id,
    m.campaign_id AS campaign_id,
    l.CreatedDate AS created_at,
    l.MQL_Date__c AS mql_at,
    l.SQL_Date__c AS sql_at,
    l.First_Response__c AS first_response_at,
    coalesce(l.IsConverted, 'false') AS is_converted,
    l.ConvertedDate AS converted_at,
    salesforce_id(l.ConvertedAccountId) AS converted_account_id,
    salesforce_id(l.ConvertedContactId) AS converted_contact_id,
    salesforce_id(l.ConvertedOpportunityId) AS converted_opportunity_id,
    l.IsDeleted AS is_deleted,
    merged_into(l._extra, salesforce_id(l.MasterRecordId)) AS extra,
    coalesce(l.SystemModstamp, l.LastModifiedDate) AS updated_at
FROM Lead l
LEFT JOIN (
    SELECT salesforce_id(LeadId) AS lead_id, min(salesforce_id(CampaignId)) AS campaign_id
    FROM CampaignMember
    WHERE LeadId IS NOT NULL
    GROUP BY salesforce_id(LeadId)
) m ON m.lead_id = salesforce_id(l.Id)
