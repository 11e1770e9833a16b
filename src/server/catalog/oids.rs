//! Object identifiers: a number for every name, the same for all sessions and after a restart.
//!
//! Tools keep such numbers with what they have learned of a database: a number is made of the name it
//! stands for, and only two names that would have the same one depend on which was asked for first.

use std::collections::HashMap;

use parking_lot::Mutex;

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
pub(super) const FIRST: i32 = 16_384;
/// The schema of the catalog itself has this number everywhere; the fixed tables refer to it.
const PG_CATALOG_OID: i32 = 11;

/// The numbers given so far.
#[derive(Debug, Default)]
pub(super) struct Oids(Mutex<Given>);

#[derive(Debug, Default)]
struct Given {
    numbers: HashMap<Object, i32>,
    objects: HashMap<i32, Object>,
}

impl Oids {
    /// The number of `object`, a new one the first time.
    pub(super) fn of(&self, object: Object) -> i32 {
        if object == Object::Schema(super::PG_CATALOG.into()) {
            return PG_CATALOG_OID;
        }
        let mut given = self.0.lock();
        if let Some(number) = given.numbers.get(&object) {
            return *number;
        }
        let mut number = number_of(&object);
        while given.objects.contains_key(&number) {
            number = number.checked_add(1).unwrap_or(FIRST);
        }
        given.objects.insert(number, object.clone());
        given.numbers.insert(object, number);
        number
    }

    /// The number of `object`, if it was given one.
    pub(super) fn known(&self, object: &Object) -> Option<i32> {
        self.0.lock().numbers.get(object).copied()
    }

    /// What `number` stands for, if it was given here.
    pub(super) fn object(&self, number: i64) -> Option<Object> {
        let number = i32::try_from(number).ok()?;
        self.0.lock().objects.get(&number).cloned()
    }
}

/// A number from [`FIRST`] on, spread by FNV-1a over what the object is called.
fn number_of(object: &Object) -> i32 {
    let name = format!("{object:?}");
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let room = (i32::MAX - FIRST) as u64;
    FIRST + (hash % room) as i32
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
        assert_eq!(Oids::default().of(Object::Schema("crm".into())), 1_878_647_841);
    }
}
