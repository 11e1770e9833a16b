//! Opportunity, its stages, history, line items, splits and products as export files.

use chrono::NaiveTime;

use super::World;
use super::deals::{Deal, won_stage};
use super::export::{Cents, Export, Instant, Maybe, Sheet};
use super::ids::{prefix, record_id};
use super::people::{Role, territory_id};
use super::random::Random;

/// All files about deals.
pub(super) fn export(world: &World, export: &mut Export) {
    export_opportunities(world, export);
    export_history(world, export);
    export_lines(world, export);
    export_splits(world, export);
    export_stages(world, export);
    export_products(world, export);
}

fn export_opportunities(world: &World, export: &mut Export) {
    let random = &mut Random::stream(world.seed, "opportunity fields");
    let mut sheet = Sheet::new(&[
        "Id",
        "AccountId",
        "Name",
        "OwnerId",
        "StageName",
        "Amount",
        "CurrencyIsoCode",
        "Probability",
        "ForecastCategory",
        "ForecastCategoryName",
        "CloseDate",
        "IsClosed",
        "IsWon",
        "Type",
        "LeadSource",
        "CampaignId",
        "NextStep",
        "Loss_Reason__c",
        "Territory2Id",
        "LastActivityDate",
        "PushCount",
        "CreatedDate",
        "LastModifiedDate",
        "SystemModstamp",
        "IsDeleted",
    ]);
    for deal in &world.deals {
        opportunity_row(world, random, deal, &mut sheet);
    }
    // Broken rows: an amount that a spreadsheet could not work out.
    for number in 0..world.params.company.dirt.malformed {
        let id = record_id(prefix::OPPORTUNITY, world.deals.len() + number);
        let (owner, day) =
            (&world.users[0].id, Instant(world.params.last.and_time(NaiveTime::MIN)));
        sheet.row(&[
            &id,
            &"",
            &"Test",
            owner,
            &"Prospecting",
            &"#REF!",
            &world.params.company.currency,
            &10,
            &"Pipeline",
            &"Pipeline",
            &world.params.last,
            &false,
            &false,
            &"",
            &"",
            &"",
            &"",
            &"",
            &"",
            &"",
            &0,
            &day,
            &day,
            &day,
            &false,
        ]);
    }
    export.add("salesforce", "Opportunity", sheet);
}

fn opportunity_row(world: &World, random: &mut Random, deal: &Deal, sheet: &mut Sheet) {
    let (params, names) = (&world.params, &world.params.names);
    let (state, won) = (deal.state(), won_stage(params));
    let stage = &params.company.stages[state.stage];
    let account = &world.accounts[deal.account];
    let is_open = state.stage < won;
    let next_step = (is_open && random.chance(params.company.deals.next_step_ratio))
        .then(|| random.pick(&names.next_steps));
    let loss = (state.stage > won && random.chance(0.9)).then(|| random.pick(&names.loss_reasons));
    let campaign = deal.campaign.map(|campaign| &world.campaigns[campaign].id);
    let category_name = match stage.category.as_str() {
        "BestCase" => "Best Case",
        "Forecast" => "Commit",
        other => other,
    };
    let changed = Instant(state.at);
    sheet.row(&[
        &deal.id,
        &account.id,
        &deal.name,
        &world.users[deal.owner].id,
        &stage.name,
        &Maybe(deal.amount.map(Cents)),
        &params.company.currency,
        &stage.probability_pct,
        &stage.category,
        &category_name,
        &state.close,
        &!is_open,
        &(state.stage == won),
        &deal.kind,
        &params.company.sources[deal.source].name,
        &Maybe(campaign),
        &Maybe(next_step),
        &Maybe(loss),
        &territory_id(account.region),
        &Maybe(deal.last_activity),
        &deal.push_count,
        &Instant(deal.created),
        &changed,
        &changed,
        &false,
    ]);
}

fn export_history(world: &World, export: &mut Export) {
    let mut sheet = Sheet::new(&[
        "Id",
        "OpportunityId",
        "CreatedDate",
        "CreatedById",
        "StageName",
        "Amount",
        "CurrencyIsoCode",
        "CloseDate",
        "Probability",
        "ForecastCategory",
        "PrevAmount",
        "PrevCloseDate",
        "SystemModstamp",
        "IsDeleted",
    ]);
    let company = &world.params.company;
    for deal in &world.deals {
        let owner = &world.users[deal.owner].id;
        for (index, state) in deal.history.iter().enumerate() {
            let before = index.checked_sub(1).map(|index| &deal.history[index]);
            let stage = &company.stages[state.stage];
            let at = Instant(state.at);
            let id = record_id(prefix::HISTORY, sheet.rows() as usize);
            let old_amount = before.filter(|b| b.amount != state.amount).and_then(|b| b.amount);
            let old_close = before.filter(|b| b.close != state.close).map(|b| b.close);
            sheet.row(&[
                &id,
                &deal.id,
                &at,
                owner,
                &stage.name,
                &Maybe(state.amount.map(Cents)),
                &company.currency,
                &state.close,
                &stage.probability_pct,
                &stage.category,
                &Maybe(old_amount.map(Cents)),
                &Maybe(old_close),
                &at,
                &false,
            ]);
        }
    }
    export.add("salesforce", "OpportunityHistory", sheet);
}

fn export_lines(world: &World, export: &mut Export) {
    let mut sheet = Sheet::new(&[
        "Id",
        "OpportunityId",
        "Product2Id",
        "PricebookEntryId",
        "Quantity",
        "UnitPrice",
        "ListPrice",
        "Discount",
        "TotalPrice",
        "CurrencyIsoCode",
        "ServiceDate",
        "CreatedDate",
        "LastModifiedDate",
        "SystemModstamp",
        "IsDeleted",
    ]);
    for deal in world.deals.iter().filter(|deal| deal.amount.is_some()) {
        for line in &deal.lines {
            let id = record_id(prefix::LINE_ITEM, sheet.rows() as usize);
            let (product, entry) = product_ids(line.product);
            let (created, changed) = (Instant(deal.created), Instant(deal.state().at));
            sheet.row(&[
                &id,
                &deal.id,
                &product,
                &entry,
                &line.quantity,
                &Cents(line.unit()),
                &Cents(line.list),
                &line.discount_pct,
                &Cents(line.total()),
                &world.params.company.currency,
                &deal.state().close,
                &created,
                &changed,
                &changed,
                &false,
            ]);
        }
    }
    export.add("salesforce", "OpportunityLineItem", sheet);
}

/// Ids of a product and of its price.
pub(super) fn product_ids(product: usize) -> (String, String) {
    (record_id(prefix::PRODUCT, product), record_id(prefix::PRICE_ENTRY, product))
}

/// Deals sold by two: revenue splits add up to 100 %; an overlay is on top.
fn export_splits(world: &World, export: &mut Export) {
    let random = &mut Random::stream(world.seed, "splits");
    let mut sheet = Sheet::new(&[
        "Id",
        "OpportunityId",
        "SplitOwnerId",
        "SplitPercentage",
        "SplitTypeId",
        "SplitType.DeveloperName",
        "CurrencyIsoCode",
        "CreatedDate",
        "LastModifiedDate",
        "SystemModstamp",
        "IsDeleted",
    ]);
    let rates = &world.params.company.deals;
    let (revenue, overlay) = (("1495f000000oDYmAAM", "Revenue"), ("1495f000000oDYnAAM", "Overlay"));
    for deal in &world.deals {
        let mut shares = vec![];
        if random.chance(rates.split_ratio) {
            let region = world.users[deal.owner].region;
            let partners: Vec<usize> = (0..world.users.len())
                .filter(|i| {
                    let user = &world.users[*i];
                    *i != deal.owner && user.role == Role::Seller && user.region == region
                })
                .collect();
            let share = *random.pick(&[50, 60, 70]);
            if !partners.is_empty() {
                shares.push((deal.owner, share, revenue));
                shares.push((*random.pick(&partners), 100 - share, revenue));
            }
        }
        if random.chance(rates.overlay_ratio) {
            let manager = world.users[deal.owner].manager.unwrap_or(0);
            shares.push((manager, 100, overlay));
        }
        for (user, share, (type_id, type_name)) in shares {
            let id = record_id(prefix::SPLIT, sheet.rows() as usize);
            let at = Instant(deal.state().at);
            sheet.row(&[
                &id,
                &deal.id,
                &world.users[user].id,
                &share,
                &type_id,
                &type_name,
                &world.params.company.currency,
                &Instant(deal.created),
                &at,
                &at,
                &false,
            ]);
        }
    }
    export.add("salesforce", "OpportunitySplit", sheet);
}

fn export_stages(world: &World, export: &mut Export) {
    let mut sheet = Sheet::new(&[
        "Id",
        "ApiName",
        "MasterLabel",
        "SortOrder",
        "IsClosed",
        "IsWon",
        "DefaultProbability",
        "ForecastCategory",
        "ForecastCategoryName",
        "IsActive",
        "SystemModstamp",
    ]);
    let stages = &world.params.company.stages;
    let won = stages.len() - 2;
    let day = Instant(world.params.first.and_time(NaiveTime::MIN));
    for (index, stage) in stages.iter().enumerate() {
        let id = record_id(prefix::STAGE, index);
        sheet.row(&[
            &id,
            &stage.name,
            &stage.name,
            &(index + 1),
            &(index >= won),
            &(index == won),
            &stage.probability_pct,
            &stage.category,
            &stage.category,
            &true,
            &day,
        ]);
    }
    export.add("salesforce", "OpportunityStage", sheet);
}

fn export_products(world: &World, export: &mut Export) {
    let mut products = Sheet::new(&[
        "Id",
        "Name",
        "ProductCode",
        "Family",
        "IsActive",
        "CurrencyIsoCode",
        "CreatedDate",
        "LastModifiedDate",
        "SystemModstamp",
        "IsDeleted",
    ]);
    let mut prices = Sheet::new(&[
        "Id",
        "Product2Id",
        "Pricebook2Id",
        "UnitPrice",
        "CurrencyIsoCode",
        "IsActive",
        "CreatedDate",
        "LastModifiedDate",
        "SystemModstamp",
        "IsDeleted",
    ]);
    let company = &world.params.company;
    let day = Instant(world.params.first.and_time(NaiveTime::MIN));
    for (index, product) in company.products.iter().enumerate() {
        let (id, entry) = product_ids(index);
        let price = Cents((product.list_price * 100.0).round() as i64);
        let currency = &company.currency;
        products.row(&[
            &id,
            &product.name,
            &product.code,
            &product.family,
            &true,
            currency,
            &day,
            &day,
            &day,
            &false,
        ]);
        prices.row(&[
            &entry,
            &id,
            &"01s8d000000000BAAQ",
            &price,
            currency,
            &true,
            &day,
            &day,
            &day,
            &false,
        ]);
    }
    export.add("salesforce", "Product2", products);
    export.add("salesforce", "PricebookEntry", prices);
}
