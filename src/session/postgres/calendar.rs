//! Dates and times made of their parts, and cut to a unit: `make_timestamp`, `make_time`,
//! `isfinite`, and `date_trunc` of spans of time and of decades.

use chrono::{Datelike, NaiveDate, TimeZone};
use chrono_tz::Tz;
use datafusion::arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err};

use super::dates::made;
use super::template::parts;
use super::{DAY_US, Definition, Kind, float, integer, moment, span, text};
use crate::error::Error;

const PARTS: &[Kind] =
    &[Kind::Integer, Kind::Integer, Kind::Integer, Kind::Integer, Kind::Integer, Kind::Float];
const WITH_ZONE: &[Kind] = &[
    Kind::Integer,
    Kind::Integer,
    Kind::Integer,
    Kind::Integer,
    Kind::Integer,
    Kind::Float,
    Kind::Text,
];

pub(super) const DEFINITIONS: &[Definition] = &[
    Definition::of(
        "make_time",
        3,
        &[Kind::Integer, Kind::Integer, Kind::Float],
        |_| DataType::Time64(TimeUnit::Microsecond),
        |given, _| {
            let us = clock(integer(&given[0]), integer(&given[1]), float(&given[2]))?;
            Ok(ScalarValue::Time64Microsecond(Some(us)))
        },
    ),
    Definition::of(
        "make_timestamp",
        6,
        PARTS,
        |_| DataType::Timestamp(TimeUnit::Microsecond, None),
        |given, _| Ok(ScalarValue::TimestampMicrosecond(Some(of_parts(given)?), None)),
    ),
    Definition::of(
        "make_timestamptz",
        6,
        WITH_ZONE,
        |_| DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        |given, zone| {
            let zone = match given.get(6).map(|name| text(name).parse::<Tz>()) {
                None => zone,
                Some(Ok(zone)) => zone,
                Some(Err(_)) => {
                    return exec_err!("time zone \"{}\" not recognized", text(&given[6]));
                }
            };
            let (date, us) = parts(of_parts(given)?);
            let clock = date.and_time(chrono::NaiveTime::MIN) + chrono::TimeDelta::microseconds(us);
            match zone.from_local_datetime(&clock).earliest() {
                Some(at) => {
                    let us = Some(at.timestamp_micros());
                    Ok(ScalarValue::TimestampMicrosecond(us, Some("UTC".into())))
                }
                None => exec_err!("timestamp out of range"),
            }
        },
    ),
    // Dates without end are refused where they are read, so that all that are there have one.
    Definition::of(
        "isfinite",
        1,
        &[Kind::Showable],
        |_| DataType::Boolean,
        |_, _| Ok(ScalarValue::Boolean(Some(true))),
    ),
    Definition::of(
        "span_trunc",
        2,
        &[Kind::Text, Kind::Span],
        |_| DataType::Interval(IntervalUnit::MonthDayNano),
        |given, _| Ok(made(span_cut(text(&given[0]), span(&given[1]))?)),
    ),
    Definition::of(
        "years_trunc",
        2,
        &[Kind::Integer, Kind::Moment],
        |given| given[1].clone(),
        |given, zone| years_cut(integer(&given[0]), &given[1], zone),
    ),
];

/// 22008.
fn no_such(message: String) -> DataFusionError {
    DataFusionError::External(Box::new(Error::statement("22008", message)))
}

/// Microseconds since midnight.
fn clock(hour: i64, minute: i64, second: f64) -> Result<i64> {
    let is_end = hour == 24 && minute == 0 && second == 0.0;
    let is_sound = (0..24).contains(&hour) && (0..60).contains(&minute);
    if !(is_end || is_sound && (0.0..=60.0).contains(&second)) {
        return Err(no_such(format!("time field value out of range: {hour}:{minute:02}:{second}")));
    }
    Ok((hour * 60 + minute) * 60_000_000 + (second * 1e6).round() as i64)
}

/// Microseconds of the instant that the first six arguments say.
fn of_parts(given: &[ScalarValue]) -> Result<i64> {
    let [year, month, day] = [0, 1, 2].map(|at| integer(&given[at]));
    let us = clock(integer(&given[3]), integer(&given[4]), float(&given[5]))?;
    let (year_of, part) = (i32::try_from(year), |n: i64| u32::try_from(n).unwrap_or(0));
    let date = year_of.ok().and_then(|y| NaiveDate::from_ymd_opt(y, part(month), part(day)));
    match date.filter(|_| year > 0) {
        Some(date) => {
            let days = i64::from(date.num_days_from_ce()) - 719_163;
            Ok(days * DAY_US + us)
        }
        None => Err(no_such(format!("date field value out of range: {year}-{month:02}-{day:02}"))),
    }
}

/// Years that a unit of many has; `None` for another unit.
pub(in crate::session) fn years_of(unit: &str) -> Option<i64> {
    match unit.to_lowercase().as_str() {
        "decade" | "decades" => Some(10),
        "century" | "centuries" => Some(100),
        "millennium" | "millennia" => Some(1_000),
        _ => None,
    }
}

/// The start of the decade, century or millennium: decades begin with 0, the others with 1.
fn years_cut(years: i64, value: &ScalarValue, zone: Tz) -> Result<ScalarValue> {
    let (us, is_zoned) = moment(value);
    let local = match (is_zoned, chrono::DateTime::from_timestamp_micros(us)) {
        (true, Some(at)) => at.with_timezone(&zone).naive_local().and_utc().timestamp_micros(),
        _ => us,
    };
    let first = if years == 10 { 0 } else { 1 };
    let year = (i64::from(parts(local).0.year()) - first).div_euclid(years) * years + first;
    let start = i32::try_from(year).ok().and_then(|year| NaiveDate::from_ymd_opt(year, 1, 1));
    let Some(start) = start.and_then(|day| day.and_hms_opt(0, 0, 0)) else {
        return exec_err!("timestamp out of range");
    };
    let us = match is_zoned {
        true => zone.from_local_datetime(&start).earliest().map(|at| at.timestamp_micros()),
        false => Some(start.and_utc().timestamp_micros()),
    };
    let zone = is_zoned.then(|| "UTC".into());
    Ok(ScalarValue::TimestampMicrosecond(us, zone))
}

/// A span without what is smaller than `unit`.
fn span_cut(unit: &str, (months, days, us): (i64, i64, i64)) -> Result<(i64, i64, i64)> {
    let to = |size: i64| us / size * size;
    Ok(match unit.to_lowercase().trim_end_matches('s') {
        "microsecond" | "u" => (months, days, us),
        "millisecond" | "m" => (months, days, to(1_000)),
        "second" => (months, days, to(1_000_000)),
        "minute" => (months, days, to(60_000_000)),
        "hour" => (months, days, to(3_600_000_000)),
        "day" => (months, days, 0),
        "month" => (months, 0, 0),
        "quarter" => (months / 3 * 3, 0, 0),
        "year" => (months / 12 * 12, 0, 0),
        "decade" => (months / 120 * 120, 0, 0),
        "century" | "centurie" => (months / 1_200 * 1_200, 0, 0),
        "millennium" | "millennia" => (months / 12_000 * 12_000, 0, 0),
        "week" => {
            return exec_err!("unit \"{unit}\" not supported for type interval: months have days");
        }
        _ => return exec_err!("unit \"{unit}\" not recognized for type interval"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_cut_toward_nothing() {
        let of = |unit: &str, span| span_cut(unit, span).expect(unit);
        assert_eq!(of("hour", (1, 1, 9_900_000_000)), (1, 1, 7_200_000_000));
        assert_eq!(of("day", (1, 1, -9_900_000_000)), (1, 1, 0));
        assert_eq!(of("quarter", (-5, 1, 1)), (-3, 0, 0));
        assert_eq!(of("year", (25, 40, 0)), (24, 0, 0));
        assert!(span_cut("week", (0, 0, 0)).is_err());
    }

    #[test]
    fn parts_out_of_range_are_refused() {
        assert_eq!(clock(8, 15, 23.5).expect("sound"), 29_723_500_000);
        assert_eq!(clock(24, 0, 0.0).expect("midnight"), DAY_US);
        for (hour, minute, second) in [(24, 0, 1.0), (8, 60, 0.0), (8, 0, 60.5), (-1, 0, 0.0)] {
            assert!(clock(hour, minute, second).is_err(), "{hour}:{minute}:{second}");
        }
    }
}
