-- The products, with the price of the standard price book (of all, if Pricebook2 does not say which).
-- requires: Product2(Id, Name)
-- labels: Product2(Id = Product ID, Name = Product Name, Family = Product Family, IsActive = Active, CurrencyIsoCode = Product Currency, IsDeleted = Deleted)
-- else PricebookEntry: SELECT product_id AS Product2Id, list_price AS UnitPrice, currency AS CurrencyIsoCode FROM crm.products
SELECT
    salesforce_id(p.Id) AS product_id,
    p.Name AS name,
    p.ProductCode AS code,
    p.Family AS family,
    e.list_price AS list_price,
    coalesce(p.CurrencyIsoCode, corporate_currency()) AS currency,
    p.IsActive AS is_active,
    p.IsDeleted AS is_deleted,
    coalesce(p.SystemModstamp, p.LastModifiedDate) AS updated_at
FROM Product2 p
LEFT JOIN (
    -- A price of one currency is never taken for another's, and a partner's price book for no list price.
    SELECT
        salesforce_id(b.Product2Id) AS product_id,
        coalesce(b.CurrencyIsoCode, corporate_currency()) AS currency,
        coalesce(CAST(min(TRY_CAST(b.UnitPrice AS DECIMAL(18, 2))) AS VARCHAR), max(b.UnitPrice)) AS list_price
    FROM PricebookEntry b
    LEFT JOIN (
        SELECT salesforce_id(Id) AS pricebook_id, max(lower(IsStandard)) AS is_standard
        FROM Pricebook2
        GROUP BY salesforce_id(Id)
    ) k ON k.pricebook_id = salesforce_id(b.Pricebook2Id)
    WHERE coalesce(lower(b.IsActive), 'true') IN ('true', '1')
        AND coalesce(k.is_standard, 'true') IN ('true', '1')
    GROUP BY salesforce_id(b.Product2Id), coalesce(b.CurrencyIsoCode, corporate_currency())
) e ON e.product_id = salesforce_id(p.Id)
    AND e.currency = coalesce(p.CurrencyIsoCode, corporate_currency())
