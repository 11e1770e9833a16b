//! Users, territories, quotas and what the personnel file adds.

use chrono::NaiveDate;

use super::World;
use super::calendar::{plus, quarter_label, quarters};
use super::export::{Cents, Export, Instant, Maybe, Sheet, days};
use super::ids::{prefix, record_id};
use super::params::Params;
use super::random::Random;

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Manager,
    Seller,
    Developer,
    Operations,
}

impl Role {
    /// The role in the words of the canonical schema.
    fn code(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Seller => "ae",
            Self::Developer => "sdr",
            Self::Operations => "ops",
        }
    }
}

/// One person.
#[derive(Debug)]
pub(super) struct User {
    pub id: String,
    pub name: String,
    pub email: String,
    pub title: &'static str,
    pub role: Role,
    /// Index of the user reported to.
    pub manager: Option<usize>,
    pub region: usize,
    pub segment: usize,
    pub hired: NaiveDate,
    pub left: Option<NaiveDate>,
    pub fte: f64,
    /// 0 to 1, the share of sellers that are worse.
    pub skill: f64,
}

impl User {
    /// At work on `day`.
    pub fn is_active(&self, day: NaiveDate) -> bool {
        self.hired <= day && self.left.is_none_or(|left| day <= left)
    }

    /// Share of full productivity on `day` (0 to 1).
    pub fn ramp(&self, day: NaiveDate, ramp: &[f64]) -> f64 {
        if !self.is_active(day) {
            return 0.0;
        }
        let month = (days(self.hired, day) / 30) as usize;
        ramp.get(month).or(ramp.last()).copied().unwrap_or(1.0)
    }
}

/// Everyone, managers first: the head of sales, the regional managers, then those who report to them.
pub(super) fn hire(params: &Params, scale: usize, seed: u64) -> Vec<User> {
    let random = &mut Random::stream(seed, "people");
    let company = &params.company;
    let mut users = vec![];
    let sellers = company.size.reps * scale;
    let managers = sellers.div_ceil(company.size.reps_per_manager).max(company.regions.len());
    let long_ago = |random: &mut Random| plus(params.first, -random.whole(200, 2000));
    let day = long_ago(random);
    users.push(person(params, random, 0, "VP Sales", Role::Manager, None, 0, day));
    for n in 0..managers {
        let region = n % company.regions.len();
        let day = long_ago(random);
        let number = users.len();
        let title = "Regional Sales Manager";
        users.push(person(params, random, number, title, Role::Manager, Some(0), region, day));
    }
    for n in 0..sellers {
        let user = seller(params, random, users.len(), n, managers, sellers);
        users.push(user);
    }
    for n in 0..company.size.development_reps * scale {
        let (number, manager) = (users.len(), 1 + n % managers);
        let region = users[manager].region;
        let (title, role) = ("Sales Development Representative", Role::Developer);
        let day = long_ago(random);
        users.push(person(params, random, number, title, role, Some(manager), region, day));
    }
    let number = users.len();
    let (title, role) = ("Sales Operations Analyst", Role::Operations);
    let day = long_ago(random);
    users.push(person(params, random, number, title, role, Some(0), 0, day));
    users
}

/// The `n`-th of `count` sellers: veterans first, some of whom leave; the others join over the years.
fn seller(
    params: &Params,
    random: &mut Random,
    number: usize,
    n: usize,
    managers: usize,
    count: usize,
) -> User {
    let company = &params.company;
    let people = &company.people;
    let veterans = (count as f64 * people.veteran_ratio) as usize;
    let leavers = (veterans as f64 * people.leaver_ratio) as usize;
    let span = days(params.first, params.last);
    let hired = if n < veterans {
        plus(params.first, -random.whole(190, 1500))
    } else {
        let step = span / (count - veterans) as i64;
        plus(params.first, step * (n - veterans) as i64 + random.whole(20, step - 20))
    };
    let manager = 1 + n % managers;
    let region = (manager - 1) % company.regions.len();
    let (title, role) = ("Account Executive", Role::Seller);
    let mut user = person(params, random, number, title, role, Some(manager), region, hired);
    // Old hands and new ones in every segment.
    let place = ((n * 9 % count) as f64 + 0.5) / count as f64;
    let mut share = 0.0;
    user.segment = company
        .segments
        .iter()
        .position(|segment| {
            share += segment.share;
            place < share
        })
        .unwrap_or(0);
    user.skill = ((n * 7) % count) as f64 / (count - 1).max(1) as f64;
    if n < leavers * 3 && n % 3 == 1 {
        user.skill *= 0.5;
        user.left = Some(plus(params.first, random.whole(span / 4, span * 9 / 10)));
    }
    if random.chance(people.part_time_ratio) {
        user.fte = 0.5;
    }
    user
}

#[allow(clippy::too_many_arguments)] // one line of the personnel file
fn person(
    params: &Params,
    random: &mut Random,
    number: usize,
    title: &'static str,
    role: Role,
    manager: Option<usize>,
    region: usize,
    hired: NaiveDate,
) -> User {
    let names = &params.names;
    let given = &names.given[number * 7 % names.given.len()];
    let family = &names.family[(number * 11 + number / names.given.len()) % names.family.len()];
    let suffix = if number < names.given.len() { String::new() } else { number.to_string() };
    let mailbox = format!("{given}.{family}{suffix}").to_lowercase();
    User {
        id: record_id(prefix::USER, number),
        name: format!("{given} {family}"),
        email: format!("{mailbox}@{}", params.company.domain),
        title,
        role,
        manager,
        region,
        segment: 0,
        hired,
        left: None,
        fte: 1.0,
        skill: random.unit(),
    }
}

/// User, Territory2, UserTerritory2Association, Period, ForecastingQuota and the personnel file.
pub(super) fn export(world: &World, export: &mut Export) {
    export_users(world, export);
    export_territories(world, export);
    export_quotas(world, export);
}

fn export_users(world: &World, export: &mut Export) {
    let mut sheet = Sheet::new(&[
        "Id",
        "Username",
        "FirstName",
        "LastName",
        "Name",
        "Email",
        "Title",
        "Department",
        "ManagerId",
        "IsActive",
        "UserRole.Name",
        "CreatedDate",
        "LastModifiedDate",
        "SystemModstamp",
    ]);
    let mut personnel = Sheet::new(&[
        "UserId",
        "HireDate",
        "QuotaStartDate",
        "TerminationDate",
        "Fte",
        "HoursPerWeek",
        "Role",
        "Team",
        "Segment",
    ]);
    let company = &world.params.company;
    for user in &world.users {
        let (given, family) = user.name.split_once(' ').unwrap_or(("", &user.name));
        let manager = user.manager.map(|index| &world.users[index].id);
        let created = Instant(user.hired.and_time(chrono::NaiveTime::MIN));
        let changed = Instant(user.left.unwrap_or(user.hired).and_time(chrono::NaiveTime::MIN));
        let team = &company.regions[user.region].name;
        let is_active = user.left.is_none();
        sheet.row(&[
            &user.id,
            &user.email,
            &given,
            &family,
            &user.name,
            &user.email,
            &user.title,
            team,
            &Maybe(manager),
            &is_active,
            &user.title,
            &created,
            &changed,
            &changed,
        ]);
        let is_seller = user.role == Role::Seller;
        let segment = is_seller.then(|| &company.segments[user.segment].name);
        let quota_start = is_seller.then(|| quota_start(world, user));
        personnel.row(&[
            &user.id,
            &user.hired,
            &Maybe(quota_start),
            &Maybe(user.left),
            &user.fte,
            &(company.people.hours_per_week * user.fte),
            &user.role.code(),
            team,
            &Maybe(segment),
        ]);
    }
    export.add("salesforce", "User", sheet);
    export.add("salesforce", "users_hr", personnel);
}

/// First day a seller has a quota: veterans from long ago, new ones after a relief.
fn quota_start(world: &World, user: &User) -> NaiveDate {
    plus(user.hired, world.params.company.people.quota_relief_days)
}

fn export_territories(world: &World, export: &mut Export) {
    let mut territories = Sheet::new(&[
        "Id",
        "Name",
        "DeveloperName",
        "ParentTerritory2Id",
        "Territory2ModelId",
        "Territory2TypeId",
        "LastModifiedDate",
        "SystemModstamp",
    ]);
    let mut members = Sheet::new(&[
        "Id",
        "Territory2Id",
        "UserId",
        "RoleInTerritory2",
        "IsActive",
        "LastModifiedDate",
        "SystemModstamp",
    ]);
    let regions = &world.params.company.regions;
    let root = record_id(prefix::TERRITORY, 0);
    let (model, kind) = ("0MA8d000000000BAAQ", "0M58d000000000BAAQ");
    let day = Instant(world.params.first.and_time(chrono::NaiveTime::MIN));
    territories.row(&[&root, &"All", &"All", &"", &model, &kind, &day, &day]);
    for (index, region) in regions.iter().enumerate() {
        let id = territory_id(index);
        territories.row(&[&id, &region.name, &region.name, &root, &model, &kind, &day, &day]);
    }
    for (number, user) in world.users.iter().enumerate() {
        if user.role == Role::Operations || user.manager.is_none() {
            continue;
        }
        let id = record_id(prefix::TERRITORY_MEMBER, number);
        let role = if user.role == Role::Manager { "Manager" } else { "Member" };
        let since = Instant(user.hired.and_time(chrono::NaiveTime::MIN));
        let is_active = user.left.is_none();
        let territory = territory_id(user.region);
        members.row(&[&id, &territory, &user.id, &role, &is_active, &since, &since]);
    }
    export.add("salesforce", "Territory2", territories);
    export.add("salesforce", "UserTerritory2Association", members);
}

/// Id of the territory of a region.
pub(super) fn territory_id(region: usize) -> String {
    record_id(prefix::TERRITORY, region + 1)
}

fn export_quotas(world: &World, export: &mut Export) {
    let mut periods = Sheet::new(&[
        "Id",
        "Type",
        "StartDate",
        "EndDate",
        "Number",
        "QuarterLabel",
        "FullyQualifiedLabel",
        "IsForecastPeriod",
        "SystemModstamp",
    ]);
    let mut quotas = Sheet::new(&[
        "Id",
        "QuotaOwnerId",
        "PeriodId",
        "StartDate",
        "ForecastingTypeId",
        "IsAmount",
        "IsQuantity",
        "QuotaAmount",
        "QuotaQuantity",
        "CurrencyIsoCode",
        "ProductFamily",
        "LastModifiedDate",
        "SystemModstamp",
    ]);
    let mut plans = Sheet::new(&[
        "quota_id",
        "owner_id",
        "metric",
        "period_start",
        "period_end",
        "amount",
        "currency",
        "quota_kind",
        "ramp_included",
    ]);
    let params = &world.params;
    let (people, currency) = (&params.company.people, &params.company.currency);
    for (number, (start, end)) in
        quarters(params.first, params.planned_until).into_iter().enumerate()
    {
        let period = record_id(prefix::PERIOD, number);
        let label = quarter_label(start);
        let set_on = Instant(plus(start, -14).and_time(chrono::NaiveTime::MIN));
        let place = &label[5..];
        periods.row(&[&period, &"Quarter", &start, &end, &place, &label, &label, &true, &set_on]);
        let mut by_manager = vec![0i64; world.users.len()];
        for user in &world.users {
            let Some(amount) = quarter_quota(params, user, start, end) else { continue };
            let id = record_id(prefix::QUOTA, quotas.rows() as usize);
            quotas.row(&[
                &id,
                &user.id,
                &period,
                &start,
                &"0Db8d000000000BAAQ",
                &true,
                &false,
                &Cents(amount),
                &"",
                currency,
                &"",
                &set_on,
                &set_on,
            ]);
            by_manager[user.manager.unwrap_or(0)] += amount;
        }
        let total: i64 = by_manager.iter().sum();
        for (index, sum) in by_manager.iter().enumerate().filter(|(_, sum)| **sum > 0) {
            let amount = rounded(*sum as f64 * people.quota_manager_ratio);
            let owner = world.key(&world.users[index].id);
            let id = format!("manager-{label}-{index}");
            plans.row(&[
                &id,
                &owner,
                &"bookings",
                &start,
                &end,
                &Cents(amount),
                currency,
                &"manager",
                &false,
            ]);
        }
        let amount = rounded(total as f64 * people.quota_plan_ratio);
        let owner = world.key(&world.users[0].id);
        plans.row(&[
            &format!("plan-{label}"),
            &owner,
            &"bookings",
            &start,
            &end,
            &Cents(amount),
            currency,
            &"plan",
            &false,
        ]);
    }
    export.add("salesforce", "Period", periods);
    export.add("salesforce", "ForecastingQuota", quotas);
    export.add("template", "quotas", plans);
}

/// A seller's quota for a quarter in cents, `None` in quarters without one.
pub(super) fn quarter_quota(
    params: &Params,
    user: &User,
    start: NaiveDate,
    end: NaiveDate,
) -> Option<i64> {
    let people = &params.company.people;
    let begins = plus(user.hired, people.quota_relief_days);
    if user.role != Role::Seller || begins > end || user.left.is_some_and(|left| left < start) {
        return None;
    }
    let growth = 1.0 + people.quota_growth_year_ratio * params.years_since_start(start).max(0.0);
    Some(rounded(people.quota_quarter_amounts[user.segment] * 100.0 * growth * user.fte))
}

/// Cents, rounded to a thousand units.
fn rounded(cents: f64) -> i64 {
    (cents / 100_000.0).round() as i64 * 100_000
}
