-- The products, with the price of the standard price book where it is given.
-- requires: Product2(Id, Name)
-- else PricebookEntry: SELECT product_id AS Product2Id, list_price AS UnitPrice FROM crm.products
SELECT
    salesforce_id(p.Id) AS product_id,
    p.Name AS name,
    p.ProductCode AS code,
    p.Family AS family,
    e.list_price AS list_price,
    coalesce(p.CurrencyIsoCode, 'USD') AS currency,
    p.IsActive AS is_active,
    p.IsDeleted AS is_deleted,
    coalesce(p.SystemModstamp, p.LastModifiedDate) AS updated_at
FROM Product2 p
LEFT JOIN (
    SELECT
        salesforce_id(Product2Id) AS product_id,
        min(TRY_CAST(UnitPrice AS DECIMAL(18, 2))) AS list_price
    FROM PricebookEntry
    WHERE coalesce(lower(IsActive), 'true') IN ('true', '1')
    GROUP BY salesforce_id(Product2Id)
) e ON e.product_id = salesforce_id(p.Id)
