//! What a CRM does not hold: subscriptions, capacity, stock, scoring rules, targets, commissions.

use chrono::{Months, NaiveDate};

use super::World;
use super::calendar::{plus, quarter, quarters};
use super::deal_files::product_ids;
use super::deals::won_stage;
use super::export::{Cents, Export, Maybe, Sheet};
use super::people::{Role, quarter_quota};
use super::random::Random;

/// All template files of this topic.
pub(super) fn export(world: &World, export: &mut Export) {
    export_subscriptions(world, export);
    export_capacity(world, export);
    export_products(world, export);
    export_scoring(world, export);
    export_targets(world, export);
    export_commissions(world, export);
}

/// Every platform sold runs for twelve months; most are renewed without end, some stop.
fn export_subscriptions(world: &World, export: &mut Export) {
    let random = &mut Random::stream(world.seed, "subscriptions");
    let mut sheet = Sheet::new(&[
        "sub_id",
        "account_id",
        "product_id",
        "start_date",
        "end_date",
        "mrr",
        "currency",
        "tier",
    ]);
    let company = &world.params.company;
    let won = won_stage(&world.params);
    for deal in world.deals.iter().filter(|deal| deal.state().stage == won) {
        for line in &deal.lines {
            if !company.products[line.product].recurring {
                continue;
            }
            let id = format!("sub-{:05}", sheet.rows() + 1);
            let account = &world.accounts[deal.account];
            let start = plus(deal.state().close, random.whole(1, 30));
            let years = random.whole(1, 3) as u32;
            let end = random.chance(0.22).then(|| plus(start + Months::new(12 * years), -1));
            let mrr = Cents(line.total() / 12);
            let tier = if account.segment == 2 { "premium" } else { "standard" };
            let (account, product) =
                (world.key(&account.id), world.key(&product_ids(line.product).0));
            sheet.row(&[
                &id,
                &account,
                &product,
                &start,
                &Maybe(end),
                &mrr,
                &company.currency,
                &tier,
            ]);
        }
    }
    export.add("template", "subscriptions", sheet);
}

fn export_capacity(world: &World, export: &mut Export) {
    let mut sheet = Sheet::new(&[
        "resource_id",
        "resource_type",
        "skill",
        "available_from",
        "available_to",
        "hours_per_day",
        "utilisation",
        "cost_rate",
        "currency",
        "is_planned",
    ]);
    let company = &world.params.company;
    let currency = &company.currency;
    let first = world.params.first;
    let mut people = |kind: &str, skill: &str, count: usize, rate: i64| {
        for n in 0..count {
            let from = plus(first, 150 * n as i64 - 200);
            let (id, blank) = (format!("{kind}-{}", n + 1), "");
            sheet.row(&[
                &id,
                &kind,
                &skill,
                &from,
                &blank,
                &8,
                &0.75,
                &Cents(rate),
                currency,
                &false,
            ]);
        }
    };
    people("delivery", "installation", company.size.delivery_people * world.scale, 6_200);
    people("support", "helpdesk", company.size.support_people * world.scale, 4_400);
    people("contractor", "installation", 1, 9_500);
    // Two sellers are to start next quarter.
    let (_, end) = quarter(world.params.last);
    for n in 1..=2 {
        let (id, from) = (format!("seller-{n}"), plus(end, 15 * n));
        sheet.row(&[
            &id,
            &"seller",
            &"mid_market",
            &from,
            &"",
            &8,
            &1.0,
            &Cents(7_000),
            currency,
            &true,
        ]);
    }
    export.add("template", "capacity_resources", sheet);
}

fn export_products(world: &World, export: &mut Export) {
    let random = &mut Random::stream(world.seed, "stock");
    let mut work = Sheet::new(&["product_id", "resource_type", "hours_per_win", "lag_days"]);
    let mut stock = Sheet::new(&[
        "product_id",
        "location",
        "as_of",
        "on_hand",
        "on_order",
        "allocated",
        "lead_time_days",
    ]);
    let (start, _) = quarter(world.params.last);
    for (index, product) in world.params.company.products.iter().enumerate() {
        let id = world.key(&product_ids(index).0);
        work.row(&[&id, &"delivery", &product.delivery_hours, &21]);
        if product.family != "Sensors" {
            continue;
        }
        for location in ["Duluth", "Norfolk"] {
            for day in [plus(start, -1), world.params.last] {
                let hand = random.whole(60, 420);
                let (order, allocated) = (random.whole(0, 200), random.whole(0, hand / 3));
                stock.row(&[&id, &location, &day, &hand, &order, &allocated, &28]);
            }
        }
    }
    export.add("template", "delivery_profile", work);
    export.add("template", "inventory", stock);
}

fn export_scoring(world: &World, export: &mut Export) {
    let mut sheet = Sheet::new(&[
        "rule_id",
        "model",
        "kind",
        "group_name",
        "attribute",
        "op",
        "value",
        "points",
        "group_cap",
        "half_life_days",
    ]);
    let model = "default";
    for (n, rule) in world.params.company.fit_rules.iter().enumerate() {
        let id = format!("fit-{}", n + 1);
        sheet.row(&[
            &id,
            &model,
            &"fit",
            &rule.group,
            &rule.attribute,
            &rule.op,
            &rule.value,
            &rule.points,
            &"",
            &"",
        ]);
    }
    for (n, kind) in world.params.company.events.iter().enumerate() {
        let id = format!("engagement-{}", n + 1);
        let group = if kind.name.starts_with("email") { "email" } else { "site" };
        let cap = if group == "email" { "30" } else { "" };
        sheet.row(&[
            &id,
            &model,
            &"engagement",
            &group,
            &kind.name,
            &"eq",
            &"",
            &kind.points,
            &cap,
            &30,
        ]);
    }
    export.add("template", "scoring_rules", sheet);
}

/// Bookings goals of the company and its teams, a quarter each.
fn export_targets(world: &World, export: &mut Export) {
    let mut sheet = Sheet::new(&["metric", "scope_type", "scope_id", "period_start", "value"]);
    let params = &world.params;
    let ratio = params.company.people.quota_plan_ratio;
    for (start, end) in quarters(params.first, params.planned_until) {
        let mut total = 0;
        for (index, region) in params.company.regions.iter().enumerate() {
            let value = team_quota(world, index, start, end) as f64 * ratio / 100.0;
            total += value.round() as i64;
            sheet.row(&[&"bookings", &"team", &region.name, &start, &(value.round() as i64)]);
        }
        sheet.row(&[&"bookings", &"company", &"company", &start, &total]);
    }
    export.add("template", "targets", sheet);
}

/// Sum of the quotas of a region's sellers in cents.
fn team_quota(world: &World, region: usize, start: NaiveDate, end: NaiveDate) -> i64 {
    let team = world.users.iter().filter(|user| user.region == region);
    team.filter_map(|user| quarter_quota(&world.params, user, start, end)).sum()
}

fn export_commissions(world: &World, export: &mut Export) {
    let mut plans = Sheet::new(&[
        "plan_id",
        "user_id",
        "valid_from",
        "valid_to",
        "method",
        "base_rate",
        "cap",
        "currency",
    ]);
    let mut tiers = Sheet::new(&["plan_id", "from_attainment", "rate"]);
    let (plan, currency) = ("standard", &world.params.company.currency);
    for user in world.users.iter().filter(|user| user.role == Role::Seller) {
        let key = world.key(&user.id);
        plans.row(&[
            &plan,
            &key,
            &user.hired,
            &Maybe(user.left),
            &"marginal",
            &0.08,
            &Cents(6_000_000),
            currency,
        ]);
    }
    for tier in &world.params.company.commission_tiers {
        tiers.row(&[&plan, &tier.from_attainment, &tier.rate]);
    }
    export.add("template", "commission_plans", plans);
    export.add("template", "commission_tiers", tiers);
}
