//! `to_char`, and templates of dates: `to_date`, `to_timestamp`.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Timelike};
use chrono_tz::Tz;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err};

use super::{DAY_US, Definition, Kind, moment, number_template, span, text};

pub(super) const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "to_char",
        needed: 2,
        kinds: &[Kind::Showable, Kind::Text],
        is_open: false,
        takes_null: false,
        returns: |_| DataType::Utf8,
        answer: to_char,
    },
    Definition {
        name: "to_date",
        needed: 1,
        kinds: &[Kind::Text, Kind::Text],
        is_open: false,
        takes_null: false,
        returns: |_| DataType::Date32,
        answer: to_date,
    },
    Definition {
        name: "to_timestamp",
        needed: 1,
        kinds: &[Kind::Any, Kind::Text],
        is_open: false,
        takes_null: false,
        returns: |_| DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        answer: to_timestamp,
    },
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const ROMAN: [&str; 12] =
    ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// Words of a template, the longest first of those that begin alike.
const FIELDS: &[&str] = &[
    "HH24", "HH12", "HH", "MI", "SSSSS", "SSSS", "SS", "MS", "US", "A.M.", "P.M.", "AM", "PM",
    "Y,YYY", "YYYY", "YYY", "YY", "Y", "IYYY", "IYY", "IYDDD", "IY", "IDDD", "ID", "IW", "I",
    "MONTH", "MON", "MM", "DAY", "DDD", "DD", "DY", "D", "WW", "W", "CC", "J", "Q", "RM", "TZH",
    "TZM", "TZ", "OF", "B.C.", "A.D.", "BC", "AD",
];

/// A piece of a template.
#[derive(Debug, PartialEq)]
enum Piece {
    /// A field as it is written, without padding if the flag is set, with an ordinal ending in this
    /// case (`th` or `TH`).
    Field {
        name: &'static str,
        written: String,
        is_tight: bool,
        ordinal: Option<String>,
    },
    Literal(String),
}

fn pieces(template: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = vec![];
    let mut rest = template;
    let starts = |rest: &str, word: &str| {
        rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    let mut is_tight = false;
    while let Some(first) = rest.chars().next() {
        if starts(rest, "FM") {
            (is_tight, rest) = (true, &rest[2..]);
        } else if starts(rest, "TM") {
            rest = &rest[2..];
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (inside, after) = quoted.split_once('"').unwrap_or((quoted, ""));
            pieces.push(Piece::Literal(inside.to_owned()));
            rest = after;
        } else if let Some(name) = FIELDS.iter().find(|name| starts(rest, name)) {
            let written = rest[..name.len()].to_owned();
            rest = &rest[name.len()..];
            let ordinal = starts(rest, "TH").then(|| rest[..2].to_owned());
            rest = &rest[ordinal.as_ref().map_or(0, String::len)..];
            pieces.push(Piece::Field { name, written, is_tight, ordinal });
            is_tight = false;
        } else {
            pieces.push(Piece::Literal(first.to_string()));
            rest = &rest[first.len_utf8()..];
        }
    }
    pieces
}

fn to_char(given: &[ScalarValue], zone: Tz) -> Result<ScalarValue> {
    let template = text(&given[1]);
    let shown = match &given[0] {
        ScalarValue::TimestampMicrosecond(..) => {
            let (us, has_zone) = moment(&given[0]);
            let utc = DateTime::from_timestamp_micros(us).unwrap_or_default();
            let local = zone.from_utc_datetime(&utc.naive_utc());
            match has_zone {
                true => {
                    let offset = local.offset().fix().local_minus_utc();
                    show(template, &local.naive_local(), Some((zone, offset)))?
                }
                false => show(template, &utc.naive_utc(), None)?,
            }
        }
        ScalarValue::IntervalMonthDayNano(_) => show_span(template, span(&given[0]))?,
        number => number_template::show(template, number)?,
    };
    Ok(ScalarValue::Utf8(Some(shown)))
}

fn show(template: &str, at: &NaiveDateTime, zone: Option<(Tz, i32)>) -> Result<String> {
    let mut out = String::new();
    for piece in pieces(template) {
        match piece {
            Piece::Literal(text) => out.push_str(&text),
            Piece::Field { name, written, is_tight, ordinal } => {
                let shown = field(name, &written, is_tight, at, zone);
                if let Some(ending) = ordinal
                    && let Ok(number) = shown.trim().parse::<i64>()
                {
                    out.push_str(&shown);
                    let end = ordinal_end(number);
                    out.push_str(&if ending == "TH" { end.to_uppercase() } else { end.into() });
                } else {
                    out.push_str(&shown);
                }
            }
        }
    }
    Ok(out)
}

fn ordinal_end(number: i64) -> &'static str {
    match (number.abs() % 100, number.abs() % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

/// A name in the case that `written` has: upper, lower or capitalised; padded to nine places.
fn named(name: &str, written: &str, width: usize, is_tight: bool) -> String {
    let second_is_upper = written.chars().nth(1).is_some_and(char::is_uppercase);
    let first_is_upper = written.chars().next().is_some_and(char::is_uppercase);
    let name = match (first_is_upper, second_is_upper) {
        (true, true) => name.to_uppercase(),
        (false, _) => name.to_lowercase(),
        (true, false) => name.to_owned(),
    };
    if is_tight { name } else { format!("{name:width$}") }
}

fn field(
    name: &str,
    written: &str,
    is_tight: bool,
    at: &NaiveDateTime,
    zone: Option<(Tz, i32)>,
) -> String {
    let padded = |number: i64, width: usize| match is_tight {
        true => number.to_string(),
        false if number < 0 => format!("-{:0width$}", -number),
        false => format!("{number:0width$}"),
    };
    let (date, time) = (at.date(), at.time());
    // There is no year 0: it is 1 BC.
    let year = i64::from(at.year());
    let shown_year = if year > 0 { year } else { 1 - year };
    let last = |digits: u32, width: usize| padded(shown_year % 10_i64.pow(digits), width);
    let iso = date.iso_week();
    let iso_year = i64::from(iso.year());
    let weekday = i64::from(date.weekday().num_days_from_sunday());
    let hour = i64::from(time.hour());
    let upper = |text: &str| match written.chars().next().is_some_and(char::is_lowercase) {
        true => text.to_lowercase(),
        false => text.to_owned(),
    };
    match name {
        "HH24" | "HH12" | "HH" | "MI" | "SS" | "SSSS" | "SSSSS" | "MS" | "US" => {
            let (number, width) = clock(name, time);
            padded(number, width)
        }
        "AM" | "PM" => upper(if hour < 12 { "AM" } else { "PM" }),
        "A.M." | "P.M." => upper(if hour < 12 { "A.M." } else { "P.M." }),
        "BC" | "AD" => upper(if year > 0 { "AD" } else { "BC" }),
        "B.C." | "A.D." => upper(if year > 0 { "A.D." } else { "B.C." }),
        "Y,YYY" => format!("{},{:03}", shown_year / 1_000, shown_year % 1_000),
        "YYYY" => padded(shown_year, 4),
        "YYY" => last(3, 3),
        "YY" => last(2, 2),
        "Y" => last(1, 1),
        "IYYY" => padded(iso_year, 4),
        "IYY" => padded(iso_year % 1_000, 3),
        "IY" => padded(iso_year % 100, 2),
        "I" => padded(iso_year % 10, 1),
        "IW" => padded(i64::from(iso.week()), 2),
        "ID" => padded((weekday + 6) % 7 + 1, 1),
        "IDDD" | "IYDDD" => padded(i64::from(iso.week() - 1) * 7 + (weekday + 6) % 7 + 1, 3),
        "MONTH" => named(MONTHS[date.month0() as usize], written, 9, is_tight),
        "MON" => named(&MONTHS[date.month0() as usize][..3], written, 3, is_tight),
        "MM" => padded(i64::from(date.month()), 2),
        "RM" => named(ROMAN[date.month0() as usize], &written.repeat(2), 4, is_tight),
        "DAY" => named(DAYS[weekday as usize], written, 9, is_tight),
        "DY" => named(&DAYS[weekday as usize][..3], written, 3, is_tight),
        "DDD" => padded(i64::from(date.ordinal()), 3),
        "DD" => padded(i64::from(date.day()), 2),
        "D" => padded(weekday + 1, 1),
        "WW" => padded(i64::from(date.ordinal0()) / 7 + 1, 2),
        "W" => padded(i64::from(date.day0()) / 7 + 1, 1),
        "CC" => padded(if year > 0 { (year + 99) / 100 } else { -(1 - year + 99) / 100 }, 2),
        "J" => padded(i64::from(date.num_days_from_ce()) + 1_721_425, 1),
        "Q" => padded(i64::from(date.month0()) / 3 + 1, 1),
        _ => of_zone(name, written, at, zone),
    }
}

/// A field of the time of day, and the digits it has.
fn clock(name: &str, time: NaiveTime) -> (i64, usize) {
    let hour = i64::from(time.hour());
    let micros = i64::from(time.nanosecond() / 1_000);
    match name {
        "HH24" => (hour, 2),
        "HH12" | "HH" => ((hour + 11) % 12 + 1, 2),
        "MI" => (i64::from(time.minute()), 2),
        "SS" => (i64::from(time.second()), 2),
        "MS" => (micros / 1_000, 3),
        "US" => (micros, 6),
        _ => (i64::from(time.num_seconds_from_midnight()), 1),
    }
}

/// A field of the zone; empty or zero for what has none.
fn of_zone(name: &str, written: &str, at: &NaiveDateTime, zone: Option<(Tz, i32)>) -> String {
    let seconds = zone.map_or(0, |(_, offset)| offset);
    let (hours, minutes) = (seconds / 3_600, seconds.abs() / 60 % 60);
    match name {
        "TZ" => zone.map_or(String::new(), |(zone, _)| {
            use chrono_tz::OffsetName;
            let local = zone.from_local_datetime(at).earliest();
            let name = local.and_then(|local| local.offset().abbreviation().map(str::to_owned));
            let name = name.unwrap_or_default();
            if written == "tz" { name.to_lowercase() } else { name }
        }),
        "TZH" => format!("{hours:+03}"),
        "TZM" => format!("{minutes:02}"),
        "OF" if minutes == 0 => format!("{hours:+03}"),
        "OF" => format!("{hours:+03}:{minutes:02}"),
        _ => String::new(),
    }
}

/// An interval by the fields that it has; days of a month and names it has none of.
fn show_span(template: &str, (months, days, micros): (i64, i64, i64)) -> Result<String> {
    let seconds = micros.div_euclid(1_000_000);
    let mut out = String::new();
    for piece in pieces(template) {
        let Piece::Field { name, is_tight, .. } = &piece else {
            if let Piece::Literal(text) = piece {
                out.push_str(&text);
            }
            continue;
        };
        let (number, width) = match *name {
            "HH24" => (seconds / 3_600, 2),
            "HH12" | "HH" => ((seconds / 3_600 + 11) % 12 + 1, 2),
            "MI" => (seconds / 60 % 60, 2),
            "SS" => (seconds % 60, 2),
            "SSSS" | "SSSSS" => (seconds, 1),
            "MS" => (micros.rem_euclid(1_000_000) / 1_000, 3),
            "US" => (micros.rem_euclid(1_000_000), 6),
            "YYYY" => (months / 12, 4),
            "YY" => (months / 12 % 100, 2),
            "MM" => (months % 12, 2),
            "DD" => (days, 2),
            "DDD" => (days + months * 30, 3),
            other => return exec_err!("to_char: an interval has no {other}"),
        };
        out.push_str(&if *is_tight { number.to_string() } else { format!("{number:0width$}") });
    }
    Ok(out)
}

/// What a template reads from a text.
#[derive(Debug, Default)]
struct Read {
    year: Option<i64>,
    month: Option<u32>,
    day: Option<u32>,
    ordinal: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    micros: u32,
    is_afternoon: Option<bool>,
}

impl Read {
    fn take(&mut self, name: &str, number: u32, digits: u32) {
        match name {
            "YYYY" => self.year = Some(i64::from(number)),
            // Two digits are those of the nearest century, as Postgres takes them.
            "YY" => self.year = Some(i64::from(number) + if number < 70 { 2_000 } else { 1_900 }),
            "MM" => self.month = Some(number),
            "DD" => self.day = Some(number),
            "DDD" => self.ordinal = Some(number),
            "HH24" | "HH12" | "HH" => self.hour = number,
            "MI" => self.minute = number,
            "SS" => self.second = number,
            "MS" => self.micros = number * 10_u32.pow(3 - digits) * 1_000,
            _ => self.micros = number * 10_u32.pow(6 - digits),
        }
    }
}

/// Most digits of a field that can be read.
fn digits_of(name: &str) -> Option<usize> {
    match name {
        "YYYY" => Some(4),
        "DDD" | "MS" => Some(3),
        "US" => Some(6),
        "HH24" | "HH12" | "HH" | "MI" | "SS" | "YY" | "MM" | "DD" => Some(2),
        _ => None,
    }
}

/// Which month or day `rest` begins with the name of, and the length of that.
fn word(name: &str, rest: &str) -> Option<(usize, usize)> {
    let names: &[&str] = if name.starts_with('M') { &MONTHS } else { &DAYS };
    let is_short = ["MON", "DY"].contains(&name);
    names.iter().enumerate().find_map(|(at, full)| {
        let length = if is_short { 3 } else { full.len() };
        let head = rest.get(..length)?;
        head.eq_ignore_ascii_case(&full[..length]).then_some((at, length))
    })
}

fn read(function: &str, from: &str, template: &str) -> Result<NaiveDateTime> {
    let wrong =
        |what: &str| exec_err!("{function}: \"{from}\" does not read as \"{template}\": {what}");
    let mut found = Read::default();
    let mut rest = from.trim_start();
    for piece in pieces(template) {
        let Piece::Field { name, .. } = piece else {
            // Separators stand for any separator, as in Postgres.
            let Piece::Literal(text) = piece else { continue };
            let mark = text.chars().next().unwrap_or(' ');
            if rest.starts_with(&text) {
                rest = &rest[text.len()..];
            } else if !mark.is_alphanumeric() {
                let next = rest.chars().next();
                let length = next.filter(|c| !c.is_alphanumeric()).map_or(0, char::len_utf8);
                rest = &rest[length..];
            }
            continue;
        };
        rest = rest.trim_start();
        if ["MONTH", "MON", "DAY", "DY"].contains(&name) {
            let Some((at, length)) = word(name, rest) else {
                return wrong("no name of a month or day stands there");
            };
            if name.starts_with('M') {
                found.month = Some(at as u32 + 1);
            }
            rest = &rest[length..];
            continue;
        }
        if ["AM", "PM", "A.M.", "P.M."].contains(&name) {
            let head = rest.get(..name.len()).unwrap_or_default().to_uppercase();
            found.is_afternoon = Some(head.starts_with('P'));
            rest = rest.get(name.len()..).unwrap_or_default();
            continue;
        }
        let Some(width) = digits_of(name) else { return wrong(&format!("{name} cannot be read")) };
        let digits = rest.bytes().take(width).take_while(u8::is_ascii_digit).count();
        let Ok(number) = rest[..digits].parse::<u32>() else {
            return wrong(&format!("{name} needs a number"));
        };
        rest = &rest[digits..];
        found.take(name, number, digits as u32);
    }
    if let Some(is_afternoon) = found.is_afternoon {
        found.hour = found.hour % 12 + if is_afternoon { 12 } else { 0 };
    }
    let year = i32::try_from(found.year.unwrap_or(1)).unwrap_or(1);
    let date = match found.ordinal {
        Some(ordinal) => NaiveDate::from_yo_opt(year, ordinal),
        None => NaiveDate::from_ymd_opt(year, found.month.unwrap_or(1), found.day.unwrap_or(1)),
    };
    let time = NaiveTime::from_hms_micro_opt(found.hour, found.minute, found.second, found.micros);
    match (date, time) {
        (Some(date), Some(time)) => Ok(date.and_time(time)),
        _ => wrong("date or time out of range"),
    }
}

fn to_date(given: &[ScalarValue], _: Tz) -> Result<ScalarValue> {
    let template = given.get(1).map_or("YYYY-MM-DD", text);
    let date = read("to_date", text(&given[0]), template)?.date();
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    Ok(ScalarValue::Date32(Some(days as i32)))
}

/// Of a number, seconds since 1970; of a text and a template, the time in the session's zone.
fn to_timestamp(given: &[ScalarValue], zone: Tz) -> Result<ScalarValue> {
    let made = |us: i64| ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into()));
    let Some(template) = given.get(1) else {
        let seconds = given[0].cast_to(&DataType::Float64);
        let is_number = given[0].try_as_str().is_none();
        return match seconds {
            Ok(ScalarValue::Float64(Some(seconds))) if is_number => {
                let us = seconds * 1e6;
                if us.abs() > 9e18 {
                    return exec_err!("to_timestamp: {seconds} seconds is out of range");
                }
                Ok(made(us.round() as i64))
            }
            _ => {
                let wanted = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
                given[0].cast_to(&wanted)
            }
        };
    };
    let local = read("to_timestamp", text(&given[0]), text(template))?;
    let instant = zone.from_local_datetime(&local).earliest();
    let us = instant.map_or_else(|| local.and_utc().timestamp_micros(), |at| at.timestamp_micros());
    Ok(made(us))
}

/// Days and microseconds of the day of an instant.
pub(super) fn parts(us: i64) -> (NaiveDate, i64) {
    let at = DateTime::from_timestamp_micros(us).unwrap_or_default();
    (at.date_naive(), us.rem_euclid(DAY_US))
}
