//! Plans that nobody waits for any more: a thread that plans cannot be stopped, so they are counted.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{Error, Result};

/// Plans that were given up and still compute, by role.
#[derive(Debug, Default)]
pub(super) struct Abandoned {
    by_role: Mutex<HashMap<String, usize>>,
}

/// One of them; dropped when its thread is done.
#[derive(Debug)]
pub(super) struct Counted {
    abandoned: Arc<Abandoned>,
    role: String,
}

impl Abandoned {
    /// Refuses another plan of `role` while too many of them, or of all, still compute.
    ///
    /// # Errors
    /// 53400, which says so.
    pub(super) fn check(&self, role: &str, most: usize) -> Result<()> {
        let by_role = self.by_role.lock();
        let own = by_role.get(role).copied().unwrap_or(0);
        if own < most.div_ceil(2) && by_role.values().sum::<usize>() < most {
            return Ok(());
        }
        let hint = "Wait until they have ended, and simplify the statements.";
        Err(Error::Statement {
            sqlstate: "53400",
            message: "too many statements that took too long to plan are still computing".into(),
            hint: Some(hint.into()),
        })
    }

    /// Counts a plan of `role` until the answer is dropped.
    pub(super) fn count(self: &Arc<Self>, role: &str) -> Counted {
        *self.by_role.lock().entry(role.to_owned()).or_default() += 1;
        Counted { abandoned: self.clone(), role: role.to_owned() }
    }

    /// How many there are.
    pub(super) fn total(&self) -> usize {
        self.by_role.lock().values().sum()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut by_role = self.abandoned.by_role.lock();
        if let Some(count) = by_role.get_mut(&self.role) {
            *count -= 1;
            if *count == 0 {
                by_role.remove(&self.role);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_may_abandon_half_and_all_together_no_more_than_all() {
        let abandoned = Arc::new(Abandoned::default());
        let first = abandoned.count("ana");
        abandoned.check("ana", 4).expect("one of two");
        let _second = abandoned.count("ana");
        assert_eq!(abandoned.check("ana", 4).expect_err("two of two").sqlstate(), "53400");
        abandoned.check("ben", 4).expect("another role");
        let (_third, _fourth) = (abandoned.count("cem"), abandoned.count("dia"));
        assert_eq!(abandoned.check("ben", 4).expect_err("four of four").sqlstate(), "53400");
        drop(first);
        abandoned.check("ana", 4).expect("ended");
        assert_eq!(abandoned.total(), 3);
    }
}
