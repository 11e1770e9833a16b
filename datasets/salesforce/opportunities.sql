-- The deals. Probability is a percentage there and a ratio here; `Forecast` is what people call commit.
-- All sales processes share one pipeline, because their stages do (OpportunityStage); the record type
-- stays in `extra`.
-- requires: Opportunity(Id, OwnerId, StageName, IsClosed, IsWon)
-- labels: Opportunity(Id = Opportunity ID, Name = Opportunity Name, StageName = Stage, Probability = Probability (%), IsClosed = Closed, IsWon = Won, CurrencyIsoCode = Opportunity Currency, CampaignId = Primary Campaign Source ID, LastActivityDate = Last Activity, Loss_Reason__c = Loss Reason, MRR__c = MRR, ARR__c = ARR, TCV__c = TCV, ACV__c = ACV, IsDeleted = Deleted)
SELECT
    salesforce_id(Id) AS opportunity_id,
    salesforce_id(AccountId) AS account_id,
    Name AS name,
    salesforce_id(OwnerId) AS owner_id,
    'default' AS pipeline_id,
    StageName AS stage_id,
    Amount AS amount,
    coalesce(CurrencyIsoCode, corporate_currency()) AS currency,
    percent(Probability) AS probability,
    CASE lower(replace(replace(coalesce(ForecastCategory, ForecastCategoryName), ' ', ''), '_', ''))
        WHEN 'omitted' THEN 'omitted' WHEN 'pipeline' THEN 'pipeline'
        WHEN 'bestcase' THEN 'best_case' WHEN 'mostlikely' THEN 'most_likely'
        WHEN 'forecast' THEN 'commit' WHEN 'commit' THEN 'commit' WHEN 'closed' THEN 'closed'
        ELSE coalesce(ForecastCategory, ForecastCategoryName)
    END AS forecast_category,
    CloseDate AS close_date,
    CreatedDate AS created_at,
    IsClosed AS is_closed,
    IsWon AS is_won,
    CASE Type
        WHEN 'New Business' THEN 'new' WHEN 'New Customer' THEN 'new' WHEN 'new' THEN 'new'
        WHEN 'Existing Business' THEN 'expansion' WHEN 'Existing Customer - Upgrade' THEN 'expansion'
        WHEN 'Expansion' THEN 'expansion' WHEN 'expansion' THEN 'expansion'
        WHEN 'Renewal' THEN 'renewal' WHEN 'renewal' THEN 'renewal'
        ELSE CASE WHEN Type IS NOT NULL THEN 'other' END
    END AS opp_type,
    LeadSource AS lead_source,
    salesforce_id(CampaignId) AS campaign_id,
    NextStep AS next_step,
    Loss_Reason__c AS loss_reason,
    salesforce_id(Territory2Id) AS territory_id,
    MRR__c AS mrr,
    ARR__c AS arr,
    TCV__c AS tcv,
    ACV__c AS acv,
    LastActivityDate AS last_activity_date,
    PushCount AS push_count,
    IsDeleted AS is_deleted,
    coalesce(SystemModstamp, LastModifiedDate) AS updated_at
FROM Opportunity
