//! From dated values to a regular series: sums by period, gaps, and the period that still runs.

use super::calendar::{DAY_US, Grain, civil, day_number};
use crate::math::Fault;

/// Most grid points of a series: some 270 years of days.
const POINTS_MAX: i64 = 100_000;

/// Why values are no series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// Times that make more than 100 000 periods.
    Irregular,
    /// The last value is more than 100 000 periods before `as_of`.
    Stale,
    /// The period of this day has no value, and none may be without.
    Gap(i64),
    /// A value is NaN or infinite.
    NotFinite,
}

impl Broken {
    /// Its name as a status in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Irregular => "irregular",
            Self::Stale => "stale",
            Self::Gap(_) => "gap",
            Self::NotFinite => "not_finite",
        }
    }
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Irregular => Self(
                "ts is irregular: truncate it to a day, week, month, quarter or year first".into(),
            ),
            Broken::Stale => Self("as_of is too many periods after the last value".into()),
            Broken::Gap(day) => {
                let (year, month, day) = civil(day);
                Self(format!("ts has a gap: no value at {year:04}-{month:02}-{day:02}"))
            }
            Broken::NotFinite => Self("value must be finite".into()),
        }
    }
}

/// What stands where a period has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gaps {
    /// Nothing happened: zero.
    Zero,
    /// The value before.
    Carry,
    /// A line from the value before to the one after.
    Linear,
    /// A series with a gap is broken.
    Error,
}

impl Gaps {
    /// The rule called `name`.
    ///
    /// # Errors
    /// Another name.
    pub fn parse(name: &str) -> Result<Self, Fault> {
        match name {
            "zero" => Ok(Self::Zero),
            "carry" => Ok(Self::Carry),
            "linear" => Ok(Self::Linear),
            "error" => Ok(Self::Error),
            _ => Err(Fault(format!("gaps must be zero, carry, linear or error, got \"{name}\""))),
        }
    }
}

/// The periods that values are first summed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A day.
    Day,
    /// A week from Monday.
    Week,
    /// A month.
    Month,
    /// A quarter of the fiscal year.
    Quarter,
    /// A fiscal year.
    Year,
}

impl Period {
    /// The period called `name`; `None` for `auto`.
    ///
    /// # Errors
    /// A name that is neither.
    pub fn parse(name: &str) -> Result<Option<Self>, Fault> {
        match name {
            "auto" => Ok(None),
            "day" => Ok(Some(Self::Day)),
            "week" => Ok(Some(Self::Week)),
            "month" => Ok(Some(Self::Month)),
            "quarter" => Ok(Some(Self::Quarter)),
            "year" => Ok(Some(Self::Year)),
            _ => Err(Fault(format!(
                "grain must be auto, day, week, month, quarter or year, got \"{name}\""
            ))),
        }
    }

    fn grain(self) -> Grain {
        match self {
            Self::Day => Grain::Micros(DAY_US),
            Self::Week => Grain::Micros(7 * DAY_US),
            Self::Month => Grain::Months(1, false),
            Self::Quarter => Grain::Months(3, false),
            Self::Year => Grain::Months(12, false),
        }
    }

    /// The first day of the period of `instant`, as an instant, where years begin in `start_month`.
    fn first(self, instant: i64, start_month: i64) -> i64 {
        let day = instant.div_euclid(DAY_US);
        let (year, month, _) = civil(day);
        let first = match self {
            Self::Day => day,
            // Day 0 was a Thursday.
            Self::Week => day - (day + 3).rem_euclid(7),
            Self::Month => day_number(year, month, 1),
            Self::Quarter | Self::Year => {
                let months = if self == Self::Year { 12 } else { 3 };
                let count = year * 12 + month - 1;
                let first = count - (count - (start_month - 1)).rem_euclid(months);
                day_number(first.div_euclid(12), first.rem_euclid(12) + 1, 1)
            }
        };
        first.saturating_mul(DAY_US)
    }
}

/// How a series is made of dated values.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Periods to sum by; `None` takes the times as they are.
    pub period: Option<Period>,
    /// What stands in a gap.
    pub gaps: Gaps,
    /// The last day that is known; `None` for that of the last value.
    pub as_of: Option<i32>,
    /// Whether the last period goes if it is not over: a part of a period is no slump.
    pub is_partial_dropped: bool,
    /// Month in which fiscal years begin (1 to 12), for periods of quarters and years.
    pub start_month: i64,
}

/// A regular series.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Values, oldest first, none missing.
    pub values: Vec<f64>,
    /// Values that were given for them.
    pub count: usize,
    /// Distance between them.
    pub grain: Grain,
    /// Time of the last one.
    pub last: i64,
}

/// `points` (instants in microseconds, and values; in any order) as a series; `None` without any.
///
/// With `as_of` the series reaches to the last period that is over on that day, filled as gaps are.
///
/// # Errors
/// Values that are no series.
pub fn grid(points: &[(i64, f64)], rules: &Rules) -> Result<Option<Grid>, Broken> {
    let end = rules.as_of.map(i64::from);
    let known = |point: &&(i64, f64)| end.is_none_or(|end| point.0.div_euclid(DAY_US) <= end);
    let mut points: Vec<(i64, f64)> = points.iter().filter(known).copied().collect();
    if points.iter().any(|(_, value)| !value.is_finite()) {
        return Err(Broken::NotFinite);
    }
    let Some(latest) = points.iter().map(|point| point.0).max() else { return Ok(None) };
    if let Some(period) = rules.period {
        points.iter_mut().for_each(|point| point.0 = period.first(point.0, rules.start_month));
    }
    let mut distinct = summed(&mut points);
    let times: Vec<i64> = distinct.iter().map(|point| point.0).collect();
    let grain = rules.period.map_or_else(|| Grain::of(&times), Period::grain);
    let (first, mut last) = (times[0], times[times.len() - 1]);
    let end = end.unwrap_or(latest.div_euclid(DAY_US));
    let complete = complete(grain, last, end);
    // Of a single time the grain is not known, nor how many periods are missing after it.
    let is_known = rules.period.is_some() || times.len() > 1;
    if complete < 0 && rules.is_partial_dropped {
        distinct.pop();
        let Some(before) = grain.later(last, -1).filter(|_| !distinct.is_empty()) else {
            return Ok(None);
        };
        last = before;
    } else if complete > 0 && rules.as_of.is_some() && is_known {
        if complete > POINTS_MAX {
            return Err(Broken::Stale);
        }
        last = grain.later(last, complete).unwrap_or(last);
    }
    let steps = grain.between(first, last).saturating_add(1);
    if steps > POINTS_MAX {
        return Err(Broken::Irregular);
    }
    let values = filled(&distinct, grain, steps as usize, rules.gaps)?;
    let is_used = |point: &&(i64, f64)| point.0 <= last;
    let count = points.iter().filter(is_used).count();
    Ok(Some(Grid { values, count, grain, last }))
}

/// Points in order of time, those at one time added.
fn summed(points: &mut [(i64, f64)]) -> Vec<(i64, f64)> {
    // By value too, so that sums at one time do not depend on the order rows came in.
    points.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut distinct: Vec<(i64, f64)> = Vec::with_capacity(points.len());
    for (instant, value) in points.iter() {
        match distinct.last_mut() {
            Some(last) if last.0 == *instant => last.1 += value,
            _ => distinct.push((*instant, *value)),
        }
    }
    distinct
}

/// Periods from that of `last` to the last one that is over on day `end`; below zero if that of
/// `last` is not over.
fn complete(grain: Grain, last: i64, end: i64) -> i64 {
    if let Grain::Micros(us) = grain
        && us < DAY_US
    {
        return 0;
    }
    let instant = end.saturating_mul(DAY_US).saturating_add(last.rem_euclid(DAY_US));
    let mut steps = grain.between(last, instant);
    // The calendar counts months: the one of `end` may not have begun, or not be over.
    for _ in 0..2 {
        let is_over = |label: i64| grain.last_day(label) <= end;
        if steps >= 0 && !grain.later(last, steps).is_some_and(is_over) {
            steps -= 1;
        }
    }
    steps
}

/// `points` (sorted, distinct) on a grid of `steps` places, gaps filled as `gaps` says.
fn filled(
    points: &[(i64, f64)],
    grain: Grain,
    steps: usize,
    gaps: Gaps,
) -> Result<Vec<f64>, Broken> {
    let mut places: Vec<Option<f64>> = vec![None; steps];
    for (instant, value) in points {
        if let Some(place) = places.get_mut(grain.between(points[0].0, *instant) as usize) {
            *place = Some(place.unwrap_or(0.0) + value);
        }
    }
    let mut values = Vec::with_capacity(steps);
    let (mut before, mut after) = ((0, 0.0), None);
    for (place, value) in places.iter().enumerate() {
        let value = match (value, gaps) {
            (Some(value), _) => {
                before = (place, *value);
                after = None;
                *value
            }
            (None, Gaps::Zero) => 0.0,
            (None, Gaps::Carry) => before.1,
            (None, Gaps::Linear) => {
                if after.is_none() {
                    let next = places[place..].iter().position(Option::is_some);
                    after = Some(next.and_then(|n| Some((place + n, places[place + n]?))));
                }
                after.flatten().map_or(before.1, |(after, next)| {
                    let share = (place - before.0) as f64 / (after - before.0) as f64;
                    before.1 + share * (next - before.1)
                })
            }
            (None, Gaps::Error) => {
                let at = points.first().and_then(|first| grain.later(first.0, place as i64));
                return Err(Broken::Gap(at.unwrap_or(0).div_euclid(DAY_US)));
            }
        };
        values.push(value);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: i64, month: i64, day: i64) -> i64 {
        day_number(year, month, day)
    }

    fn at(year: i64, month: i64, d: i64) -> i64 {
        day(year, month, d) * DAY_US
    }

    const PLAIN: Rules = Rules {
        period: None,
        gaps: Gaps::Zero,
        as_of: None,
        is_partial_dropped: false,
        start_month: 1,
    };

    fn made(points: &[(i64, f64)], rules: Rules) -> (Vec<f64>, i64) {
        let grid = grid(points, &rules).expect("regular").expect("not empty");
        (grid.values, grid.last)
    }

    fn known(y: i64, m: i64, d: i64, is_partial_dropped: bool) -> Rules {
        Rules { as_of: Some(day(y, m, d) as i32), is_partial_dropped, ..PLAIN }
    }

    #[test]
    fn gaps_are_filled_as_told() {
        let points = [(at(2026, 5, 1), 9.0), (at(2026, 1, 1), 3.0), (at(2026, 4, 1), 6.0)];
        let by =
            |gaps: Gaps| grid(&points, &Rules { gaps, ..PLAIN }).map(|g| g.expect("some").values);
        assert_eq!(by(Gaps::Zero), Ok(vec![3.0, 0.0, 0.0, 6.0, 9.0]));
        assert_eq!(by(Gaps::Carry), Ok(vec![3.0, 3.0, 3.0, 6.0, 9.0]));
        assert_eq!(by(Gaps::Linear), Ok(vec![3.0, 4.0, 5.0, 6.0, 9.0]));
        assert_eq!(by(Gaps::Error), Err(Broken::Gap(day(2026, 2, 1))));
        let irregular = [(0, 1.0), (1, 1.0), (i64::MAX, 1.0)];
        assert_eq!(grid(&irregular, &PLAIN), Err(Broken::Irregular));
        assert_eq!(grid(&[(0, f64::NAN)], &PLAIN), Err(Broken::NotFinite));
        assert_eq!(grid(&[], &PLAIN), Ok(None));
    }

    #[test]
    fn a_period_that_runs_is_no_slump() {
        let points: Vec<(i64, f64)> =
            (1..=4).map(|month| (at(2026, month, 1), month as f64)).collect();
        assert_eq!(made(&points, known(2026, 4, 12, true)), (vec![1.0, 2.0, 3.0], at(2026, 3, 1)));
        let all = (vec![1.0, 2.0, 3.0, 4.0], at(2026, 4, 1));
        assert_eq!(made(&points, known(2026, 4, 30, true)), all);
        assert_eq!(made(&points, known(2026, 4, 12, false)), all);
        // May is over without a value; June runs.
        let longer = (vec![1.0, 2.0, 3.0, 4.0, 0.0], at(2026, 5, 1));
        assert_eq!(made(&points, known(2026, 6, 3, true)), longer);
        assert_eq!(made(&points, known(2026, 6, 3, false)), longer);
        assert_eq!(grid(&points, &known(2026, 1, 15, true)), Ok(None));
        assert_eq!(grid(&points, &known(2025, 12, 31, true)), Ok(None));
        let dropped = Rules { is_partial_dropped: true, ..PLAIN };
        assert_eq!(made(&points, dropped), (vec![1.0, 2.0, 3.0], at(2026, 3, 1)));
        let ends = [(at(2026, 1, 31), 1.0), (at(2026, 2, 28), 2.0)];
        assert_eq!(made(&ends, known(2026, 3, 30, true)), (vec![1.0, 2.0], at(2026, 2, 28)));
        assert_eq!(made(&ends, known(2026, 3, 31, true)), (vec![1.0, 2.0, 0.0], at(2026, 3, 31)));
        let middles = [(at(2026, 1, 15), 1.0), (at(2026, 2, 15), 2.0)];
        assert_eq!(made(&middles, known(2026, 3, 10, true)), (vec![1.0], at(2026, 1, 15)));
        assert_eq!(made(&middles, known(2026, 3, 14, true)), (vec![1.0, 2.0], at(2026, 2, 15)));
    }

    #[test]
    fn periods_sum() {
        let days = [(at(2026, 1, 31), 1.0), (at(2026, 2, 1), 2.0), (at(2026, 4, 5), 4.0)];
        let by = |period: Period| made(&days, Rules { period: Some(period), ..PLAIN });
        assert_eq!(by(Period::Month), (vec![1.0, 2.0, 0.0, 4.0], at(2026, 4, 1)));
        assert_eq!(by(Period::Quarter), (vec![3.0, 4.0], at(2026, 4, 1)));
        assert_eq!(by(Period::Year), (vec![7.0], at(2026, 1, 1)));
        let (weeks, last) = by(Period::Week);
        assert_eq!((&weeks[..2], weeks.len(), last), (&[3.0, 0.0][..], 10, at(2026, 3, 30)));
        assert_eq!(by(Period::Day).0.len(), 65);
        let quarter = Rules { period: Some(Period::Quarter), ..known(2026, 6, 30, true) };
        assert_eq!(made(&days[..2], quarter), (vec![3.0, 0.0], at(2026, 4, 1)));
        // Years that begin in February: January is the end of the one before.
        let fiscal = |period| Rules { period: Some(period), start_month: 2, ..PLAIN };
        assert_eq!(made(&days, fiscal(Period::Quarter)), (vec![1.0, 6.0], at(2026, 2, 1)));
        assert_eq!(made(&days, fiscal(Period::Year)), (vec![1.0, 6.0], at(2026, 2, 1)));
    }
}
