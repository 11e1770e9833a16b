//! Primary and foreign keys of the canonical tables, so that tools can offer the joins.
//!
//! A primary key holds, because ingest writes by it.
//! A foreign key is what a column means: a CRM may name an account that its export does not hold.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int16Array, Int16Builder, Int32Array, Int32Builder, ListBuilder,
    RecordBatch,
};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::error::Result;

use super::information::names_and_positions;
use super::oids::{Object, Oids};
use super::rows::{CHAR, NAME, Rows};
use crate::schema::{self, CRM, Table};
use crate::session::{Access, CATALOG};

/// A key of a table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) table: &'static Table,
    /// Places of its columns, from 1.
    pub(super) columns: Vec<i16>,
    /// Of a foreign key, the table and the places of the columns that it points to.
    pub(super) target: Option<(&'static Table, Vec<i16>)>,
}

/// All keys, primary ones before the foreign ones of their table.
static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let mut keys = vec![];
    for table in schema::tables() {
        keys.push(Key {
            name: format!("{}_pkey", table.name),
            columns: table.key.iter().filter_map(|column| place(table, column)).collect(),
            table,
            target: None,
        });
        for reference in table.references {
            let Some(target) = schema::table(reference.table) else { continue };
            let places = (place(table, reference.column), place(target, reference.target));
            let (Some(column), Some(to)) = places else { continue };
            // A key must be unique: a foreign one can point to nothing else.
            if target.key != [reference.target] {
                continue;
            }
            keys.push(Key {
                name: format!("{}_{}_fkey", table.name, reference.column),
                columns: vec![column],
                table,
                target: Some((target, vec![to])),
            });
        }
    }
    keys
});

fn place(table: &Table, column: &str) -> Option<i16> {
    let at = table.all_columns().position(|known| known.name == column)?;
    Some(at as i16 + 1)
}

fn column(table: &Table, place: i16) -> &'static str {
    let at = usize::try_from(place - 1).unwrap_or_default();
    table.all_columns().nth(at).map_or("", |column| column.name)
}

/// Those whose columns `access` sees at both ends.
pub(super) fn seen(access: &Access) -> Vec<&'static Key> {
    let sees = |table: &Table, places: &[i16]| {
        let sees = |place: &i16| access.sees_column(CRM, table.name, column(table, *place));
        access.sees(CRM, table.name) && places.iter().all(sees)
    };
    let sees_target = |key: &Key| key.target.as_ref().is_none_or(|(t, places)| sees(t, places));
    KEYS.iter().filter(|key| sees(key.table, &key.columns) && sees_target(key)).collect()
}

/// The primary keys of those: each has an index of its name.
pub(super) fn primary(access: &Access) -> Vec<&'static Key> {
    let mut keys = seen(access);
    keys.retain(|key| key.target.is_none());
    keys
}

/// Where `places` of `table` are among the columns that `access` sees.
fn seen_places(access: &Access, table: &Table, places: &[i16]) -> Vec<i16> {
    let sees = |place: &i16| access.sees_column(CRM, table.name, column(table, *place));
    places.iter().map(|place| (1..=*place).filter(sees).count() as i16).collect()
}

/// Whether a table of a schema has a key of its own, and whether it has foreign ones.
pub(super) fn of(schema: &str, table: &str) -> (bool, bool) {
    let own = || KEYS.iter().filter(|key| schema == CRM && key.table.name == table);
    (own().next().is_some(), own().any(|key| key.target.is_some()))
}

impl Key {
    fn names(table: &Table, places: &[i16]) -> String {
        let names: Vec<&str> = places.iter().map(|place| column(table, *place)).collect();
        names.join(", ")
    }

    /// The key as `pg_get_constraintdef` writes it.
    pub(super) fn definition(&self) -> String {
        let own = Self::names(self.table, &self.columns);
        match &self.target {
            None => format!("PRIMARY KEY ({own})"),
            Some((target, places)) => format!(
                "FOREIGN KEY ({own}) REFERENCES {CRM}.{}({})",
                target.name,
                Self::names(target, places)
            ),
        }
    }

    /// Its index as `pg_get_indexdef` writes it, or one column of it.
    pub(super) fn index_definition(&self, place: Option<i64>) -> String {
        let at = place.and_then(|place| usize::try_from(place).ok()).filter(|place| *place > 0);
        match at {
            Some(at) => {
                let place = self.columns.get(at - 1);
                place.map_or(String::new(), |place| column(self.table, *place).to_owned())
            }
            None => format!(
                "CREATE UNIQUE INDEX {} ON {CRM}.{} USING btree ({})",
                self.name,
                self.table.name,
                Self::names(self.table, &self.columns)
            ),
        }
    }

    /// Columns of its index.
    pub(super) fn index_columns(&self) -> SchemaRef {
        let schema = self.table.arrow_schema();
        let places = self.columns.iter().filter_map(|place| usize::try_from(place - 1).ok());
        let fields = places.filter_map(|at| schema.fields().get(at).cloned());
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Number of its constraint.
    pub(super) fn oid(&self, oids: &Oids) -> i32 {
        oids.of(Object::Constraint(self.name.clone()))
    }

    /// Number of the index of a primary key.
    pub(super) fn index_oid(&self, oids: &Oids) -> i32 {
        oids.of(Object::Relation(CRM.into(), self.name.clone()))
    }
}

/// Number of a canonical table.
pub(super) fn table_oid(oids: &Oids, table: &Table) -> i32 {
    oids.of(Object::Relation(CRM.into(), table.name.into()))
}

/// A list of places in each row; `None` is NULL.
fn places<'a>(lists: impl Iterator<Item = Option<&'a [i16]>>) -> ArrayRef {
    let mut builder = ListBuilder::new(Int16Builder::new());
    for list in lists {
        match list {
            Some(list) => builder.append_value(list.iter().copied().map(Some)),
            None => builder.append_null(),
        }
    }
    Arc::new(builder.finish())
}

/// `pg_index`: the primary keys.
pub(super) fn pg_index(oids: &Oids, access: &Access) -> Result<RecordBatch> {
    let keys = primary(access);
    let mut rows = Rows::new(keys.len());
    rows.oid("indexrelid", keys.iter().map(|key| key.index_oid(oids)));
    rows.oid("indrelid", keys.iter().map(|key| table_oid(oids, key.table)));
    for name in ["indnatts", "indnkeyatts"] {
        let widths = keys.iter().map(|key| key.columns.len() as i16);
        rows.push(name, Arc::new(Int16Array::from_iter_values(widths)), None);
    }
    for (name, value) in [
        ("indisunique", true),
        ("indnullsnotdistinct", false),
        ("indisprimary", true),
        ("indisexclusion", false),
        ("indimmediate", true),
        ("indisclustered", false),
        ("indisvalid", true),
        ("indcheckxmin", false),
        ("indisready", true),
        ("indislive", true),
        ("indisreplident", false),
    ] {
        rows.boolean(name, value);
    }
    let own = |key: &&Key| seen_places(access, key.table, &key.columns);
    let columns: Vec<Vec<i16>> = keys.iter().map(own).collect();
    rows.push("indkey", places(columns.iter().map(|list| Some(list.as_slice()))), None);
    // Each column by the usual order of its type.
    for name in ["indcollation", "indclass"] {
        let mut builder = ListBuilder::new(Int32Builder::new());
        keys.iter().for_each(|key| builder.append_value(key.columns.iter().map(|_| Some(0))));
        rows.push(name, Arc::new(builder.finish()), None);
    }
    let zeros: Vec<Vec<i16>> = keys.iter().map(|key| vec![0; key.columns.len()]).collect();
    rows.push("indoption", places(zeros.iter().map(|list| Some(list.as_slice()))), None);
    for name in ["indexprs", "indpred"] {
        rows.null(name);
    }
    rows.finish()
}

/// `pg_constraint`: all keys.
pub(super) fn pg_constraint(oids: &Oids, access: &Access) -> Result<RecordBatch> {
    let keys = seen(access);
    let mut rows = Rows::new(keys.len());
    rows.oid("oid", keys.iter().map(|key| key.oid(oids)));
    rows.text("conname", NAME, keys.iter().map(|k| k.name.clone()).collect());
    rows.oid_of("connamespace", oids.of(Object::Schema(CRM.into())));
    let kind = |key: &&Key| if key.target.is_some() { "f" } else { "p" }.to_owned();
    rows.text("contype", CHAR, keys.iter().map(kind).collect());
    for (name, value) in [("condeferrable", false), ("condeferred", false), ("convalidated", true)]
    {
        rows.boolean(name, value);
    }
    rows.oid("conrelid", keys.iter().map(|key| table_oid(oids, key.table)));
    rows.oid_of("contypid", 0);
    // A foreign key rests on the index of the key that it points to.
    let index = |key: &&Key| {
        let table = key.target.as_ref().map_or(key.table, |(target, _)| target);
        oids.of(Object::Relation(CRM.into(), format!("{}_pkey", table.name)))
    };
    rows.oid("conindid", keys.iter().map(index));
    rows.oid_of("conparentid", 0);
    let target = |key: &&Key| key.target.as_ref().map_or(0, |(target, _)| table_oid(oids, target));
    rows.oid("confrelid", keys.iter().map(target));
    for (name, value) in [("confupdtype", "a"), ("confdeltype", "a"), ("confmatchtype", "s")] {
        let value = |key: &&Key| if key.target.is_some() { value } else { " " }.to_owned();
        rows.text(name, CHAR, keys.iter().map(value).collect());
    }
    rows.boolean("conislocal", true);
    rows.push("coninhcount", Arc::new(Int32Array::from(vec![0; keys.len()])), None);
    let inherits = keys.iter().map(|_| Some(true));
    rows.push("connoinherit", Arc::new(inherits.collect::<BooleanArray>()), None);
    let own = |key: &&Key| seen_places(access, key.table, &key.columns);
    let own: Vec<Vec<i16>> = keys.iter().map(own).collect();
    rows.push("conkey", places(own.iter().map(|list| Some(list.as_slice()))), None);
    let to = |key: &&Key| key.target.as_ref().map(|(t, at)| seen_places(access, t, at));
    let to: Vec<Option<Vec<i16>>> = keys.iter().map(to).collect();
    rows.push("confkey", places(to.iter().map(Option::as_deref)), None);
    for name in ["conpfeqop", "conppeqop", "conffeqop", "confdelsetcols", "conexclop"] {
        rows.no_list(name);
    }
    rows.null("conbin");
    rows.finish()
}

/// A table of `information_schema` about keys; `None` for another name.
pub(super) fn information(name: &str, access: &Access) -> Result<Option<RecordBatch>> {
    let keys = seen(access);
    // One row a column of a key.
    let columns: Vec<(&'static Key, usize)> = keys
        .iter()
        .copied()
        .flat_map(|key| (0..key.columns.len()).map(move |at| (key, at)))
        .collect();
    let foreign: Vec<&Key> = keys.iter().copied().filter(|key| key.target.is_some()).collect();
    let count = match name {
        "table_constraints" => keys.len(),
        "key_column_usage" | "constraint_column_usage" => columns.len(),
        "referential_constraints" => foreign.len(),
        _ => return Ok(None),
    };
    let mut rows = Rows::new(count);
    let constraint = |rows: &mut Rows, names: Vec<String>| {
        rows.same("constraint_catalog", CATALOG);
        rows.same("constraint_schema", CRM);
        rows.texts("constraint_name", names);
    };
    let table = |rows: &mut Rows, names: Vec<String>| {
        rows.same("table_catalog", CATALOG);
        rows.same("table_schema", CRM);
        rows.texts("table_name", names);
    };
    match name {
        "table_constraints" => {
            constraint(&mut rows, keys.iter().map(|key| key.name.clone()).collect());
            table(&mut rows, keys.iter().map(|key| key.table.name.to_owned()).collect());
            let kind =
                |key: &&Key| if key.target.is_some() { "FOREIGN KEY" } else { "PRIMARY KEY" };
            rows.texts("constraint_type", keys.iter().map(|key| kind(key).to_owned()).collect());
            rows.same("is_deferrable", "NO");
            rows.same("initially_deferred", "NO");
            rows.same("enforced", "YES");
        }
        "key_column_usage" => {
            constraint(&mut rows, columns.iter().map(|(key, _)| key.name.clone()).collect());
            table(&mut rows, columns.iter().map(|(key, _)| key.table.name.to_owned()).collect());
            columns_of(&mut rows, &columns);
        }
        "constraint_column_usage" => {
            // The columns that a key rests on: of a foreign one, those it points to.
            let on = |(key, at): &(&'static Key, usize)| match &key.target {
                Some((target, places)) => (target.name, column(target, places[*at])),
                None => (key.table.name, column(key.table, key.columns[*at])),
            };
            table(&mut rows, columns.iter().map(|c| on(c).0.to_owned()).collect());
            rows.texts("column_name", columns.iter().map(|c| on(c).1.to_owned()).collect());
            constraint(&mut rows, columns.iter().map(|(key, _)| key.name.clone()).collect());
        }
        _ => {
            constraint(&mut rows, foreign.iter().map(|key| key.name.clone()).collect());
            rows.same("unique_constraint_catalog", CATALOG);
            rows.same("unique_constraint_schema", CRM);
            let target = |key: &&Key| {
                key.target.as_ref().map_or(String::new(), |(t, _)| format!("{}_pkey", t.name))
            };
            rows.texts("unique_constraint_name", foreign.iter().map(target).collect());
            rows.same("match_option", "NONE");
            rows.same("update_rule", "NO ACTION");
            rows.same("delete_rule", "NO ACTION");
        }
    }
    rows.finish().map(Some)
}

/// The columns of keys with their places.
fn columns_of(rows: &mut Rows, columns: &[(&'static Key, usize)]) {
    let named = |(key, at): &(&'static Key, usize)| column(key.table, key.columns[*at]).to_owned();
    names_and_positions(
        rows,
        columns.iter().map(named).collect(),
        columns.iter().map(|(_, at)| *at as i32 + 1).collect(),
        columns.iter().map(|(key, at)| key.target.as_ref().map(|_| *at as i32 + 1)).collect(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_postgres_writes_them() {
        let by = |name: &str| KEYS.iter().find(|key| key.name == name).expect(name);
        let own = by("opportunities_pkey");
        assert_eq!(own.definition(), "PRIMARY KEY (opportunity_id)");
        assert_eq!(
            own.index_definition(None),
            "CREATE UNIQUE INDEX opportunities_pkey ON crm.opportunities USING btree (opportunity_id)"
        );
        assert_eq!(own.index_definition(Some(1)), "opportunity_id");
        assert_eq!(
            by("opportunities_owner_id_fkey").definition(),
            "FOREIGN KEY (owner_id) REFERENCES crm.users(user_id)"
        );
        assert_eq!(of("crm", "opportunities"), (true, true));
        assert_eq!(of("mart", "opportunities"), (false, false));
    }

    #[test]
    fn names_are_told_once() {
        let names: std::collections::BTreeSet<&str> =
            KEYS.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(names.len(), KEYS.len());
        assert!(KEYS.iter().all(|key| !key.columns.is_empty()));
    }
}
