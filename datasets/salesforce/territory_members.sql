-- Who works in which territory. Salesforce keeps no dates: the association counts from its last change,
-- or from its own date fields where an administrator added them.
-- requires: UserTerritory2Association(Territory2Id, UserId)
SELECT
    salesforce_id(Territory2Id) AS territory_id,
    salesforce_id(UserId) AS user_id,
    day(coalesce(Valid_From__c, CreatedDate, LastModifiedDate)) AS valid_from,
    coalesce(
        Valid_To__c,
        CASE WHEN lower(IsActive) IN ('false', '0') THEN day(LastModifiedDate) END
    ) AS valid_to,
    RoleInTerritory2 AS role,
    salesforce_id(Id) AS source_id,
    coalesce(SystemModstamp, LastModifiedDate) AS updated_at
FROM UserTerritory2Association
