//! The company's numbers and words, read from `datasets/demo/`.

use chrono::NaiveDate;
use serde::Deserialize;

use crate::error::{Error, Result};

const COMPANY: &str = include_str!("../../datasets/demo/company.toml");
const NAMES: &str = include_str!("../../datasets/demo/names.toml");

/// `datasets/demo/company.toml`; its comments say what the fields mean.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Company {
    pub company: String,
    pub domain: String,
    pub currency: String,
    pub first_day: String,
    pub last_day: String,
    pub planned_until: String,
    pub size: Size,
    pub trend: Trend,
    pub people: People,
    pub deals: Deals,
    pub dirt: Dirt,
    pub leads: Leads,
    pub activity: Activity,
    pub stages: Vec<Stage>,
    pub segments: Vec<Segment>,
    pub regions: Vec<Region>,
    pub products: Vec<Product>,
    pub sources: Vec<Source>,
    pub events: Vec<EventKind>,
    pub fit_rules: Vec<FitRule>,
    pub commission_tiers: Vec<Tier>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Size {
    pub reps: usize,
    pub reps_per_manager: usize,
    pub development_reps: usize,
    pub accounts: usize,
    pub contacts_per_account: usize,
    pub leads: usize,
    pub opportunities: usize,
    pub campaigns: usize,
    pub delivery_people: usize,
    pub support_people: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trend {
    pub growth_year_ratio: f64,
    pub month_weights: [f64; 12],
    pub work_weights: [f64; 12],
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct People {
    pub veteran_ratio: f64,
    pub leaver_ratio: f64,
    pub part_time_ratio: f64,
    pub hours_per_week: f64,
    pub ramp: Vec<f64>,
    pub quota_relief_days: i64,
    pub quota_quarter_amounts: Vec<f64>,
    pub quota_growth_year_ratio: f64,
    pub quota_manager_ratio: f64,
    pub quota_plan_ratio: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deals {
    pub skill_edge: f64,
    pub quarter_end_ratio: f64,
    pub quarter_end_days: i64,
    pub lost_quietly_days: f64,
    pub push_ratio: f64,
    pub push_days: [i64; 2],
    pub skip_stage_ratio: f64,
    pub discount_ratio_max: f64,
    pub split_ratio: f64,
    pub overlay_ratio: f64,
    pub expansion_size_ratio: f64,
    pub next_step_ratio: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dirt {
    pub duplicate_account_ratio: f64,
    pub missing_amount_ratio: f64,
    pub typo_industry_ratio: f64,
    pub missing_email_ratio: f64,
    pub short_id_ratio: f64,
    pub missing_duration_ratio: f64,
    pub bot_ratio: f64,
    pub malformed: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Leads {
    pub qualified_base: f64,
    pub qualified_fit: f64,
    pub qualified_intent: f64,
    pub accepted_base: f64,
    pub accepted_fit: f64,
    pub accepted_intent: f64,
    pub converted_base: f64,
    pub converted_fit: f64,
    pub converted_intent: f64,
    pub qualified_days: f64,
    pub accepted_days: f64,
    pub converted_days: f64,
    pub events_quiet: f64,
    pub events_keen: f64,
    pub event_days: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Activity {
    pub kinds: Vec<String>,
    pub top: Vec<f64>,
    pub bottom: Vec<f64>,
    pub minutes: Vec<i64>,
    pub connected_top: f64,
    pub connected_bottom: f64,
    pub no_show_ratio: f64,
    pub cancelled_ratio: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stage {
    pub name: String,
    pub probability_pct: u32,
    pub category: String,
    pub days: f64,
    pub advance_ratio: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Segment {
    pub name: String,
    pub share: f64,
    pub employees: [i64; 2],
    pub deal_amount: f64,
    pub deal_sigma: f64,
    pub cycle_ratio: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Region {
    pub name: String,
    pub states: Vec<String>,
    pub cities: Vec<String>,
    pub country: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Product {
    pub name: String,
    pub code: String,
    pub family: String,
    pub list_price: f64,
    pub weight: f64,
    pub segments: Vec<f64>,
    pub recurring: bool,
    pub delivery_hours: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    pub name: String,
    pub weight: f64,
    pub fit: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventKind {
    pub name: String,
    pub weight: f64,
    pub points: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FitRule {
    pub group: String,
    pub attribute: String,
    pub op: String,
    pub value: String,
    pub points: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tier {
    pub from_attainment: f64,
    pub rate: f64,
}

/// `datasets/demo/names.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    pub given: Vec<String>,
    pub family: Vec<String>,
    pub company_first: Vec<String>,
    pub company_second: Vec<String>,
    pub company_kind: Vec<String>,
    /// Industry of each kind of company, in the order of `company_kind`.
    pub industries: Vec<String>,
    pub titles: Vec<String>,
    pub loss_reasons: Vec<String>,
    pub next_steps: Vec<String>,
    pub subjects_email: Vec<String>,
    pub subjects_call: Vec<String>,
    pub subjects_meeting: Vec<String>,
    pub campaign_channels: Vec<String>,
}

/// Both files, with the dates read.
#[derive(Debug)]
pub(super) struct Params {
    pub company: Company,
    pub names: Names,
    pub first: NaiveDate,
    pub last: NaiveDate,
    pub planned_until: NaiveDate,
}

impl Params {
    /// Reads the embedded files.
    pub fn load() -> Result<Self> {
        let company: Company = read("datasets/demo/company.toml", COMPANY)?;
        let names = read("datasets/demo/names.toml", NAMES)?;
        Ok(Self {
            first: date(&company.first_day)?,
            last: date(&company.last_day)?,
            planned_until: date(&company.planned_until)?,
            company,
            names,
        })
    }

    /// Share of the way from the first day to the last (0 to 1), for trends.
    pub fn years_since_start(&self, day: NaiveDate) -> f64 {
        (day - self.first).num_days() as f64 / 365.25
    }
}

fn read<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| Error::Definition { name: name.into(), reason: e.to_string() })
}

fn date(text: &str) -> Result<NaiveDate> {
    text.parse().map_err(|e| Error::Definition {
        name: "datasets/demo/company.toml".into(),
        reason: format!("date {text}: {e}"),
    })
}
