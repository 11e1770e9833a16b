//! Spans of time: `age`, `justify_days`, `justify_hours`, `justify_interval`, `make_interval`.

use chrono::{Datelike, NaiveDate};
use chrono_tz::Tz;
use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalUnit};
use datafusion::common::{Result, ScalarValue};

use super::template::parts;
use super::{DAY_US, Definition, Kind, integer, moment, span};

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
        kinds: &[Kind::Integer; 6],
        is_open: false,
        takes_null: false,
        returns: SPAN,
        answer: |given, _| {
            let part = |at: usize| given.get(at).map_or(0, integer);
            let us = (part(4) * 60 + part(5)).saturating_mul(60_000_000);
            Ok(made((part(0) * 12 + part(1), part(2) * 7 + part(3), us)))
        },
    },
];

fn made((months, days, us): (i64, i64, i64)) -> ScalarValue {
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
    (months, days, us)
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
