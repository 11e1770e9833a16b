-- Tasks and events. What a task was is its subtype, or its type where there is none.
-- `Who` is a lead (00Q) or a contact (003), `What` an account (001) or a deal (006): ids begin so.
-- requires: Task(Id, OwnerId)
-- requires: Event(Id, OwnerId)
-- labels: Task(Id = Activity ID, OwnerId = Assigned To ID, Type = Task Type, ActivityDate = Due Date, CompletedDateTime = Completed Date/Time, CallDurationInSeconds = Call Duration, CallDisposition = Call Result, IsClosed = Closed, Is_Automated__c = Is Automated, IsDeleted = Deleted)
-- labels: Event(Id = Activity ID, OwnerId = Assigned To ID, StartDateTime = Start Date Time, EndDateTime = End Date Time, IsChild = Is Child, IsDeleted = Deleted)
SELECT
    salesforce_id(Id) AS activity_id,
    CASE
        WHEN lower(coalesce(Type, '')) IN ('demo', 'proposal', 'note', 'internal') THEN lower(Type)
        WHEN lower(coalesce(TaskSubtype, Type, '')) IN ('call', 'email', 'meeting')
            THEN lower(coalesce(TaskSubtype, Type))
        ELSE 'task'
    END AS kind,
    CASE CallType WHEN 'Inbound' THEN 'in' WHEN 'Outbound' THEN 'out' WHEN 'Internal' THEN NULL END AS direction,
    salesforce_id(OwnerId) AS owner_id,
    salesforce_id(coalesce(AccountId, CASE WHEN WhatId LIKE '001%' THEN WhatId END)) AS account_id,
    CASE WHEN WhoId LIKE '003%' THEN salesforce_id(WhoId) END AS contact_id,
    CASE WHEN WhoId LIKE '00Q%' THEN salesforce_id(WhoId) END AS lead_id,
    CASE WHEN WhatId LIKE '006%' THEN salesforce_id(WhatId) END AS opportunity_id,
    coalesce(CompletedDateTime, ActivityDate, CreatedDate) AS occurred_at,
    CallDurationInSeconds AS duration_s,
    CASE
        WHEN lower(coalesce(IsClosed, 'false')) IN ('true', '1') OR Status = 'Completed' THEN 'done'
        WHEN Status = 'Cancelled' THEN 'cancelled' WHEN Status = 'No Show' THEN 'no_show'
        ELSE 'planned'
    END AS status,
    CallDisposition AS outcome,
    Subject AS subject,
    Is_Automated__c AS is_automated,
    IsDeleted AS is_deleted,
    coalesce(SystemModstamp, LastModifiedDate) AS updated_at
FROM Task
UNION ALL
-- An invitee's copy of an event (IsChild) is the same meeting: only the organiser's counts.
SELECT
    salesforce_id(Id) AS activity_id,
    CASE WHEN lower(coalesce(Type, '')) IN ('demo', 'proposal', 'call', 'internal') THEN lower(Type)
        ELSE 'meeting'
    END AS kind,
    salesforce_id(OwnerId) AS owner_id,
    salesforce_id(coalesce(AccountId, CASE WHEN WhatId LIKE '001%' THEN WhatId END)) AS account_id,
    CASE WHEN WhoId LIKE '003%' THEN salesforce_id(WhoId) END AS contact_id,
    CASE WHEN WhoId LIKE '00Q%' THEN salesforce_id(WhoId) END AS lead_id,
    CASE WHEN WhatId LIKE '006%' THEN salesforce_id(WhatId) END AS opportunity_id,
    coalesce(StartDateTime, ActivityDateTime, ActivityDate) AS occurred_at,
    seconds_between(StartDateTime, EndDateTime) AS duration_s,
    CASE Status__c WHEN 'No Show' THEN 'no_show' WHEN 'Cancelled' THEN 'cancelled'
        WHEN 'Completed' THEN 'done' WHEN 'Planned' THEN 'planned' END AS status,
    Outcome__c AS outcome,
    Subject AS subject,
    IsDeleted AS is_deleted,
    coalesce(SystemModstamp, LastModifiedDate) AS updated_at
FROM Event
WHERE lower(coalesce(IsChild, 'false')) NOT IN ('true', '1')
