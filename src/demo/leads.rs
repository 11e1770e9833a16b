//! Leads from the first touch to conversion, and what they click on the way.
//!
//! A lead has a fit, which its visible attributes show by the rules of the scoring model, and an
//! intent, which only its engagement shows; both raise the odds of every step.

use chrono::{NaiveDateTime, NaiveTime, TimeDelta};

use super::World;
use super::calendar::{Season, at_work, later, plus};
use super::customers::{Account, Campaign, company_name, owner};
use super::export::{Export, Instant, Maybe, Sheet};
use super::ids::{prefix, record_id};
use super::params::{FitRule, Params};
use super::people::{Role, User};
use super::random::{Random, logistic};

/// One lead.
#[derive(Debug)]
pub(super) struct Lead {
    pub id: String,
    pub given: String,
    pub family: String,
    pub company: String,
    pub title: String,
    pub source: usize,
    pub industry: String,
    pub employees: i64,
    pub campaign: Option<usize>,
    pub owner: usize,
    pub created: NaiveDateTime,
    pub qualified: Option<NaiveDateTime>,
    pub accepted: Option<NaiveDateTime>,
    pub answered: Option<NaiveDateTime>,
    pub converted: Option<Conversion>,
    pub intent: f64,
}

/// What a lead became.
#[derive(Debug)]
pub(super) struct Conversion {
    pub at: NaiveDateTime,
    pub account: usize,
    pub contact: usize,
    /// Seller that got the deal.
    pub seller: usize,
    /// Index of the deal, once it is made.
    pub deal: Option<usize>,
}

/// All leads, in the order they came in.
pub(super) fn leads(
    params: &Params,
    users: &[User],
    accounts: &[Account],
    campaigns: &[Campaign],
    scale: usize,
    seed: u64,
) -> Vec<Lead> {
    let random = &mut Random::stream(seed, "leads");
    let trend = &params.company.trend;
    let season =
        Season::new(params.first, params.last, trend.growth_year_ratio, &trend.month_weights);
    let count = params.company.size.leads * scale;
    let mut created: Vec<NaiveDateTime> = (0..count)
        .map(|_| {
            let day = season.day(random);
            at_work(random, day)
        })
        .collect();
    created.sort();
    let developers: Vec<usize> =
        (0..users.len()).filter(|i| users[*i].role == Role::Developer).collect();
    created
        .into_iter()
        .enumerate()
        .map(|(number, at)| {
            let mut lead = stranger(params, random, number, at);
            lead.owner = *random.pick(&developers);
            let running: Vec<usize> = (0..campaigns.len())
                .filter(|c| (campaigns[*c].start..=campaigns[*c].end).contains(&at.date()))
                .collect();
            if !running.is_empty() && random.chance(0.45) {
                lead.campaign = Some(*random.pick(&running));
            }
            nurture(params, random, &mut lead, users, accounts);
            lead
        })
        .collect()
}

/// A lead as it comes in.
fn stranger(params: &Params, random: &mut Random, number: usize, created: NaiveDateTime) -> Lead {
    let company = &params.company;
    let source = random.weighted(company.sources.iter().map(|s| s.weight));
    // Good channels bring larger companies.
    let tilt = company.sources[source].fit;
    let segment = random.weighted(
        company.segments.iter().enumerate().map(|(i, s)| s.share * (1.0 + i as f64 * tilt)),
    );
    let [lo, hi] = company.segments[segment].employees;
    let place = random.unit();
    let (name, kind) = company_name(params, number + 1500);
    Lead {
        id: record_id(prefix::LEAD, number),
        given: random.pick(&params.names.given).clone(),
        family: random.pick(&params.names.family).clone(),
        company: name,
        title: random.pick(&params.names.titles).clone(),
        source,
        industry: params.names.industries[kind].clone(),
        employees: lo + ((hi - lo) as f64 * place * place) as i64,
        campaign: None,
        owner: 0,
        created,
        qualified: None,
        accepted: None,
        answered: None,
        converted: None,
        intent: {
            let draw = random.unit();
            draw * draw
        },
    }
}

/// Leads the way from MQL to conversion, as far as this lead gets before the last day.
fn nurture(
    params: &Params,
    random: &mut Random,
    lead: &mut Lead,
    users: &[User],
    accounts: &[Account],
) {
    let odds = &params.company.leads;
    let fit = fit(params, lead);
    let end = plus(params.last, 1).and_time(NaiveTime::MIN);
    let answered = lead.created + TimeDelta::minutes(random.log_normal(190.0, 1.3) as i64 + 2);
    lead.answered = (random.chance(0.86) && answered < end).then_some(answered);
    let step = |random: &mut Random, from, base, of_fit, of_intent, days| {
        let p = logistic(base + of_fit * fit + of_intent * lead.intent);
        let at = later(random, from, days);
        (random.chance(p) && at < end).then_some(at)
    };
    let o = odds;
    let qualified = step(
        random,
        lead.created,
        o.qualified_base,
        o.qualified_fit,
        o.qualified_intent,
        o.qualified_days,
    );
    let accepted = qualified.and_then(|at| {
        step(random, at, o.accepted_base, o.accepted_fit, o.accepted_intent, o.accepted_days)
    });
    let converted = accepted.and_then(|at| {
        step(random, at, o.converted_base, o.converted_fit, o.converted_intent, o.converted_days)
    });
    lead.qualified = qualified;
    lead.accepted = accepted;
    lead.converted = converted.map(|at| {
        let account = random.below(accounts.len());
        let a = &accounts[account];
        let seller = owner(random, users, a.region, a.segment, at.date());
        Conversion { at, account, contact: *random.pick(&a.contacts), seller, deal: None }
    });
}

/// Fit by the rules of the scoring model (0 to 1).
fn fit(params: &Params, lead: &Lead) -> f64 {
    let rules = &params.company.fit_rules;
    let total: f64 = rules.iter().map(|rule| rule.points).sum();
    let points: f64 =
        rules.iter().filter(|rule| holds(params, rule, lead)).map(|rule| rule.points).sum();
    points / total
}

fn holds(params: &Params, rule: &FitRule, lead: &Lead) -> bool {
    let value = match rule.attribute.as_str() {
        "industry" => lead.industry.clone(),
        "title" => lead.title.clone(),
        "lead_source" => params.company.sources[lead.source].name.clone(),
        _ => lead.employees.to_string(),
    };
    match rule.op.as_str() {
        "in" => rule.value.split(',').any(|item| item == value),
        "ne" => rule.value != value,
        _ => lead.employees as f64 >= rule.value.parse().unwrap_or(f64::MAX),
    }
}

/// Lead, CampaignMember and the engagement feed.
pub(super) fn export(world: &World, export: &mut Export) {
    let random = &mut Random::stream(world.seed, "leads dirt");
    let mut sheet = Sheet::new(&[
        "Id",
        "FirstName",
        "LastName",
        "Email",
        "Company",
        "Title",
        "Status",
        "LeadSource",
        "Industry",
        "NumberOfEmployees",
        "Country",
        "OwnerId",
        "IsConverted",
        "ConvertedDate",
        "ConvertedAccountId",
        "ConvertedContactId",
        "ConvertedOpportunityId",
        "MQL_Date__c",
        "SQL_Date__c",
        "First_Response__c",
        "CreatedDate",
        "LastModifiedDate",
        "SystemModstamp",
        "IsDeleted",
    ]);
    let mut members = Sheet::new(&[
        "Id",
        "CampaignId",
        "LeadId",
        "ContactId",
        "Status",
        "FirstRespondedDate",
        "CreatedDate",
        "SystemModstamp",
    ]);
    for (number, lead) in world.leads.iter().enumerate() {
        lead_row(world, random, number, lead, &mut sheet);
        if let Some(campaign) = lead.campaign {
            let id = record_id(prefix::CAMPAIGN_MEMBER, members.rows() as usize);
            let responded = lead.qualified.map(|at| at.date());
            let status = if responded.is_some() { "Responded" } else { "Sent" };
            let created = Instant(lead.created);
            members.row(&[
                &id,
                &world.campaigns[campaign].id,
                &lead.id,
                &"",
                &status,
                &Maybe(responded),
                &created,
                &created,
            ]);
        }
    }
    // Broken rows: a spreadsheet turned the date of creation into an error.
    for number in 0..world.params.company.dirt.malformed {
        let id = record_id(prefix::LEAD, world.leads.len() + number);
        let owner = &world.users[0].id;
        let blank = &"" as &dyn std::fmt::Display;
        sheet.row(&[
            &id,
            &"Test",
            &"Record",
            blank,
            &"Test",
            blank,
            &"Open - Not Contacted",
            &"Web",
            blank,
            blank,
            blank,
            owner,
            &false,
            blank,
            blank,
            blank,
            blank,
            blank,
            blank,
            blank,
            &"#VALUE!",
            blank,
            blank,
            &false,
        ]);
    }
    export.add("salesforce", "Lead", sheet);
    export.add("salesforce", "CampaignMember", members);
    export_events(world, export);
}

fn lead_row(world: &World, random: &mut Random, number: usize, lead: &Lead, sheet: &mut Sheet) {
    let company = &world.params.company;
    let status = match lead {
        Lead { converted: Some(_), .. } => "Closed - Converted",
        Lead { accepted: Some(_), .. } => "Qualified",
        Lead { answered: Some(_), .. } => "Working - Contacted",
        _ => "Open - Not Contacted",
    };
    let domain = lead.company.to_lowercase().replace(' ', "-");
    let mailbox = format!("{}.{}{number}", lead.given, lead.family).to_lowercase();
    let email = (!random.chance(company.dirt.missing_email_ratio))
        .then(|| format!("{mailbox}@{domain}.example"));
    let employees = (!random.chance(0.08)).then_some(lead.employees);
    let industry = (!random.chance(0.06)).then_some(&lead.industry);
    let became = lead.converted.as_ref();
    let converted_on = became.map(|c| c.at.date());
    let account = became.map(|c| &world.accounts[c.account].id);
    let contact = became.map(|c| &world.contacts[c.contact].id);
    let deal = became.and_then(|c| c.deal).map(|deal| &world.deals[deal].id);
    let changed = became
        .map(|c| c.at)
        .max(lead.accepted)
        .max(lead.qualified)
        .max(lead.answered)
        .unwrap_or(lead.created);
    let owner = &world.users[lead.owner].id;
    sheet.row(&[
        &lead.id,
        &lead.given,
        &lead.family,
        &Maybe(email),
        &lead.company,
        &lead.title,
        &status,
        &company.sources[lead.source].name,
        &Maybe(industry),
        &Maybe(employees),
        &"United States",
        owner,
        &became.is_some(),
        &Maybe(converted_on),
        &Maybe(account),
        &Maybe(contact),
        &Maybe(deal),
        &Maybe(lead.qualified.map(Instant)),
        &Maybe(lead.accepted.map(Instant)),
        &Maybe(lead.answered.map(Instant)),
        &Instant(lead.created),
        &Instant(changed),
        &Instant(changed),
        &false,
    ]);
}

/// Engagement: the keener a lead, the more and the weightier its events.
fn export_events(world: &World, export: &mut Export) {
    let random = &mut Random::stream(world.seed, "engagement");
    let mut sheet = Sheet::new(&[
        "event_id",
        "lead_id",
        "contact_id",
        "event_type",
        "occurred_at",
        "asset",
        "url",
        "is_filtered",
    ]);
    let company = &world.params.company;
    let o = &company.leads;
    let end = plus(world.params.last, 1).and_time(NaiveTime::MIN);
    for lead in &world.leads {
        let mean = o.events_quiet + (o.events_keen - o.events_quiet) * lead.intent;
        for _ in 0..random.count(mean) {
            let place = random.unit();
            let seconds = (place * place * o.event_days * 86_400.0) as i64;
            let at = lead.created + TimeDelta::seconds(seconds);
            let kind = &company.events[random.weighted(company.events.iter().map(|kind| {
                if kind.points > 5.0 {
                    kind.weight * (0.4 + 2.0 * lead.intent)
                } else {
                    kind.weight
                }
            }))];
            let is_bot = random.chance(company.dirt.bot_ratio);
            if at >= end {
                continue;
            }
            let id = format!("ev-{:07}", sheet.rows() + 1);
            let page = random.pick(&["pricing", "cold-chain", "fleet", "careers", "docs"]);
            let url = format!("https://{}/{page}", company.domain);
            let key = world.key(&lead.id);
            sheet.row(&[&id, &key, &"", &kind.name, &Instant(at), page, &url, &is_bot]);
        }
    }
    export.add("template", "engagement_events", sheet);
}
