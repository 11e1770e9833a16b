//! Days as spreadsheets count them, as ISO 8601 text.
//!
//! Two systems count days: from 1900, with a 29 February 1900 that never was, and from 1904.
//! Which one a file uses must be known; a number alone does not tell.

use chrono::{Days, NaiveDate};

/// Which day is number one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DaySystem {
    /// 1 is 1900-01-01 and 60 the false 1900-02-29.
    From1900,
    /// 0 is 1904-01-01.
    From1904,
}

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// The date that `serial` counts, with the time of day that its fraction is unless that is midnight;
/// a fraction alone is a time of day.
///
/// # Errors
/// Why it is none, as the end of a sentence.
pub fn date_text(serial: f64, system: DaySystem) -> Result<String, &'static str> {
    if !(0.0..2_958_466.0).contains(&serial) {
        return Err("is no day that a spreadsheet counts");
    }
    let all_ms = (serial * DAY_MS as f64).round() as i64;
    let (day, ms) = (all_ms / DAY_MS, all_ms % DAY_MS);
    let clock = clock_text(ms);
    let epoch = match system {
        DaySystem::From1900 if day == 60 => return Err("is 1900-02-29, a day that never was"),
        DaySystem::From1900 if day == 0 => return Ok(clock),
        DaySystem::From1900 if day < 60 => NaiveDate::from_ymd_opt(1899, 12, 31),
        DaySystem::From1900 => NaiveDate::from_ymd_opt(1899, 12, 30),
        DaySystem::From1904 if day == 0 && ms > 0 => return Ok(clock),
        DaySystem::From1904 => NaiveDate::from_ymd_opt(1904, 1, 1),
    };
    let date = epoch.and_then(|epoch| epoch.checked_add_days(Days::new(day.unsigned_abs())));
    let date = date.ok_or("is no day that a spreadsheet counts")?;
    Ok(if ms == 0 { date.to_string() } else { format!("{date}T{clock}") })
}

/// A length of time, in hours that may be more than a day has.
pub fn duration_text(days: f64) -> String {
    let sign = if days < 0.0 { "-" } else { "" };
    format!("{sign}{}", clock_text((days.abs() * DAY_MS as f64).round() as i64))
}

fn clock_text(ms: i64) -> String {
    let (seconds, rest) = (ms / 1_000, ms % 1_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fraction = if rest == 0 { String::new() } else { format!(".{rest:03}") };
    format!("{hours:02}:{minutes:02}:{seconds:02}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::DaySystem::{From1900, From1904};
    use super::*;

    #[test]
    fn both_systems_count_the_days_that_there_are() {
        // From the documentation of both systems: 5 July 1998 is 35981 in one and 34519 in the other.
        for (serial, system, wanted) in [
            (35_981.0, From1900, "1998-07-05"),
            (34_519.0, From1904, "1998-07-05"),
            (1.0, From1900, "1900-01-01"),
            (59.0, From1900, "1900-02-28"),
            (61.0, From1900, "1900-03-01"),
            (0.0, From1904, "1904-01-01"),
            (2_958_465.0, From1900, "9999-12-31"),
            (45_943.5, From1900, "2025-10-13T12:00:00"),
            (45_943.999_999_999, From1900, "2025-10-14"),
            (45_292.604_178_240_74, From1900, "2024-01-01T14:30:01"),
            (0.25, From1900, "06:00:00"),
        ] {
            assert_eq!(date_text(serial, system).as_deref(), Ok(wanted), "{serial}");
        }
        assert!(date_text(60.0, From1900).expect_err("no day").contains("never was"));
        for serial in [-1.0, 2_958_466.0, f64::NAN] {
            assert!(date_text(serial, From1900).is_err(), "{serial}");
        }
        assert_eq!(duration_text(1.5), "36:00:00");
        assert_eq!(duration_text(-0.041_666_666_7), "-01:00:00");
    }
}
