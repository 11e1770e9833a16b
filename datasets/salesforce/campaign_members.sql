-- The leads and contacts of campaigns.
-- requires: CampaignMember(CampaignId, LeadId)
-- labels: CampaignMember(Id = Campaign Member ID, Status = Member Status, FirstRespondedDate = Member First Responded Date, IsDeleted = Deleted)
SELECT
    salesforce_id(CampaignId) AS campaign_id,
    salesforce_id(coalesce(LeadId, ContactId)) AS lead_or_contact_id,
    Status AS status,
    FirstRespondedDate AS responded_at,
    salesforce_id(Id) AS source_id,
    IsDeleted AS is_deleted,
    coalesce(SystemModstamp, LastModifiedDate) AS updated_at
FROM CampaignMember
