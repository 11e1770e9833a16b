//! Options of aggregates: arguments that must be the same in every row of a group.

use crate::math::Fault;

/// An argument that must be the same in every row of a group.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Constant<T>(Option<T>);

impl<T: PartialEq + Clone + std::fmt::Debug> Constant<T> {
    /// Sees the value of one more row; NULL says nothing.
    pub(crate) fn see(&mut self, name: &str, value: Option<T>) -> std::result::Result<(), Fault> {
        match (&self.0, value) {
            (Some(known), Some(value)) if *known != value => {
                let message =
                    format!("{name} must be the same in a group, got {known:?} and {value:?}");
                Err(Fault(message))
            }
            (None, Some(value)) => {
                self.0 = Some(value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The value, if any row had one.
    pub(crate) fn get(&self) -> Option<T> {
        self.0.clone()
    }

    /// The value by reference.
    pub(crate) fn known(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl Constant<String> {
    /// Sees the text of one more row, and copies only the first.
    pub(crate) fn see_text(&mut self, name: &str, value: &str) -> std::result::Result<(), Fault> {
        match &self.0 {
            Some(known) if known == value => Ok(()),
            _ => self.see(name, Some(value.to_owned())),
        }
    }
}
