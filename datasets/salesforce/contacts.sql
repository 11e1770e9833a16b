-- The people at accounts.
-- A record that was merged into another is deleted, and `merged_into` says into which.
-- requires: Contact(Id)
-- labels: Contact(Id = Contact ID, HasOptedOutOfEmail = Email Opt Out, IsDeleted = Deleted)
SELECT
    salesforce_id(Id) AS contact_id,
    salesforce_id(AccountId) AS account_id,
    FirstName AS first_name,
    LastName AS last_name,
    lower(trim(Email)) AS email,
    Title AS title,
    Phone AS phone,
    LeadSource AS lead_source,
    salesforce_id(OwnerId) AS owner_id,
    HasOptedOutOfEmail AS opted_out,
    CreatedDate AS created_at,
    IsDeleted AS is_deleted,
    merged_into(_extra, salesforce_id(MasterRecordId)) AS extra,
    coalesce(SystemModstamp, LastModifiedDate) AS updated_at
FROM Contact
