//! The tables of `pg_catalog` that say what is here; all others are the fixed ones.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use datafusion::arrow::array::{BooleanArray, Float32Array, Int16Array, Int32Array, RecordBatch};
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::{CatalogProvider, MemTable, SchemaProvider, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::TableType;
use tokio::sync::OnceCell;

use super::comments::Comments;
use super::fixed::FixedTables;
use super::oids::{Object, Oids};
use super::rows::{CHAR, NAME, Rows};
use super::sizes::Size;
use super::{Catalog, INFORMATION_SCHEMA, OWNER, PG_CATALOG, PUBLIC, Pages, Seat};
use super::{activity, keys, privileges, procedures, system};
use crate::schema::CRM;
use crate::server::encode::types;
use crate::session::{CATALOG, Described, Granted, Session};

/// Columns of the tables of the catalog itself, by name.
pub(super) type OwnColumns = OnceCell<Vec<(&'static str, SchemaRef)>>;

/// Schema `pg_catalog` of one session.
#[derive(Debug)]
pub(super) struct PgCatalog {
    fixed: Arc<FixedTables>,
    own_columns: Arc<OwnColumns>,
    /// Weak, because the database holds this schema.
    database: Weak<dyn CatalogProvider>,
    pub(super) oids: Arc<Oids>,
    pub(super) comments: Arc<Comments>,
    pub(super) pages: Arc<Pages>,
    pub(super) user: String,
    pub(super) granted: Arc<Granted>,
    /// The session among the others.
    pub(super) seat: Seat,
    pub(super) described: Described,
}

/// A table or view as the catalog lists it.
pub(super) struct Relation {
    pub(super) schema: String,
    pub(super) name: String,
    /// `r` for a table, `v` for a view, `i` for the index of a key.
    pub(super) kind: char,
    pub(super) columns: SchemaRef,
    pub(super) size: Size,
}

impl PgCatalog {
    pub(super) fn new(
        shared: &Catalog,
        database: &Arc<dyn CatalogProvider>,
        session: &Session,
        seat: Seat,
    ) -> Self {
        Self {
            fixed: shared.fixed.clone(),
            own_columns: shared.own_columns.clone(),
            database: Arc::downgrade(database),
            oids: shared.oids.clone(),
            comments: shared.comments.clone(),
            pages: shared.pages.clone(),
            user: session.user().to_owned(),
            granted: session.granted().clone(),
            seat,
            described: session.described(),
        }
    }

    /// A type as SQL names it.
    pub(super) fn type_text(&self, oid: u32) -> String {
        self.fixed.type_text(i64::from(oid), -1)
    }

    /// The SELECT of a view; empty if it is none.
    pub(super) fn definition(&self, view: &Relation) -> String {
        match self.comments.definition(&view.schema, &view.name) {
            unknown if unknown.is_empty() => {
                self.described.definition(&view.schema, &view.name).unwrap_or_default()
            }
            known => known,
        }
    }

    /// Schemas of tables, without those of the catalog itself.
    fn schemas(&self) -> Vec<String> {
        let Some(database) = self.database.upgrade() else { return vec![] };
        let mut names = database.schema_names();
        names.retain(|name| name != PG_CATALOG && name != INFORMATION_SCHEMA);
        names.sort();
        names
    }

    /// Those, and the schemas that every database has.
    pub(super) fn all_schemas(&self) -> Vec<String> {
        let mut names = self.schemas();
        names.extend([PG_CATALOG, INFORMATION_SCHEMA, PUBLIC].map(str::to_owned));
        names
    }

    /// Every table and view outside the catalog.
    pub(super) async fn relations(&self) -> Result<Vec<Relation>> {
        let Some(database) = self.database.upgrade() else { return Ok(vec![]) };
        let mut relations = vec![];
        for schema in self.schemas() {
            let Some(tables) = database.schema(&schema) else { continue };
            for name in tables.table_names() {
                // A view whose table was dropped is nobody's but its readers' trouble.
                let Ok(Some(table)) = tables.table(&name).await else { continue };
                relations.push(Relation {
                    kind: if table.table_type() == TableType::View { 'v' } else { 'r' },
                    columns: table.schema(),
                    size: Size::of(table.as_ref()),
                    schema: schema.clone(),
                    name,
                });
            }
        }
        Ok(relations)
    }

    /// Primary keys of the tables that the session sees.
    pub(super) fn primary_keys(&self) -> Vec<&'static keys::Key> {
        keys::primary(&self.granted.now())
    }

    /// Their indexes.
    fn indexes(&self) -> impl Iterator<Item = Relation> {
        self.primary_keys().into_iter().map(|key| Relation {
            schema: CRM.into(),
            name: key.name.clone(),
            kind: 'i',
            columns: key.index_columns(),
            size: Size::default(),
        })
    }

    /// Tables and views of the catalog itself.
    async fn own_relations(&self) -> Result<Vec<Relation>> {
        let columns = self.own_columns.get_or_try_init(|| async {
            let mut found = vec![];
            for name in system::tables() {
                // Its columns are asked for in the making of this very list.
                let batch = match name {
                    "pg_attribute" => Some(self.attributes(&[])?.schema()),
                    "pg_class" => Some(self.classes(&[])?.schema()),
                    name => Box::pin(self.table(name)).await?.map(|table| table.schema()),
                };
                found.extend(batch.map(|schema| (name, schema)));
            }
            Ok::<_, datafusion::error::DataFusionError>(found)
        });
        let relation = |(name, columns): &(&'static str, SchemaRef)| Relation {
            schema: PG_CATALOG.into(),
            name: (*name).to_owned(),
            kind: if system::is_view(name) { 'v' } else { 'r' },
            columns: columns.clone(),
            size: Size { rows: Some(0), bytes: 0 },
        };
        Ok(columns.await?.iter().map(relation).collect())
    }

    pub(super) fn relation_oid(&self, relation: &Relation) -> i32 {
        if relation.schema == PG_CATALOG && system::oid(&relation.name) != 0 {
            return system::oid(&relation.name);
        }
        self.oids.of(Object::Relation(relation.schema.clone(), relation.name.clone()))
    }

    fn schema_oid(&self, name: &str) -> i32 {
        self.oids.of(Object::Schema(name.to_owned()))
    }

    fn pg_namespace(&self) -> Result<RecordBatch> {
        let names = self.all_schemas();
        let mut rows = Rows::new(names.len());
        rows.oid("oid", names.iter().map(|name| self.schema_oid(name)));
        rows.text("nspname", NAME, names);
        rows.oid_of("nspowner", 10);
        rows.no_list("nspacl");
        rows.finish()
    }

    async fn pg_class(&self) -> Result<RecordBatch> {
        let mut relations = self.relations().await?;
        relations.extend(self.indexes());
        relations.extend(self.own_relations().await?);
        self.classes(&relations)
    }

    fn classes(&self, relations: &[Relation]) -> Result<RecordBatch> {
        let mut rows = Rows::new(relations.len());
        let oids: Vec<i32> = relations.iter().map(|r| self.relation_oid(r)).collect();
        rows.oid("oid", oids.iter().copied());
        rows.text("relname", NAME, relations.iter().map(|r| r.name.clone()).collect());
        rows.oid("relnamespace", relations.iter().map(|r| self.schema_oid(&r.schema)));
        rows.oid_of("reltype", 0);
        rows.oid_of("reloftype", 0);
        rows.oid_of("relowner", 10);
        let method = |relation: &Relation| match relation.kind {
            'v' => 0,
            'i' => 403,
            _ => 2,
        };
        rows.oid("relam", relations.iter().map(method));
        rows.oid("relfilenode", oids.iter().copied());
        rows.oid_of("reltablespace", 0);
        let pages = relations.iter().map(|relation| relation.size.pages());
        rows.push("relpages", Arc::new(Int32Array::from_iter_values(pages)), None);
        // Postgres says -1 for a table that was never counted.
        let counted = |relation: &Relation| relation.size.rows.map_or(-1.0, |rows| rows as f32);
        let counts = Float32Array::from_iter_values(relations.iter().map(counted));
        rows.push("reltuples", Arc::new(counts), None);
        rows.int4("relallvisible", 0);
        rows.oid_of("reltoastrelid", 0);
        let keyed = |r: &Relation| Some(keys::of(&r.schema, &r.name).0);
        rows.push(
            "relhasindex",
            Arc::new(relations.iter().map(keyed).collect::<BooleanArray>()),
            None,
        );
        rows.boolean("relisshared", false);
        rows.char("relpersistence", "p");
        let kinds = relations.iter().map(|relation| relation.kind.to_string());
        rows.text("relkind", CHAR, kinds.collect());
        let widths = relations.iter().map(|r| r.columns.fields().len() as i16);
        rows.push("relnatts", Arc::new(Int16Array::from_iter_values(widths)), None);
        rows.int2("relchecks", 0);
        rows.boolean("relhasrules", false);
        // Where Postgres has triggers that look after foreign keys.
        let foreign = |r: &Relation| Some(keys::of(&r.schema, &r.name).1);
        let foreign = relations.iter().map(foreign).collect::<BooleanArray>();
        rows.push("relhastriggers", Arc::new(foreign), None);
        for name in ["relhassubclass", "relrowsecurity", "relforcerowsecurity"] {
            rows.boolean(name, false);
        }
        rows.boolean("relispopulated", true);
        rows.char("relreplident", "d");
        rows.boolean("relispartition", false);
        rows.oid_of("relrewrite", 0);
        rows.int4("relfrozenxid", 0);
        rows.int4("relminmxid", 0);
        let access = self.granted.now();
        let acls = relations.iter().map(|r| privileges::acl(&access, &r.schema, r.kind));
        rows.push("relacl", privileges::acls(acls), None);
        rows.no_list("reloptions");
        rows.null("relpartbound");
        rows.finish()
    }

    async fn pg_attribute(&self) -> Result<RecordBatch> {
        let mut relations = self.relations().await?;
        relations.extend(self.indexes());
        relations.extend(self.own_relations().await?);
        self.attributes(&relations)
    }

    fn attributes(&self, relations: &[Relation]) -> Result<RecordBatch> {
        let columns: Vec<(i32, i16, &Field)> = relations
            .iter()
            .flat_map(|relation| {
                let oid = self.relation_oid(relation);
                let fields = relation.columns.fields().iter().enumerate();
                fields.map(move |(at, field)| (oid, at as i16 + 1, field.as_ref()))
            })
            .collect();
        let kinds: Vec<types::PgType> = columns
            .iter()
            .map(|(.., field)| {
                let text = types::PgType { oid: types::TEXT, width: -1, modifier: -1 };
                types::of_field(field).unwrap_or(text)
            })
            .collect();
        let mut rows = Rows::new(columns.len());
        rows.oid("attrelid", columns.iter().map(|(oid, ..)| *oid));
        rows.text("attname", NAME, columns.iter().map(|(.., f)| f.name().clone()).collect());
        rows.oid("atttypid", kinds.iter().map(|kind| kind.oid as i32));
        rows.int4("attstattarget", -1);
        let widths = kinds.iter().map(|kind| kind.width);
        rows.push("attlen", Arc::new(Int16Array::from_iter_values(widths)), None);
        let numbers = columns.iter().map(|(_, number, _)| *number);
        rows.push("attnum", Arc::new(Int16Array::from_iter_values(numbers)), None);
        rows.int4("attndims", 0);
        rows.int4("attcacheoff", -1);
        let modifiers = kinds.iter().map(|kind| kind.modifier);
        rows.push("atttypmod", Arc::new(Int32Array::from_iter_values(modifiers)), None);
        let by_value = |kind: &types::PgType| Some((1..=8).contains(&kind.width));
        let by_value = kinds.iter().map(by_value).collect::<BooleanArray>();
        rows.push("attbyval", Arc::new(by_value), None);
        rows.char("attalign", "i");
        let storage = |kind: &types::PgType| if kind.width < 0 { "x" } else { "p" }.to_owned();
        rows.text("attstorage", CHAR, kinds.iter().map(storage).collect());
        rows.char("attcompression", "");
        let required = columns.iter().map(|(.., field)| Some(!field.is_nullable()));
        rows.push("attnotnull", Arc::new(BooleanArray::from_iter(required)), None);
        for name in ["atthasdef", "atthasmissing"] {
            rows.boolean(name, false);
        }
        rows.char("attidentity", "");
        rows.char("attgenerated", "");
        rows.boolean("attisdropped", false);
        rows.boolean("attislocal", true);
        rows.int4("attinhcount", 0);
        // Texts have the order that their type says.
        let collation = |kind: &types::PgType| if kind.oid == types::TEXT { 100 } else { 0 };
        rows.oid("attcollation", kinds.iter().map(collation));
        for name in ["attacl", "attoptions", "attfdwoptions"] {
            rows.no_list(name);
        }
        rows.null("attmissingval");
        rows.finish()
    }

    /// Comments; where Postgres keeps those of functions too.
    async fn pg_description(&self) -> Result<RecordBatch> {
        let relations = self.relations().await?;
        let (mut oids, mut numbers, mut texts) = (vec![], vec![], vec![]);
        for relation in &relations {
            let names = relation.columns.fields().iter().map(|field| field.name().as_str());
            for (number, column) in std::iter::once("").chain(names).enumerate() {
                let (schema, name) = (&relation.schema, &relation.name);
                let known = self.comments.of(schema, name, column).map(str::to_owned);
                let comment = known.or_else(|| self.described.comment(schema, name, column));
                if let Some(comment) = comment {
                    oids.push(self.relation_oid(relation));
                    numbers.push(number as i32);
                    texts.push(comment);
                }
            }
        }
        let relation_count = oids.len();
        for (place, page) in self.pages.0.iter().enumerate() {
            oids.push(self.oids.of(Object::Function(place)));
            numbers.push(0);
            texts.push(page.description());
        }
        let function_count = oids.len();
        for name in self.all_schemas() {
            if let Some(text) = Comments::schema(&name) {
                oids.push(self.schema_oid(&name));
                numbers.push(0);
                texts.push(text.to_owned());
            }
        }
        // The catalogs that the objects are listed in.
        let classes = (0..oids.len()).map(|at| match at {
            at if at < relation_count => system::oid("pg_class"),
            at if at < function_count => system::oid("pg_proc"),
            _ => system::oid("pg_namespace"),
        });
        let mut rows = Rows::new(oids.len());
        rows.oid("objoid", oids.iter().copied());
        rows.oid("classoid", classes);
        rows.push("objsubid", Arc::new(Int32Array::from(numbers)), None);
        rows.text("description", types::TEXT, texts);
        rows.finish()
    }

    fn pg_database(&self) -> Result<RecordBatch> {
        let mut rows = Rows::new(1);
        rows.oid_of("oid", self.oids.of(Object::Database));
        rows.text("datname", NAME, vec![CATALOG.to_owned()]);
        rows.oid_of("datdba", 10);
        rows.int4("encoding", 6);
        rows.char("datlocprovider", "c");
        rows.boolean("datistemplate", false);
        rows.boolean("datallowconn", true);
        rows.int4("datconnlimit", -1);
        rows.oid_of("dattablespace", 1_663);
        rows.text("datcollate", types::TEXT, vec!["C".to_owned()]);
        rows.text("datctype", types::TEXT, vec!["C.UTF-8".to_owned()]);
        for name in ["daticulocale", "datcollversion"] {
            rows.null(name);
        }
        rows.no_list("datacl");
        rows.finish()
    }

    /// The role that logged in, and no other; nobody is told how roles log in.
    fn pg_roles(&self) -> Result<RecordBatch> {
        let names = [OWNER.to_owned(), self.user.clone()];
        let mut rows = Rows::new(names.len());
        let own = self.oids.of(Object::Role(self.user.clone()));
        rows.oid("oid", [10, own].into_iter());
        rows.text("rolname", NAME, names.to_vec());
        for name in ["rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls"] {
            rows.boolean(name, false);
        }
        rows.boolean("rolinherit", true);
        let can_log_in = BooleanArray::from(vec![false, true]);
        rows.push("rolcanlogin", Arc::new(can_log_in), None);
        let limit = self.granted.now().limits().connections_max;
        let limit = limit.and_then(|n| i32::try_from(n).ok()).unwrap_or(-1);
        rows.push("rolconnlimit", Arc::new(Int32Array::from(vec![-1, limit])), None);
        for name in ["rolpassword", "rolvaliduntil", "rolconfig"] {
            rows.null(name);
        }
        rows.finish()
    }

    async fn pg_tables(&self, is_view: bool) -> Result<RecordBatch> {
        let mut relations = self.relations().await?;
        relations.retain(|relation| (relation.kind == 'v') == is_view);
        let (name, owner) =
            if is_view { ("viewname", "viewowner") } else { ("tablename", "tableowner") };
        let mut rows = Rows::new(relations.len());
        rows.text("schemaname", NAME, relations.iter().map(|r| r.schema.clone()).collect());
        rows.text(name, NAME, relations.iter().map(|r| r.name.clone()).collect());
        rows.text(owner, NAME, vec![OWNER.to_owned(); relations.len()]);
        if is_view {
            let definition = |r: &Relation| self.definition(r);
            rows.text("definition", types::TEXT, relations.iter().map(definition).collect());
        } else {
            rows.null("tablespace");
            for name in ["hasindexes", "hasrules", "hastriggers", "rowsecurity"] {
                rows.boolean(name, false);
            }
        }
        rows.finish()
    }

    async fn own(&self, name: &str) -> Result<Option<Vec<RecordBatch>>> {
        Ok(Some(match name {
            "pg_proc" => match self.fixed.table(name) {
                Some(fixed) => procedures::pg_proc(fixed, &self.pages, &self.oids)?,
                None => return Ok(None),
            },
            "pg_namespace" => vec![self.pg_namespace()?],
            "pg_class" => vec![self.pg_class().await?],
            "pg_attribute" => vec![self.pg_attribute().await?],
            "pg_description" => vec![self.pg_description().await?],
            "pg_database" => vec![self.pg_database()?],
            "pg_roles" | "pg_authid" => vec![self.pg_roles()?],
            "pg_tables" => vec![self.pg_tables(false).await?],
            "pg_views" => vec![self.pg_tables(true).await?],
            "pg_index" => vec![keys::pg_index(&self.oids, &self.granted.now())?],
            "pg_constraint" => vec![keys::pg_constraint(&self.oids, &self.granted.now())?],
            other => return self.view(other).await,
        }))
    }

    /// A view that is made here: with what there is to say, or with no row.
    async fn view(&self, name: &str) -> Result<Option<Vec<RecordBatch>>> {
        let Some(schema) = system::view(name) else { return Ok(None) };
        let made = activity::rows(self, name, &schema).await?;
        Ok(Some(vec![made.unwrap_or_else(|| system::empty(schema))]))
    }
}

#[async_trait]
impl SchemaProvider for PgCatalog {
    fn table_names(&self) -> Vec<String> {
        system::tables().map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let name = name.to_ascii_lowercase();
        match self.own(&name).await? {
            Some(batches) => {
                let schema =
                    batches.first().map_or_else(|| Arc::new(Schema::empty()), |b| b.schema());
                Ok(Some(Arc::new(MemTable::try_new(schema, vec![batches])?)))
            }
            None => {
                let Some(fixed) = self.fixed.table(&name) else { return Ok(None) };
                let (schema, batches) = (fixed.schema.clone(), fixed.batches.clone());
                Ok(Some(Arc::new(MemTable::try_new(schema, vec![batches])?)))
            }
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        system::is_table(&name.to_ascii_lowercase())
    }
}
