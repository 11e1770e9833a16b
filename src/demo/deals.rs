//! Opportunities: how each one walks through the stages, and the files that tell of it.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime};

use super::calendar::{Season, at_work, later, plus, quarter, workday_at_or_before};
use super::customers::{Account, owner};
use super::ids::{prefix, record_id};
use super::leads::Lead;
use super::params::{Params, Product};
use super::people::{Role, User};
use super::random::{Random, exp};

/// Days before the first day from which deals are made, so that the first quarter has a pipeline.
const WARM_UP_DAYS: i64 = 240;

/// One deal.
#[derive(Debug)]
pub(super) struct Deal {
    pub id: String,
    pub account: usize,
    pub owner: usize,
    pub name: String,
    pub kind: &'static str,
    pub source: usize,
    pub campaign: Option<usize>,
    pub created: NaiveDateTime,
    pub amount: Option<i64>,
    pub push_count: u32,
    pub lines: Vec<Line>,
    pub history: Vec<State>,
    pub last_activity: Option<NaiveDate>,
}

/// One product on a deal; prices in cents.
#[derive(Debug)]
pub(super) struct Line {
    pub product: usize,
    pub quantity: i64,
    pub list: i64,
    pub discount_pct: i64,
}

impl Line {
    pub fn unit(&self) -> i64 {
        self.list * (100 - self.discount_pct) / 100
    }
    pub fn total(&self) -> i64 {
        self.unit() * self.quantity
    }
}

/// What a deal looked like from `at` on.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub at: NaiveDateTime,
    pub stage: usize,
    pub amount: Option<i64>,
    pub close: NaiveDate,
}

impl Deal {
    /// The current state.
    pub fn state(&self) -> &State {
        &self.history[self.history.len() - 1]
    }
}

/// Indexes of the two closed stages, which are the last ones.
pub(super) fn won_stage(params: &Params) -> usize {
    params.company.stages.len() - 2
}

/// The world that deals are made in.
struct Maker<'a> {
    params: &'a Params,
    users: &'a [User],
    accounts: &'a mut [Account],
    random: Random,
}

/// All deals in the order they were opened; leads learn which deal they became.
pub(super) fn deals(
    params: &Params,
    users: &[User],
    accounts: &mut [Account],
    leads: &mut [Lead],
    scale: usize,
    seed: u64,
) -> Vec<Deal> {
    let mut random = Random::stream(seed, "deals");
    let trend = &params.company.trend;
    let warm = plus(params.first, -WARM_UP_DAYS);
    let season = Season::new(warm, params.last, trend.growth_year_ratio, &trend.month_weights);
    let converted: Vec<usize> =
        (0..leads.len()).filter(|i| leads[*i].converted.is_some()).collect();
    let wanted = params.company.size.opportunities * scale;
    let mut openings: Vec<(NaiveDateTime, Option<usize>)> = converted
        .iter()
        .filter_map(|lead| leads[*lead].converted.as_ref().map(|c| (c.at, Some(*lead))))
        .collect();
    for _ in converted.len()..wanted {
        let day = season.day(&mut random);
        openings.push((at_work(&mut random, day), None));
    }
    openings.sort();
    let mut maker = Maker { params, users, accounts, random };
    let mut deals: Vec<Deal> = vec![];
    for (created, lead) in openings {
        let mut deal = maker.open(created, lead.map(|lead| &leads[lead]));
        maker.walk(&mut deal);
        if deal.state().stage >= won_stage(params) && deal.state().close < params.first {
            continue; // closed before the books begin
        }
        deal.id = record_id(prefix::OPPORTUNITY, deals.len());
        if let Some(conversion) = lead.and_then(|lead| leads[lead].converted.as_mut()) {
            conversion.deal = Some(deals.len());
        }
        deals.push(deal);
    }
    deals
}

impl Maker<'_> {
    /// A new deal: of a lead that converted, or of a seller's own making.
    fn open(&mut self, created: NaiveDateTime, lead: Option<&Lead>) -> Deal {
        let company = &self.params.company;
        let day = created.date();
        let conversion = lead.and_then(|lead| lead.converted.as_ref());
        let (seller, account) = match conversion {
            Some(conversion) => (conversion.seller, conversion.account),
            None => self.prospect(day),
        };
        let target = &mut self.accounts[account];
        target.created = target.created.min(created - chrono::TimeDelta::days(3));
        let is_customer = target.first_won.is_some_and(|won| won <= day);
        let (region, segment) = (target.region, target.segment);
        let kind = match (is_customer, self.random.chance(0.25)) {
            (false, _) => "New Customer",
            (true, true) => "Renewal",
            (true, false) => "Existing Customer - Upgrade",
        };
        let lines = self.lines(segment, is_customer);
        let seller = if self.users[seller].role == Role::Seller {
            seller
        } else {
            owner(&mut self.random, self.users, region, segment, day)
        };
        let source = lead.map_or_else(
            || self.random.weighted(company.sources.iter().map(|s| s.weight)),
            |lead| lead.source,
        );
        Deal {
            id: String::new(),
            account,
            owner: seller,
            name: format!(
                "{} - {}",
                self.accounts[account].name, company.products[lines[0].product].name
            ),
            kind,
            source,
            campaign: lead.and_then(|lead| lead.campaign),
            created,
            amount: Some(lines.iter().map(Line::total).sum()),
            push_count: 0,
            lines,
            history: vec![],
            last_activity: None,
        }
    }

    /// A seller who works on `day` and an account of his region and segment.
    fn prospect(&mut self, day: NaiveDate) -> (usize, usize) {
        let ramp = &self.params.company.people.ramp;
        let weight = |user: &User| {
            let sells = f64::from(u8::from(user.role == Role::Seller));
            sells
                * user.fte
                * (0.15 + user.ramp(day, ramp))
                * (0.75 + 0.5 * user.skill)
                * f64::from(u8::from(user.is_active(day)))
        };
        let seller = self.random.weighted(self.users.iter().map(weight));
        let user = &self.users[seller];
        let fits = |a: &Account| a.region == user.region && a.segment == user.segment;
        let near = self.accounts.iter().map(|a| f64::from(u8::from(fits(a))) + 1e-9);
        (seller, self.random.weighted(near))
    }

    /// What is offered: a main product, often something beside it.
    fn lines(&mut self, segment: usize, is_customer: bool) -> Vec<Line> {
        let company = &self.params.company;
        let size = &company.segments[segment];
        let shrink = if is_customer { company.deals.expansion_size_ratio } else { 1.0 };
        let target = self.random.log_normal(size.deal_amount * shrink, size.deal_sigma);
        let weight = |p: &Product| p.weight * p.segments[segment];
        let first = self.random.weighted(company.products.iter().map(weight));
        let mut chosen = vec![(first, 1.0)];
        if self.random.chance(0.45) {
            let second = self.random.weighted(company.products.iter().map(weight));
            if second != first {
                chosen = vec![(first, 0.7), (second, 0.3)];
            }
        }
        let steps = (company.deals.discount_ratio_max * 20.0) as i64;
        chosen
            .into_iter()
            .map(|(product, share)| {
                let price = company.products[product].list_price;
                let quantity = (target * share / price).round().max(1.0) as i64;
                let discount_pct = (self.random.whole(-2, steps) * 5).max(0);
                Line { product, quantity, list: (price * 100.0).round() as i64, discount_pct }
            })
            .collect()
    }

    /// Walks the deal from stage to stage until it is won, lost or the last day comes.
    fn walk(&mut self, deal: &mut Deal) {
        let company = &self.params.company;
        let (won, lost) = (won_stage(self.params), won_stage(self.params) + 1);
        let cycle = company.segments[self.accounts[deal.account].segment].cycle_ratio;
        let expected: f64 = company.stages.iter().map(|s| s.days).sum::<f64>() * cycle;
        let factor = self.random.between(0.9, 1.5);
        let mut close = workday_at_or_before(plus(deal.created.date(), (expected * factor) as i64));
        let (mut at, mut stage) = (deal.created, 0);
        let guess = *self.random.pick(&[0.8, 0.9, 1.0, 1.0, 1.2]);
        let edge = exp(company.deals.skill_edge * (self.users[deal.owner].skill * 2.0 - 1.0));
        deal.history.push(State { at, stage, amount: deal.amount, close });
        loop {
            let p = company.stages[stage].advance_ratio;
            let odds = p / (1.0 - p) * edge;
            let next = later(&mut self.random, at, company.stages[stage].days * cycle * 1.3);
            let is_lost = !self.random.chance(odds / (1.0 + odds));
            let day = if is_lost {
                let died = company.deals.lost_quietly_days;
                plus(next.date(), self.random.log_normal(died * 0.7, 0.6) as i64)
            } else {
                next.date()
            };
            close = self.push(deal, at, day.min(plus(self.params.last, 1)), close);
            if day > self.params.last {
                break;
            }
            if deal.history.len() == 1 && stage == 0 {
                // The first guess at the amount is replaced once the deal moves.
                let amount =
                    deal.amount.map(|a| (a as f64 * guess / 10_000.0).round() as i64 * 10_000);
                deal.history[0].amount = amount;
            }
            let skips = self.random.chance(company.deals.skip_stage_ratio);
            stage = if is_lost { lost } else { (stage + 1 + usize::from(skips)).min(won) };
            at = next.max(at + chrono::TimeDelta::minutes(1));
            if stage == won {
                at = self.sign(at, deal.state().at);
                let account = &mut self.accounts[deal.account];
                let first = account.first_won.get_or_insert(at.date());
                *first = (*first).min(at.date());
            } else if stage == lost {
                at = at_work(&mut self.random, day)
                    .max(deal.state().at + chrono::TimeDelta::minutes(1));
            }
            if stage >= won {
                close = at.date();
            }
            deal.history.push(State { at, stage, amount: deal.amount, close });
            if stage >= won {
                break;
            }
        }
        // States before the first move carry the first guess.
        let first = deal.history[0].amount;
        let moved = deal.history.iter().position(|s| s.stage > 0).unwrap_or(0);
        deal.history[..moved].iter_mut().for_each(|state| state.amount = first);
    }

    /// Moves an overdue close date on, as reps do, until `until`; gives the date it ends with.
    fn push(
        &mut self,
        deal: &mut Deal,
        from: NaiveDateTime,
        until: NaiveDate,
        close: NaiveDate,
    ) -> NaiveDate {
        let deals = &self.params.company.deals;
        let mut close = close;
        let mut now = from.max(deal.state().at);
        loop {
            let noticed = plus(close, self.random.whole(0, 4));
            if noticed >= until || noticed <= now.date() || !self.random.chance(deals.push_ratio) {
                return close;
            }
            now = at_work(&mut self.random, noticed);
            let [lo, hi] = deals.push_days;
            let moved = workday_at_or_before(plus(noticed, self.random.whole(lo, hi)));
            if (moved.year(), moved.month()) > (close.year(), close.month()) {
                deal.push_count += 1;
            }
            close = moved;
            let State { stage, amount, .. } = *deal.state();
            deal.history.push(State { at: now, stage, amount, close });
        }
    }

    /// When a win is signed: many wait for the last days of the quarter.
    fn sign(&mut self, ready: NaiveDateTime, after: NaiveDateTime) -> NaiveDateTime {
        let deals = &self.params.company.deals;
        let (_, end) = quarter(ready.date());
        if !self.random.chance(deals.quarter_end_ratio) || end > self.params.last {
            return ready;
        }
        let day = workday_at_or_before(plus(end, -self.random.whole(0, deals.quarter_end_days)));
        let signed = at_work(&mut self.random, day);
        if signed > after && signed > day.and_time(NaiveTime::MIN) { signed } else { ready }
    }
}
