//! Accounts, contacts and campaigns.

use chrono::{NaiveDate, NaiveDateTime};

use super::World;
use super::calendar::{at_work, plus, workday_at_or_before};
use super::export::{Cents, Export, Instant, Maybe, Sheet, short};
use super::ids::{prefix, record_id};
use super::params::Params;
use super::people::{Role, User, territory_id};
use super::random::Random;

/// One company that is sold to.
#[derive(Debug)]
pub(super) struct Account {
    pub id: String,
    pub name: String,
    pub domain: String,
    pub industry: String,
    pub segment: usize,
    pub region: usize,
    pub employees: i64,
    pub owner: usize,
    pub created: NaiveDateTime,
    /// Day of the first deal won; customers have one.
    pub first_won: Option<NaiveDate>,
    pub parent: Option<usize>,
    /// Contacts, as indexes into the world's list.
    pub contacts: Vec<usize>,
}

/// One person at an account.
#[derive(Debug)]
pub(super) struct Contact {
    pub id: String,
    pub account: usize,
    pub given: String,
    pub family: String,
    pub title: String,
    pub created: NaiveDateTime,
}

/// One campaign.
#[derive(Debug)]
pub(super) struct Campaign {
    pub id: String,
    pub name: String,
    pub channel: String,
    pub start: NaiveDate,
    pub end: NaiveDate,
    pub budget: i64,
    pub cost: i64,
}

/// The `number`-th invented company: its name and kind; no two are alike.
pub(super) fn company_name(params: &Params, number: usize) -> (String, usize) {
    let names = &params.names;
    let (firsts, seconds) = (names.company_first.len(), names.company_second.len());
    // A step that shares no factor with the number of combinations visits each of them once.
    let place = number * 1117 % (firsts * seconds);
    let kind = (number * 3 + place) % names.company_kind.len();
    let round = number / (firsts * seconds);
    let word =
        format!("{}{}", names.company_first[place % firsts], names.company_second[place / firsts]);
    let name = format!("{word} {}", names.company_kind[kind]);
    (if round == 0 { name } else { format!("{name} {}", round + 1) }, kind)
}

/// Accounts, each in a region and a segment and owned by a seller of both.
pub(super) fn accounts(params: &Params, users: &[User], scale: usize, seed: u64) -> Vec<Account> {
    let random = &mut Random::stream(seed, "accounts");
    let company = &params.company;
    (0..company.size.accounts * scale)
        .map(|number| {
            let (name, kind) = company_name(params, number);
            let segment = random.weighted(company.segments.iter().map(|s| s.share));
            let region = random.below(company.regions.len());
            let [lo, hi] = company.segments[segment].employees;
            // Many small, few large within a segment.
            let place = random.unit();
            let employees = lo + ((hi - lo) as f64 * place * place) as i64;
            let created = plus(params.last, -random.whole(30, 1400));
            Account {
                id: record_id(prefix::ACCOUNT, number),
                domain: format!("{}.example", name.to_lowercase().replace(' ', "-")),
                industry: params.names.industries[kind].clone(),
                name,
                segment,
                region,
                employees,
                owner: owner(random, users, region, segment, params.last),
                created: at_work(random, workday_at_or_before(created)),
                first_won: None,
                parent: (number > 20 && random.chance(0.05)).then(|| random.below(20)),
                contacts: vec![],
            }
        })
        .collect()
}

/// A seller of this region and segment who works on `day`, else one of the region, else any.
pub(super) fn owner(
    random: &mut Random,
    users: &[User],
    region: usize,
    segment: usize,
    day: NaiveDate,
) -> usize {
    let sellers = |is_fit: &dyn Fn(&User) -> bool| -> Vec<usize> {
        let is_seller = |user: &User| user.role == Role::Seller && user.is_active(day);
        (0..users.len()).filter(|i| is_seller(&users[*i]) && is_fit(&users[*i])).collect()
    };
    let mut choice = sellers(&|user| user.region == region && user.segment == segment);
    if choice.is_empty() {
        choice = sellers(&|user| user.region == region);
    }
    if choice.is_empty() {
        choice = sellers(&|_| true);
    }
    if choice.is_empty() { 0 } else { *random.pick(&choice) }
}

/// Contacts of every account.
pub(super) fn contacts(params: &Params, accounts: &mut [Account], seed: u64) -> Vec<Contact> {
    let random = &mut Random::stream(seed, "contacts");
    let mut contacts = vec![];
    for (index, account) in accounts.iter_mut().enumerate() {
        for _ in 0..params.company.size.contacts_per_account {
            account.contacts.push(contacts.len());
            contacts.push(Contact {
                id: record_id(prefix::CONTACT, contacts.len()),
                account: index,
                given: random.pick(&params.names.given).clone(),
                family: random.pick(&params.names.family).clone(),
                title: random.pick(&params.names.titles).clone(),
                created: account.created,
            });
        }
    }
    contacts
}

/// Campaigns, one after the other through the years.
pub(super) fn campaigns(params: &Params, seed: u64) -> Vec<Campaign> {
    let random = &mut Random::stream(seed, "campaigns");
    let count = params.company.size.campaigns;
    let step = super::export::days(params.first, params.last) / count.max(1) as i64;
    (0..count)
        .map(|number| {
            let channel = random.pick(&params.names.campaign_channels).clone();
            let start = plus(params.first, step * number as i64);
            let budget = random.whole(4, 40) * 50_000;
            Campaign {
                id: record_id(prefix::CAMPAIGN, number),
                name: format!("{channel} {}", start.format("%Y-%m")),
                channel,
                start,
                end: plus(start, step + 30),
                budget,
                cost: (budget as f64 * random.between(0.8, 1.25)) as i64,
            }
        })
        .collect()
}

/// Account, Contact and Campaign, with their dirt: duplicates, typos, cut ids, missing e-mails.
pub(super) fn export(world: &World, export: &mut Export) {
    let random = &mut Random::stream(world.seed, "customers dirt");
    export_accounts(world, random, export);
    export_contacts(world, random, export);
    let mut sheet = Sheet::new(&[
        "Id",
        "Name",
        "Type",
        "Status",
        "StartDate",
        "EndDate",
        "BudgetedCost",
        "ActualCost",
        "CurrencyIsoCode",
        "CreatedDate",
        "LastModifiedDate",
        "SystemModstamp",
        "IsDeleted",
    ]);
    let currency = &world.params.company.currency;
    for c in &world.campaigns {
        let status = if c.end <= world.params.last { "Completed" } else { "In Progress" };
        let created = Instant(c.start.and_time(chrono::NaiveTime::MIN));
        sheet.row(&[
            &c.id,
            &c.name,
            &c.channel,
            &status,
            &c.start,
            &c.end,
            &Cents(c.budget),
            &Cents(c.cost),
            currency,
            &created,
            &created,
            &created,
            &false,
        ]);
    }
    export.add("salesforce", "Campaign", sheet);
}

fn export_accounts(world: &World, random: &mut Random, export: &mut Export) {
    let mut sheet = Sheet::new(&[
        "Id",
        "Name",
        "Type",
        "Industry",
        "AccountSource",
        "Website",
        "NumberOfEmployees",
        "AnnualRevenue",
        "CurrencyIsoCode",
        "YearStarted",
        "BillingCountry",
        "BillingState",
        "BillingCity",
        "OwnerId",
        "ParentId",
        "Territory2Id",
        "Segment__c",
        "CreatedDate",
        "LastModifiedDate",
        "SystemModstamp",
        "IsDeleted",
    ]);
    let company = &world.params.company;
    let dirt = &company.dirt;
    let total = world.accounts.len();
    let copies = (total as f64 * dirt.duplicate_account_ratio) as usize;
    let step = total / copies.max(1);
    let originals = (0..total).map(|index| (index, None));
    let duplicates = (0..copies).map(|copy| (copy * step, Some(total + copy)));
    for (index, copy) in originals.chain(duplicates) {
        let account = &world.accounts[index];
        let region = &company.regions[account.region];
        let place = index % region.cities.len();
        let (id, name) = match copy {
            Some(number) => (record_id(prefix::ACCOUNT, number), format!("{}, Inc.", account.name)),
            None => (account.id.clone(), account.name.clone()),
        };
        let kind =
            if account.first_won.is_some() && copy.is_none() { "Customer" } else { "Prospect" };
        let industry = if random.chance(dirt.typo_industry_ratio) {
            account.industry.replacen('o', "", 1)
        } else {
            account.industry.clone()
        };
        let revenue = (!random.chance(0.1))
            .then(|| Cents(account.employees * random.whole(90_000, 240_000) * 100));
        let employees = (!random.chance(0.05)).then_some(account.employees);
        let source =
            &company.sources[random.weighted(company.sources.iter().map(|s| s.weight))].name;
        let parent = account.parent.map(|parent| &world.accounts[parent].id);
        let created = Instant(account.created);
        let (website, owner) =
            (format!("https://www.{}", account.domain), &world.users[account.owner].id);
        sheet.row(&[
            &id,
            &name,
            &kind,
            &industry,
            source,
            &website,
            &Maybe(employees),
            &Maybe(revenue),
            &company.currency,
            &random.whole(1921, 2021),
            &region.country,
            &region.states[place],
            &region.cities[place],
            owner,
            &Maybe(parent),
            &territory_id(account.region),
            &company.segments[account.segment].name,
            &created,
            &created,
            &created,
            &false,
        ]);
    }
    export.add("salesforce", "Account", sheet);
}

fn export_contacts(world: &World, random: &mut Random, export: &mut Export) {
    let mut sheet = Sheet::new(&[
        "Id",
        "AccountId",
        "FirstName",
        "LastName",
        "Email",
        "Title",
        "Phone",
        "LeadSource",
        "OwnerId",
        "HasOptedOutOfEmail",
        "CreatedDate",
        "LastModifiedDate",
        "SystemModstamp",
        "IsDeleted",
    ]);
    let dirt = &world.params.company.dirt;
    for (number, contact) in world.contacts.iter().enumerate() {
        let account = &world.accounts[contact.account];
        let cut = random.chance(dirt.short_id_ratio);
        let account_id = if cut { short(&account.id) } else { &account.id };
        let mailbox = format!("{}.{}{number}", contact.given, contact.family).to_lowercase();
        let email = (!random.chance(dirt.missing_email_ratio))
            .then(|| format!("{mailbox}@{}", account.domain));
        let phone = format!("+1 555 {:07}", random.below(10_000_000));
        let sources = &world.params.company.sources;
        let source = &sources[random.weighted(sources.iter().map(|s| s.weight))].name;
        let created = Instant(contact.created);
        let opted_out = random.chance(0.06);
        sheet.row(&[
            &contact.id,
            &account_id,
            &contact.given,
            &contact.family,
            &Maybe(email),
            &contact.title,
            &phone,
            source,
            &world.users[account.owner].id,
            &opted_out,
            &created,
            &created,
            &created,
            &false,
        ]);
    }
    export.add("salesforce", "Contact", sheet);
}
