-- The territories.
-- requires: Territory2(Id, Name)
SELECT
    salesforce_id(Id) AS territory_id,
    Name AS name,
    salesforce_id(ParentTerritory2Id) AS parent_id,
    Region__c AS region,
    salesforce_id(Territory2ModelId) AS model_id,
    lower(State) AS state,
    coalesce(SystemModstamp, LastModifiedDate) AS updated_at
FROM Territory2
