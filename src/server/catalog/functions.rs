//! The functions of Postgres that tools call about the catalog and the session.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use datafusion::prelude::SessionContext;
use datafusion_pg_catalog::pg_catalog as library;

use super::comments::Comments;
use super::oids::{Object, Oids};
use super::{Catalog, OWNER, PG_CATALOG, Pages};
use super::{answers, keys, names, sizes};
use crate::schema::CRM;
use crate::server::encode::types;
use crate::server::settings::SERVER_VERSION;
use crate::session::{CATALOG, Described, FunctionPage, Granted, Session};

/// One row of arguments and the session's options to a value.
type Answer = Arc<dyn Fn(&[ScalarValue], &ConfigOptions) -> Result<ScalarValue> + Send + Sync>;

/// A function answered row by row; such calls are few and short.
struct Lookup {
    name: String,
    signature: Signature,
    returns: DataType,
    answer: Answer,
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lookup({})", self.name)
    }
}

impl PartialEq for Lookup {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Lookup {}

impl Hash for Lookup {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Lookup {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let options = args.config_options.as_ref();
        let rows = args.number_rows;
        let is_scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays: Vec<ArrayRef> = args
            .args
            .into_iter()
            .map(|arg| arg.into_array(if is_scalar { 1 } else { rows }))
            .collect::<Result<_>>()?;
        let answer = |row: usize| {
            let values = arrays
                .iter()
                .map(|array| ScalarValue::try_from_array(array, row))
                .collect::<Result<Vec<_>>>()?;
            (self.answer)(&values, options)
        };
        if is_scalar {
            return Ok(ColumnarValue::Scalar(answer(0)?));
        }
        let values = (0..rows).map(answer).collect::<Result<Vec<_>>>()?;
        if values.is_empty() {
            return Ok(ColumnarValue::Array(datafusion::arrow::array::new_empty_array(
                &self.returns,
            )));
        }
        Ok(ColumnarValue::Array(ScalarValue::iter_to_array(values)?))
    }
}

/// Adds functions to a context, one a line.
pub(super) struct Registrar<'a>(pub(super) &'a SessionContext);

impl Registrar<'_> {
    /// `name`, with each of the `counts` of arguments.
    pub(super) fn add(
        &self,
        name: &str,
        counts: &[usize],
        returns: DataType,
        answer: impl Fn(&[ScalarValue], &ConfigOptions) -> ScalarValue + Send + Sync + 'static,
    ) {
        let shapes = counts.iter().map(|count| match count {
            0 => TypeSignature::Nullary,
            count => TypeSignature::Any(*count),
        });
        let shapes = shapes.collect();
        self.register(name, shapes, returns, move |given, options| Ok(answer(given, options)));
    }

    /// `name` with one argument, which it may refuse.
    pub(super) fn fallible<F>(&self, name: &str, returns: DataType, answer: F)
    where
        F: Fn(&[ScalarValue], &ConfigOptions) -> Result<ScalarValue> + Send + Sync + 'static,
    {
        self.register(name, vec![TypeSignature::Any(1)], returns, answer);
    }

    /// `name` with any number of arguments.
    pub(super) fn variadic(
        &self,
        name: &str,
        returns: DataType,
        answer: impl Fn(&[ScalarValue]) -> ScalarValue + Send + Sync + 'static,
    ) {
        let shapes = vec![TypeSignature::VariadicAny];
        self.register(name, shapes, returns, move |given, _| Ok(answer(given)));
    }

    fn register<F>(&self, name: &str, shapes: Vec<TypeSignature>, returns: DataType, answer: F)
    where
        F: Fn(&[ScalarValue], &ConfigOptions) -> Result<ScalarValue> + Send + Sync + 'static,
    {
        let signature = Signature::one_of(shapes, Volatility::Stable);
        let (name, answer): (String, Answer) = (name.to_owned(), Arc::new(answer));
        self.0.register_udf(ScalarUDF::from(Lookup { name, signature, returns, answer }));
    }

    /// Whether the session has a function of this name already.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.udf(name).is_ok()
    }

    pub(super) fn text(&self, name: &str, counts: &[usize], value: Option<String>) {
        self.add(name, counts, DataType::Utf8, move |_, _| ScalarValue::Utf8(value.clone()));
    }

    pub(super) fn boolean(&self, name: &str, counts: &[usize], value: bool) {
        self.add(name, counts, DataType::Boolean, move |_, _| ScalarValue::Boolean(Some(value)));
    }
}

pub(super) fn number(value: Option<&ScalarValue>) -> Option<i64> {
    value?.cast_to(&DataType::Int64).ok().and_then(|value| match value {
        ScalarValue::Int64(number) => number,
        _ => None,
    })
}

pub(super) fn string(value: Option<&ScalarValue>) -> Option<String> {
    value?.cast_to(&DataType::Utf8).ok().and_then(|value| match value {
        ScalarValue::Utf8(text) => text,
        _ => None,
    })
}

/// Registers the library's functions where they tell the truth here, and ours.
pub(super) fn register(
    context: &SessionContext,
    shared: &Catalog,
    session: &Session,
    process: i32,
) {
    context.register_udf(library::create_current_database_udf(CATALOG));
    context.register_udtf("pg_get_keywords", shared.library.pg_get_keywords.clone());
    context.register_udf(library::create_pg_encoding_to_char_udf());
    context.register_udf(library::create_pg_get_partition_ancestors_udf());
    context.register_udf(library::quote_ident_udf::create_quote_ident_udf());
    context.register_udf(library::quote_ident_udf::create_parse_ident_udf());
    context.register_udf(library::array_bounds_udf::create_array_upper_udf());
    context.register_udf(library::array_bounds_udf::create_array_lower_udf());
    let registrar = Registrar(context);
    register_session(&registrar, session.user());
    registrar.add("pg_backend_pid", &[0], DataType::Int32, move |_, _| {
        ScalarValue::Int32(Some(process))
    });
    register_objects(&registrar, shared, session.granted(), &session.described());
    if let Some(database) = context.catalog(CATALOG) {
        let names = names::register(&registrar, shared, &database, session.granted());
        sizes::register(&registrar, &names);
    }
    answers::register(&registrar);
    register_functions(&registrar, context, shared);
}

/// Who is asking, of what, and what they may do.
fn register_session(registrar: &Registrar<'_>, user: &str) {
    for name in ["current_user", "session_user", "user", "current_role"] {
        registrar.text(name, &[0], Some(user.to_owned()));
    }
    registrar.text("version", &[0], Some(format!("PostgreSQL {SERVER_VERSION}")));
    // There are no locks to give back.
    registrar.text("pg_advisory_unlock_all", &[0], None);
    registrar.text("inet_server_addr", &[0], None);
    registrar.text("inet_client_addr", &[0], None);
    registrar.boolean("pg_is_in_recovery", &[0], false);
    // There are no tables of a session.
    registrar.add("pg_my_temp_schema", &[0], DataType::Int32, |_, _| ScalarValue::Int32(Some(0)));
    let schema = |options: &ConfigOptions| options.catalog.default_schema.clone();
    registrar.add("current_schema", &[0], DataType::Utf8, move |_, options| {
        ScalarValue::Utf8(Some(schema(options)))
    });
    let item = Arc::new(Field::new_list_field(DataType::Utf8, true));
    registrar.add("current_schemas", &[1], DataType::List(item), move |given, options| {
        let mut names = vec![];
        if matches!(given.first(), Some(ScalarValue::Boolean(Some(true)))) {
            names.push(PG_CATALOG.to_owned());
        }
        names.push(schema(options));
        let names: Vec<ScalarValue> = names.into_iter().map(ScalarValue::from).collect();
        ScalarValue::List(ScalarValue::new_list(&names, &DataType::Utf8, true))
    });
}

/// What is behind an identifier of a table or schema.
fn register_objects(
    registrar: &Registrar<'_>,
    shared: &Catalog,
    granted: &Arc<Granted>,
    made: &Described,
) {
    let described = |oids: Arc<Oids>, comments: Arc<Comments>, pages: Arc<Pages>| {
        let (granted, made) = (granted.clone(), made.clone());
        move |given: &[ScalarValue], column: &str| -> ScalarValue {
            let object = number(given.first()).and_then(|number| oids.object(number));
            ScalarValue::Utf8(match object {
                Some(Object::Relation(schema, name)) if granted.now().sees(&schema, &name) => {
                    let known = comments.of(&schema, &name, column).map(str::to_owned);
                    known.or_else(|| made.comment(&schema, &name, column))
                }
                Some(Object::Function(place)) => pages.0.get(place).map(FunctionPage::description),
                Some(Object::Schema(name)) => Comments::schema(&name).map(str::to_owned),
                _ => None,
            })
        }
    };
    let (oids, comments) = (shared.oids.clone(), shared.comments.clone());
    let describe = described(oids, comments, shared.pages.clone());
    registrar.add("obj_description", &[1, 2], DataType::Utf8, move |given, _| describe(given, ""));
    register_columns(registrar, shared, granted, made);
    registrar.text("shobj_description", &[2], None);
    let (oids, rights) = (shared.oids.clone(), granted.clone());
    registrar.add("pg_table_is_visible", &[1], DataType::Boolean, move |given, options| {
        let object = number(given.first()).map(|number| oids.object(number));
        ScalarValue::Boolean(Some(match object {
            Some(Some(Object::Relation(schema, _))) => {
                schema == options.catalog.default_schema || rights.now().owns(&schema)
            }
            _ => true,
        }))
    });
    for name in ["pg_function_is_visible", "pg_type_is_visible", "pg_operator_is_visible"] {
        registrar.boolean(name, &[1], true);
    }
    let oids = shared.oids.clone();
    registrar.add("pg_get_userbyid", &[1], DataType::Utf8, move |given, _| {
        let object = number(given.first()).and_then(|number| oids.object(number));
        ScalarValue::Utf8(Some(match object {
            Some(Object::Role(name)) => name,
            _ => OWNER.to_owned(),
        }))
    });
    for name in ["pg_get_ruledef", "pg_get_triggerdef", "pg_get_function_sqlbody"] {
        registrar.text(name, &[1, 2, 3], None);
    }
    // No column counts by itself, and nothing has another order than that of bytes.
    registrar.text("pg_get_serial_sequence", &[2], None);
    registrar.boolean("pg_collation_is_visible", &[1], true);
    register_definitions(registrar, shared, granted, made);
}

/// What is said of columns.
fn register_columns(
    registrar: &Registrar<'_>,
    shared: &Catalog,
    granted: &Arc<Granted>,
    made: &Described,
) {
    let (oids, comments) = (shared.oids.clone(), shared.comments.clone());
    let (rights, said) = (granted.clone(), made.clone());
    registrar.add("col_description", &[2], DataType::Utf8, move |given, _| {
        let object = number(given.first()).and_then(|number| oids.object(number));
        ScalarValue::Utf8(match (object, number(given.get(1))) {
            (Some(Object::Relation(schema, name)), Some(column)) => {
                let access = rights.now();
                let known = comments.of_number(&schema, &name, column, &access);
                known.map(str::to_owned).or_else(|| {
                    let named = said.column(&schema, &name, column)?;
                    access.sees_column(&schema, &name, &named).then_some(())?;
                    said.comment(&schema, &name, &named)
                })
            }
            _ => None,
        })
    });
}

/// Keys, indexes and views as statements.
fn register_definitions(
    registrar: &Registrar<'_>,
    shared: &Catalog,
    granted: &Arc<Granted>,
    made: &Described,
) {
    let (rights, made) = (granted.clone(), made.clone());
    let (oids, comments) = (shared.oids.clone(), shared.comments.clone());
    registrar.add("pg_get_viewdef", &[1, 2], DataType::Utf8, move |given, _| {
        let object = number(given.first()).and_then(|number| oids.object(number));
        ScalarValue::Utf8(match object {
            Some(Object::Relation(schema, name)) if rights.now().sees(&schema, &name) => {
                let known = Some(comments.definition(&schema, &name));
                known.filter(|sql| !sql.is_empty()).or_else(|| made.definition(&schema, &name))
            }
            _ => None,
        })
    });
    let (oids, rights) = (shared.oids.clone(), granted.clone());
    registrar.add("pg_get_constraintdef", &[1, 2], DataType::Utf8, move |given, _| {
        let object = number(given.first()).and_then(|number| oids.object(number));
        let key = keys::seen(&rights.now()).into_iter().find(|key| match &object {
            Some(Object::Constraint(name)) => *name == key.name,
            _ => false,
        });
        ScalarValue::Utf8(key.map(keys::Key::definition))
    });
    let (oids, rights) = (shared.oids.clone(), granted.clone());
    registrar.add("pg_get_indexdef", &[1, 3], DataType::Utf8, move |given, _| {
        let object = number(given.first()).and_then(|number| oids.object(number));
        let key = keys::primary(&rights.now()).into_iter().find(|key| match &object {
            Some(Object::Relation(schema, name)) => schema == CRM && *name == key.name,
            _ => false,
        });
        ScalarValue::Utf8(key.map(|key| key.index_definition(number(given.get(1)))))
    });
}

/// Signatures of our functions, as `\df` shows them.
fn register_functions(registrar: &Registrar<'_>, context: &SessionContext, shared: &Catalog) {
    let pages = shared.pages.clone();
    let arguments: Vec<String> = pages.0.iter().map(arguments).collect();
    let results: Vec<String> = pages.0.iter().map(|page| result_type(context, page)).collect();
    let definitions = pages.0.iter().zip(arguments.iter().zip(&results));
    let definitions = definitions.map(|(page, (arguments, result))| {
        format!(
            "CREATE OR REPLACE FUNCTION public.{name}({arguments})\n RETURNS {result}\n \
             LANGUAGE internal\nAS $function${name}$function$\n",
            name = page.name
        )
    });
    for (name, texts) in [
        ("pg_get_functiondef", definitions.collect()),
        ("pg_get_function_arguments", arguments.clone()),
        ("pg_get_function_identity_arguments", arguments),
        ("pg_get_function_result", results),
    ] {
        let oids = shared.oids.clone();
        registrar.add(name, &[1], DataType::Utf8, move |given, _| {
            let object = number(given.first()).and_then(|number| oids.object(number));
            ScalarValue::Utf8(match object {
                Some(Object::Function(place)) => texts.get(place).cloned(),
                _ => None,
            })
        });
    }
}

/// What stands between the parentheses of a call.
fn arguments(page: &FunctionPage) -> String {
    let name = &page.name;
    let inside = page.syntax.strip_prefix(name.as_str()).unwrap_or_default();
    let inside = inside.trim_start_matches('(').trim_end_matches(')');
    // A function with two forms shows both.
    inside.replace(&format!(") or {name}("), " | ")
}

/// Type of what a function gives, where it does not depend on its arguments.
fn result_type(context: &SessionContext, page: &FunctionPage) -> String {
    if page.kind == "table" {
        return "SETOF record".into();
    }
    let (state, name) = (context.state(), page.name.as_str());
    let given = match (state.udf(name), state.udaf(name)) {
        (Ok(scalar), _) => scalar.return_type(&[]).ok(),
        (_, Ok(aggregate)) => aggregate.return_type(&[]).ok(),
        _ => None,
    };
    let oid = given.and_then(|given| types::of(&given).ok()).map(|kind| kind.oid);
    match oid {
        Some(types::FLOAT8) => "double precision",
        Some(types::INT8) => "bigint",
        Some(types::TEXT) => "text",
        Some(types::NUMERIC) => "numeric",
        Some(types::DATE) => "date",
        Some(types::BOOL) => "boolean",
        Some(2287) => "record[]",
        _ => "anyelement",
    }
    .to_owned()
}
