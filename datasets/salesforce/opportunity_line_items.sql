-- The products on deals. Discount is a percentage there.
-- requires: OpportunityLineItem(Id, OpportunityId)
-- labels: OpportunityLineItem(Id = Line Item ID, Product2Id = Product ID, UnitPrice = Sales Price, ServiceDate = Date, Term_Months__c = Term (Months), Billing_Period__c = Billing Period, IsDeleted = Deleted)
SELECT
    salesforce_id(Id) AS line_item_id,
    salesforce_id(OpportunityId) AS opportunity_id,
    salesforce_id(Product2Id) AS product_id,
    Quantity AS quantity,
    UnitPrice AS unit_price,
    ListPrice AS list_price,
    percent(Discount) AS discount,
    TotalPrice AS total_price,
    coalesce(CurrencyIsoCode, corporate_currency()) AS currency,
    ServiceDate AS service_date,
    Term_Months__c AS term_months,
    lower(replace(Billing_Period__c, '-', '_')) AS billing_period,
    IsDeleted AS is_deleted,
    coalesce(SystemModstamp, LastModifiedDate) AS updated_at
FROM OpportunityLineItem
