//! Object identifiers: a number for every name, the same for all sessions of a process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// What a number stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Object {
    /// A schema.
    Schema(String),
    /// A table or view, by schema and name.
    Relation(String, String),
    /// A function of ours, by its place among their pages.
    Function(usize),
    /// A primary or foreign key, by its name.
    Constraint(String),
    /// A role.
    Role(String),
    /// The database.
    Database,
}

/// First number that Postgres gives to what users make.
const FIRST: i32 = 16_384;
/// The schema of the catalog itself has this number everywhere; the fixed tables refer to it.
const PG_CATALOG_OID: i32 = 11;

/// The numbers given so far.
#[derive(Debug, Default)]
pub(super) struct Oids(Mutex<Given>);

#[derive(Debug, Default)]
struct Given {
    numbers: HashMap<Object, i32>,
    objects: Vec<Object>,
}

impl Oids {
    /// The number of `object`, a new one the first time.
    pub(super) fn of(&self, object: Object) -> i32 {
        if object == Object::Schema(super::PG_CATALOG.into()) {
            return PG_CATALOG_OID;
        }
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = given.numbers.get(&object) {
            return *number;
        }
        let number = FIRST + given.objects.len() as i32;
        given.objects.push(object.clone());
        given.numbers.insert(object, number);
        number
    }

    /// What `number` stands for, if it was given here.
    pub(super) fn object(&self, number: i64) -> Option<Object> {
        let at = usize::try_from(number.checked_sub(i64::from(FIRST))?).ok()?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).objects.get(at).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_and_lead_back() {
        let oids = Oids::default();
        let relation = Object::Relation("crm".into(), "deals".into());
        let number = oids.of(relation.clone());
        assert_ne!(number, oids.of(Object::Schema("crm".into())));
        assert_eq!(number, oids.of(relation.clone()));
        assert_eq!(oids.object(number.into()), Some(relation));
        assert_eq!(oids.object(1), None);
        assert_eq!(oids.of(Object::Schema("pg_catalog".into())), 11);
    }
}
