//! The tables of `pg_catalog` that say what is here; all others are the fixed ones.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Int16Array, Int32Array, RecordBatch, StringArray,
    new_null_array,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{CatalogProvider, MemTable, SchemaProvider, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::TableType;
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::pg_catalog::{PG_CATALOG_TABLES, PgCatalogSchemaProvider};

use super::comments::Comments;
use super::keys;
use super::oids::{Object, Oids};
use super::{Catalog, INFORMATION_SCHEMA, OWNER, PG_CATALOG, PUBLIC, Pages};
use crate::schema::CRM;
use crate::server::encode::types::{self, OID_KEY};
use crate::session::{CATALOG, FunctionPage};

/// Type `name`, and the one-byte type `"char"`.
pub(super) const NAME: u32 = 19;
pub(super) const CHAR: u32 = 18;

/// Tables of the catalog that others refer to by the numbers they have everywhere.
const FIXED_OIDS: &[(&str, i32)] = &[
    ("pg_type", 1247),
    ("pg_attribute", 1249),
    ("pg_proc", 1255),
    ("pg_class", 1259),
    ("pg_database", 1262),
    ("pg_attrdef", 2604),
    ("pg_constraint", 2606),
    ("pg_index", 2610),
    ("pg_namespace", 2615),
    ("pg_rewrite", 2618),
    ("pg_trigger", 2620),
];

/// Schema `pg_catalog` of one session.
#[derive(Debug)]
pub(super) struct PgCatalog {
    fixed: PgCatalogSchemaProvider<
        Arc<dyn datafusion::catalog::CatalogProviderList>,
        EmptyContextProvider,
    >,
    /// Weak, because the database holds this schema.
    database: Weak<dyn CatalogProvider>,
    oids: Arc<Oids>,
    pub(super) comments: Arc<Comments>,
    pub(super) pages: Arc<Pages>,
    user: String,
}

/// A table or view as the catalog lists it.
pub(super) struct Relation {
    pub(super) schema: String,
    pub(super) name: String,
    /// `r` for a table, `v` for a view, `i` for the index of a key.
    pub(super) kind: char,
    pub(super) columns: SchemaRef,
}

impl PgCatalog {
    pub(super) fn new(
        shared: &Catalog,
        database: &Arc<dyn CatalogProvider>,
        user: &str,
    ) -> Result<Self> {
        // The library's own view of the catalog is never asked: those tables are made here.
        let nothing: Arc<dyn datafusion::catalog::CatalogProviderList> =
            Arc::new(datafusion::catalog::MemoryCatalogProviderList::new());
        let fixed =
            PgCatalogSchemaProvider::try_new(nothing, shared.fixed.clone(), EmptyContextProvider)?;
        Ok(Self {
            fixed,
            database: Arc::downgrade(database),
            oids: shared.oids.clone(),
            comments: shared.comments.clone(),
            pages: shared.pages.clone(),
            user: user.to_owned(),
        })
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
                    schema: schema.clone(),
                    name,
                });
            }
        }
        Ok(relations)
    }

    fn relation_oid(&self, relation: &Relation) -> i32 {
        if relation.schema == PG_CATALOG
            && let Some((_, oid)) = FIXED_OIDS.iter().find(|(name, _)| *name == relation.name)
        {
            return *oid;
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
        relations.extend(keys::primary().map(|key| Relation {
            schema: CRM.into(),
            name: key.name.clone(),
            kind: 'i',
            columns: Arc::new(Schema::empty()),
        }));
        relations.extend(PG_CATALOG_TABLES.iter().map(|name| Relation {
            schema: PG_CATALOG.into(),
            name: (*name).to_owned(),
            kind: 'r',
            columns: Arc::new(Schema::empty()),
        }));
        let mut rows = Rows::new(relations.len());
        let oids: Vec<i32> = relations.iter().map(|r| self.relation_oid(r)).collect();
        rows.oid("oid", oids.iter().copied());
        rows.text("relname", NAME, relations.iter().map(|r| r.name.clone()).collect());
        rows.oid("relnamespace", relations.iter().map(|r| self.schema_oid(&r.schema)));
        rows.oid_of("reltype", 0);
        rows.oid_of("reloftype", 0);
        rows.oid_of("relowner", 10);
        let access = |relation: &Relation| match relation.kind {
            'v' => 0,
            'i' => 403,
            _ => 2,
        };
        rows.oid("relam", relations.iter().map(access));
        rows.oid("relfilenode", oids.iter().copied());
        rows.oid_of("reltablespace", 0);
        rows.int4("relpages", 1);
        // Postgres says -1 for a table that was never counted.
        rows.push("reltuples", Arc::new(Float32Array::from(vec![-1.0; relations.len()])), None);
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
        for name in ["relacl", "reloptions"] {
            rows.no_list(name);
        }
        rows.null("relpartbound");
        rows.finish()
    }

    async fn pg_attribute(&self) -> Result<RecordBatch> {
        let relations = self.relations().await?;
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
        rows.boolean("attbyval", false);
        rows.char("attalign", "i");
        rows.char("attstorage", "p");
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
        rows.oid_of("attcollation", 0);
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
                let comment = self.comments.of(&relation.schema, &relation.name, column);
                if let Some(comment) = comment {
                    oids.push(self.relation_oid(relation));
                    numbers.push(number as i32);
                    texts.push(comment.to_owned());
                }
            }
        }
        let relation_count = oids.len();
        for (place, page) in self.pages.0.iter().enumerate() {
            oids.push(self.oids.of(Object::Function(place)));
            numbers.push(0);
            texts.push(page.description());
        }
        // The catalogs that the objects are listed in: pg_class and pg_proc.
        let classes = (0..oids.len()).map(|at| if at < relation_count { 1259 } else { 1255 });
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
        rows.int4("rolconnlimit", -1);
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
            let definition = |r: &Relation| self.comments.definition(&r.schema, &r.name);
            rows.text("definition", types::TEXT, relations.iter().map(definition).collect());
        } else {
            rows.null("tablespace");
            for name in ["hasindexes", "hasrules", "hastriggers", "rowsecurity"] {
                rows.boolean(name, false);
            }
        }
        rows.finish()
    }

    /// Our functions behind the fixed ones.
    fn pg_proc(&self) -> Result<Vec<RecordBatch>> {
        let Some(fixed) = self.fixed.build_table_by_name("pg_proc")? else { return Ok(vec![]) };
        let schema = fixed.schema();
        let pages = &self.pages.0;
        let columns = schema.fields().iter().map(|field| -> ArrayRef {
            let oids = || (0..pages.len()).map(|place| self.oids.of(Object::Function(place)));
            let texts = |text: fn(&FunctionPage) -> &str| -> ArrayRef {
                let values = StringArray::from_iter_values(pages.iter().map(text));
                cast_or_null(Arc::new(values), field.data_type())
            };
            match field.name().as_str() {
                "oid" => Arc::new(Int32Array::from_iter_values(oids())),
                "proname" => texts(|page| &page.name),
                "prokind" => texts(|page| if page.kind == "aggregate" { "a" } else { "f" }),
                "provolatile" => texts(|page| if page.kind == "table" { "s" } else { "i" }),
                "proretset" => {
                    let sets = pages.iter().map(|page| Some(page.kind == "table"));
                    Arc::new(sets.collect::<BooleanArray>())
                }
                "pronamespace" => {
                    Arc::new(Int32Array::from(vec![self.schema_oid(PUBLIC); pages.len()]))
                }
                _ => filler(field, pages.len()),
            }
        });
        let ours = RecordBatch::try_new(schema.clone(), columns.collect())?;
        let mut batches = self.fixed_batches("pg_proc")?;
        batches.push(ours);
        batches.iter().map(|batch| without_access(batch, "proacl")).collect()
    }

    fn fixed_batches(&self, name: &str) -> Result<Vec<RecordBatch>> {
        use datafusion_pg_catalog::pg_catalog::PgCatalogTable;
        Ok(match self.fixed.build_table_by_name(name)? {
            Some(PgCatalogTable::Static(table)) => table.data().to_vec(),
            _ => vec![],
        })
    }

    async fn own(&self, name: &str) -> Result<Option<Vec<RecordBatch>>> {
        Ok(Some(match name {
            "pg_proc" => self.pg_proc()?,
            "pg_namespace" => vec![self.pg_namespace()?],
            "pg_class" => vec![self.pg_class().await?],
            "pg_attribute" => vec![self.pg_attribute().await?],
            "pg_description" => vec![self.pg_description().await?],
            "pg_database" => vec![self.pg_database()?],
            "pg_roles" | "pg_authid" => vec![self.pg_roles()?],
            "pg_tables" => vec![self.pg_tables(false).await?],
            "pg_views" => vec![self.pg_tables(true).await?],
            "pg_index" => vec![keys::pg_index(&self.oids)?],
            "pg_constraint" => vec![keys::pg_constraint(&self.oids)?],
            _ => return Ok(None),
        }))
    }
}

/// `batch` with the access list in `column` as a list, which clients take it for; it says nothing.
fn without_access(batch: &RecordBatch, column: &str) -> Result<RecordBatch> {
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    let pairs = batch.schema_ref().fields().iter().zip(batch.columns());
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = pairs
        .map(|(field, array)| match field.name() == column {
            true => {
                (Field::new(column, list.clone(), true), new_null_array(&list, batch.num_rows()))
            }
            false => (field.as_ref().clone(), array.clone()),
        })
        .unzip();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// A column that says nothing: zeros where NULL cannot be.
fn filler(field: &Field, count: usize) -> ArrayRef {
    if field.is_nullable() {
        return new_null_array(field.data_type(), count);
    }
    let zeros: ArrayRef = Arc::new(Int32Array::from(vec![0; count]));
    cast_or_null(zeros, field.data_type())
}

fn cast_or_null(array: ArrayRef, data_type: &DataType) -> ArrayRef {
    datafusion::arrow::compute::cast(&array, data_type)
        .unwrap_or_else(|_| new_null_array(data_type, array.len()))
}

#[async_trait]
impl SchemaProvider for PgCatalog {
    fn table_names(&self) -> Vec<String> {
        PG_CATALOG_TABLES.iter().map(ToString::to_string).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let name = name.to_ascii_lowercase();
        match self.own(&name).await? {
            Some(batches) => {
                let schema =
                    batches.first().map_or_else(|| Arc::new(Schema::empty()), |b| b.schema());
                Ok(Some(Arc::new(MemTable::try_new(schema, vec![batches])?)))
            }
            None => self.fixed.table(&name).await,
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        PG_CATALOG_TABLES.contains(&name.to_ascii_lowercase().as_str())
    }
}

/// Columns of a table in the making, all of one length.
pub(super) struct Rows {
    count: usize,
    fields: Vec<Field>,
    columns: Vec<ArrayRef>,
}

impl Rows {
    pub(super) fn new(count: usize) -> Self {
        Self { count, fields: vec![], columns: vec![] }
    }

    /// Rows (count).
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Adds a column, announced as type `oid` where Arrow has no such type.
    pub(super) fn push(&mut self, name: &str, array: ArrayRef, oid: Option<u32>) {
        let mut field = Field::new(name, array.data_type().clone(), true);
        if let Some(oid) = oid {
            field.set_metadata([(OID_KEY.to_owned(), oid.to_string())].into());
        }
        self.fields.push(field);
        self.columns.push(array);
    }

    pub(super) fn oid(&mut self, name: &str, values: impl Iterator<Item = i32>) {
        self.push(name, Arc::new(Int32Array::from_iter_values(values)), Some(types::OID));
    }

    pub(super) fn oid_of(&mut self, name: &str, value: i32) {
        self.oid(name, std::iter::repeat_n(value, self.count));
    }

    pub(super) fn int4(&mut self, name: &str, value: i32) {
        self.push(name, Arc::new(Int32Array::from(vec![value; self.count])), None);
    }

    pub(super) fn int2(&mut self, name: &str, value: i16) {
        self.push(name, Arc::new(Int16Array::from(vec![value; self.count])), None);
    }

    pub(super) fn boolean(&mut self, name: &str, value: bool) {
        self.push(name, Arc::new(BooleanArray::from(vec![value; self.count])), None);
    }

    pub(super) fn text(&mut self, name: &str, oid: u32, values: Vec<String>) {
        self.push(name, Arc::new(StringArray::from(values)), Some(oid));
    }

    pub(super) fn char(&mut self, name: &str, value: &str) {
        self.text(name, CHAR, vec![value.to_owned(); self.count]);
    }

    pub(super) fn null(&mut self, name: &str) {
        self.push(name, new_null_array(&DataType::Utf8, self.count), None);
    }

    pub(super) fn no_list(&mut self, name: &str) {
        let list = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
        self.push(name, new_null_array(&list, self.count), None);
    }

    pub(super) fn finish(self) -> Result<RecordBatch> {
        Ok(RecordBatch::try_new(Arc::new(Schema::new(self.fields)), self.columns)?)
    }
}
