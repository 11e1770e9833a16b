//! How a file spells numbers and dates, as somebody declared it: nothing here is ever guessed.

use super::serial::DaySystem;

/// The sign before the decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalSign {
    /// `1,234.56`
    Point,
    /// `1.234,56`
    Comma,
}

/// Which of day and month comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// `31/12/2024`
    DayMonth,
    /// `12/31/2024`
    MonthDay,
}

/// What was declared; what was not is read in one spelling only: `1234.56` and `2024-12-31`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Locale {
    /// Numbers may be grouped, carry a currency sign or stand in brackets once this is declared.
    pub decimal: Option<DecimalSign>,
    /// Dates with slashes, points or dashes are read once this is declared.
    pub date_order: Option<DateOrder>,
    /// Plain numbers in columns of dates are days that a spreadsheet counted.
    pub serials: Option<DaySystem>,
}

impl Locale {
    /// True if numbers have a comma before their decimals.
    pub fn is_decimal_comma(&self) -> bool {
        self.decimal == Some(DecimalSign::Comma)
    }

    /// Declares the sign called `point` or `comma`.
    ///
    /// # Errors
    /// The names that are known.
    pub fn set_decimal(&mut self, name: &str) -> Result<(), &'static str> {
        self.decimal = Some(match name {
            "point" => DecimalSign::Point,
            "comma" => DecimalSign::Comma,
            _ => return Err("point or comma"),
        });
        Ok(())
    }

    /// Declares the order called `dmy` or `mdy`.
    ///
    /// # Errors
    /// The names that are known.
    pub fn set_date_order(&mut self, name: &str) -> Result<(), &'static str> {
        self.date_order = Some(match name {
            "dmy" => DateOrder::DayMonth,
            "mdy" => DateOrder::MonthDay,
            _ => return Err("dmy or mdy"),
        });
        Ok(())
    }

    /// Declares days counted from `1900` or `1904`.
    ///
    /// # Errors
    /// The names that are known.
    pub fn set_serials(&mut self, name: &str) -> Result<(), &'static str> {
        self.serials = Some(match name {
            "1900" => DaySystem::From1900,
            "1904" => DaySystem::From1904,
            _ => return Err("1900 or 1904"),
        });
        Ok(())
    }
}
