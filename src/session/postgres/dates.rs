//! Spans of time and zones: `age`, `justify_*`, `make_interval`, `timezone`, spans times numbers.

use chrono::{DateTime, Datelike, NaiveDate, TimeZone};
use chrono_tz::Tz;
use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err};

use super::template::parts;
use super::{DAY_US, Definition, Kind, float, integer, moment, span, text};

const SPAN: fn(&[DataType]) -> DataType = |_| DataType::Interval(IntervalUnit::MonthDayNano);

const fn of_span(
    name: &'static str,
    answer: fn(&[ScalarValue], Tz) -> Result<ScalarValue>,
) -> Definition {
    Definition {
        name,
        needed: 1,
        kinds: &[Kind::Span],
        is_open: false,
        takes_null: false,
        returns: SPAN,
        answer,
    }
}

pub(super) const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "age",
        needed: 2,
        kinds: &[Kind::Moment, Kind::Moment],
        is_open: false,
        takes_null: false,
        returns: SPAN,
        answer: |given, _| {
            let (later, earlier) = (moment(&given[0]).0, moment(&given[1]).0);
            Ok(match later >= earlier {
                true => made(between(earlier, later)),
                false => {
                    let (months, days, us) = between(later, earlier);
                    made((-months, -days, -us))
                }
            })
        },
    },
    of_span("justify_days", |given, _| {
        let (months, days, us) = span(&given[0]);
        Ok(made(settled(months, days, us, false)))
    }),
    of_span("justify_hours", |given, _| {
        let (months, days, us) = span(&given[0]);
        let (days, us) = carried(days, us, DAY_US);
        Ok(made((months, days, us)))
    }),
    of_span("justify_interval", |given, _| {
        let (months, days, us) = span(&given[0]);
        Ok(made(settled(months, days, us, true)))
    }),
    Definition {
        name: "make_interval",
        needed: 0,
        kinds: &[
            Kind::Integer,
            Kind::Integer,
            Kind::Integer,
            Kind::Integer,
            Kind::Integer,
            Kind::Integer,
            Kind::Float,
        ],
        is_open: false,
        takes_null: false,
        returns: SPAN,
        answer: |given, _| {
            let part = |at: usize| given.get(at).map_or(0, integer);
            let us = (part(4) * 60 + part(5)).saturating_mul(60_000_000);
            let seconds = given.get(6).map_or(0.0, float) * 1e6;
            let us = us.saturating_add(seconds.round() as i64);
            Ok(made((part(0) * 12 + part(1), part(2) * 7 + part(3), us)))
        },
    },
    scaled("interval_mul", |given, _| Ok(made(times(span(&given[0]), float(&given[1]))))),
    scaled("interval_div", |given, _| match float(&given[1]) {
        0.0 => exec_err!("division by zero"),
        by => Ok(made(times(span(&given[0]), 1.0 / by))),
    }),
    Definition {
        name: "interval_us",
        needed: 1,
        kinds: &[Kind::Span],
        is_open: false,
        takes_null: false,
        returns: |_| DataType::Decimal128(38, 0),
        answer: |given, _| {
            let (months, days, us) = span(&given[0]);
            let days = i128::from(months) * 30 + i128::from(days);
            let us = days * i128::from(DAY_US) + i128::from(us);
            Ok(ScalarValue::Decimal128(Some(us), 38, 0))
        },
    },
    Definition {
        name: "timezone",
        needed: 2,
        kinds: &[Kind::Text, Kind::Moment],
        is_open: false,
        takes_null: false,
        returns: |given| {
            let is_zoned = matches!(given[1], DataType::Timestamp(_, Some(_)));
            DataType::Timestamp(TimeUnit::Microsecond, (!is_zoned).then(|| "UTC".into()))
        },
        answer: |given, _| at_zone(text(&given[0]), moment(&given[1])),
    },
];

const fn scaled(
    name: &'static str,
    answer: fn(&[ScalarValue], Tz) -> Result<ScalarValue>,
) -> Definition {
    Definition {
        name,
        needed: 2,
        kinds: &[Kind::Span, Kind::Float],
        is_open: false,
        takes_null: false,
        returns: SPAN,
        answer,
    }
}

/// What is no whole month becomes days of 30, what is no whole day a time.
fn times((months, days, us): (i64, i64, i64), by: f64) -> (i64, i64, i64) {
    let months = months as f64 * by;
    let days = days as f64 * by + (months - months.trunc()) * 30.0;
    // Shares that are whole but for the last bit are whole.
    let days = (days * 1e9).round() / 1e9;
    let us = us as f64 * by + (days - days.trunc()) * DAY_US as f64;
    (months.trunc() as i64, days.trunc() as i64, us.round() as i64)
}

/// The clock of a zone at an instant, or the instant at which the clock of a zone says so.
fn at_zone(name: &str, (us, is_zoned): (i64, bool)) -> Result<ScalarValue> {
    let known = chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name));
    let Some(zone) = known.copied().or_else(|| name.parse::<Tz>().ok()) else {
        return exec_err!("time zone \"{name}\" not recognized");
    };
    let refuse = || exec_err!("timestamp out of range");
    let Some(instant) = DateTime::from_timestamp_micros(us) else { return refuse() };
    if is_zoned {
        let local = instant.with_timezone(&zone).naive_local().and_utc().timestamp_micros();
        return Ok(ScalarValue::TimestampMicrosecond(Some(local), None));
    }
    let clock = instant.naive_utc();
    // In the hour that a change to summer time leaves out, the offset before it holds.
    let found = zone.from_local_datetime(&clock).earliest().map(|at| at.timestamp_micros());
    let skipped = || {
        let before = clock - chrono::TimeDelta::hours(1);
        let before = zone.from_local_datetime(&before).earliest()?;
        Some(before.timestamp_micros() + 3_600_000_000)
    };
    match found.or_else(skipped) {
        Some(us) => Ok(ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into()))),
        None => refuse(),
    }
}

pub(super) fn made((months, days, us): (i64, i64, i64)) -> ScalarValue {
    let narrow = |number: i64| number.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
    ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano {
        months: narrow(months),
        days: narrow(days),
        nanoseconds: us.saturating_mul(1_000),
    }))
}

/// `small` without whole `size`s, which `large` takes; both of one sign.
fn carried(large: i64, small: i64, size: i64) -> (i64, i64) {
    let (mut large, mut small) = (large + small / size, small % size);
    if large > 0 && small < 0 {
        (large, small) = (large - 1, small + size);
    } else if large < 0 && small > 0 {
        (large, small) = (large + 1, small - size);
    }
    (large, small)
}

fn settled(months: i64, days: i64, us: i64, has_hours: bool) -> (i64, i64, i64) {
    let (days, us) = if has_hours { carried(days, us, DAY_US) } else { (days, us) };
    let (months, days) = carried(months, days, 30);
    // A month less an hour is 29 days and 23 hours: all of one sign.
    match has_hours {
        true if months > 0 && days == 0 && us < 0 => (months - 1, 29, us + DAY_US),
        true if months < 0 && days == 0 && us > 0 => (months + 1, -29, us - DAY_US),
        true => {
            let (days, us) = carried(days, us, DAY_US);
            (months, days, us)
        }
        false => (months, days, us),
    }
}

/// Years and months, days and time from one instant to a later one, as the calendar counts.
fn between(earlier: i64, later: i64) -> (i64, i64, i64) {
    let ((from, from_us), (to, to_us)) = (parts(earlier), parts(later));
    let count = |date: &NaiveDate| i64::from(date.year()) * 12 + i64::from(date.month0());
    let mut months = count(&to) - count(&from);
    let mut days = i64::from(to.day()) - i64::from(from.day());
    let mut us = to_us - from_us;
    if us < 0 {
        (us, days) = (us + DAY_US, days - 1);
    }
    if days < 0 {
        // Days of the month that the span begins in.
        let next = from.with_day(1).and_then(|d| d.checked_add_months(chrono::Months::new(1)));
        let length = next.and_then(|next| next.pred_opt()).map_or(30, |last| last.day());
        (days, months) = (days + i64::from(length), months - 1);
    }
    (months, days, us)
}
