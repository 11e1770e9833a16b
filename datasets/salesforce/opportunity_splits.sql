-- Who is credited for deals. Split types named overlay may add up to more than the deal.
-- requires: OpportunitySplit(OpportunityId, SplitOwnerId, SplitPercentage)
SELECT
    salesforce_id(OpportunityId) AS opportunity_id,
    salesforce_id(SplitOwnerId) AS user_id,
    CASE WHEN lower(coalesce(SplitType, SplitTypeId, 'revenue')) LIKE '%overlay%'
        THEN 'overlay' ELSE 'revenue'
    END AS split_type,
    percent(SplitPercentage) AS share,
    salesforce_id(Id) AS source_id,
    IsDeleted AS is_deleted,
    coalesce(SystemModstamp, LastModifiedDate) AS updated_at
FROM OpportunitySplit
