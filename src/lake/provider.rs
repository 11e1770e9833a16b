//! The scan of a pinned snapshot: its file list as a plain Parquet source, pruned by the log's bounds.
//!
//! delta-rs' own provider drops column bounds and order (measured 5 to 400 times slower where those
//! matter) and cannot be sent to another node; stock scan nodes can.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Column, ScalarValue, Statistics, ToDFSchema};
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::expressions::Column as PhysicalColumn;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_optimizer::pruning::{PruningPredicateBuilder, PruningStatistics};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::snapshot::{DataFile, Snapshot};

/// A snapshot as a table of the engine.
#[derive(Debug)]
pub(super) struct Provider {
    pub snapshot: Arc<Snapshot>,
    pub store: ObjectStoreUrl,
}

#[async_trait]
impl TableProvider for Provider {
    fn schema(&self) -> SchemaRef {
        self.snapshot.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    /// What the log says of the whole version; the bytes are those of the files, compressed.
    fn statistics(&self) -> Option<Statistics> {
        let mut statistics = merged(&self.snapshot.schema, self.snapshot.files.iter()).ok()?;
        let bytes: u64 = self.snapshot.files.iter().map(|file| file.meta.size).sum();
        statistics.total_byte_size = Precision::Inexact(bytes as usize);
        Some(statistics)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let files = self.unpruned(state, filters)?;
        if files.is_empty() {
            let projected = datafusion::physical_plan::project_schema(&schema, projection)?;
            return Ok(Arc::new(EmptyExec::new(projected)));
        }
        let statistics = merged(&schema, files.iter().copied())?;
        let format = ParquetFormat::new()
            .with_options(state.default_table_options().parquet)
            .with_enable_pruning(true);
        let ordering = ordering(&self.snapshot);
        let groups = groups(state, &schema, &files, ordering.as_ref());
        let is_ordered = groups.iter().all(|group| group.len() <= 1) || groups_are_sorted(&groups);
        let source = format.file_source(TableSchema::from(schema));
        let config = FileScanConfigBuilder::new(self.store.clone(), source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_output_ordering(ordering.filter(|_| is_ordered).into_iter().collect())
            .with_limit(limit)
            .build();
        format.create_physical_plan(state, config).await
    }
}

impl Provider {
    /// Files that may hold a row that `filters` let through.
    fn unpruned(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<&DataFile>> {
        let all: Vec<&DataFile> = self.snapshot.files.iter().collect();
        let Some(predicate) = conjunction(filters.to_vec()) else { return Ok(all) };
        let schema = self.schema();
        let df_schema = schema.clone().to_dfschema()?;
        let Ok(predicate) = state.create_physical_expr(predicate, &df_schema) else {
            return Ok(all);
        };
        let builder = PruningPredicateBuilder::new().with_file_schema(schema.clone());
        let Ok(pruning) = builder.try_build(predicate) else { return Ok(all) };
        let bounds = Bounds { schema, files: all };
        let keep = pruning.prune(&bounds)?;
        Ok(bounds.files.into_iter().zip(keep).filter_map(|(f, keep)| keep.then_some(f)).collect())
    }
}

/// The key of `snapshot` as an order, if it has one.
pub(super) fn ordering(snapshot: &Snapshot) -> Option<LexOrdering> {
    let options = SortOptions { descending: false, nulls_first: false };
    let columns = snapshot.key_indices().into_iter().zip(&snapshot.key);
    LexOrdering::new(columns.map(|(index, name)| PhysicalSortExpr {
        expr: Arc::new(PhysicalColumn::new(name, index)),
        options,
    }))
}

/// Files in groups of one partition each, in key order within a group where their ranges allow it.
fn groups(
    state: &dyn Session,
    schema: &SchemaRef,
    files: &[&DataFile],
    ordering: Option<&LexOrdering>,
) -> Vec<FileGroup> {
    let partitions = state.config().target_partitions().max(1);
    let parts: Vec<PartitionedFile> = files
        .iter()
        .map(|file| {
            PartitionedFile::new_from_meta(file.meta.clone())
                .with_statistics(file.statistics.clone())
        })
        .collect();
    let one = vec![FileGroup::new(parts.clone())];
    if let Some(ordering) = ordering {
        let split = FileScanConfig::split_groups_by_statistics_with_target_partitions(
            schema, &one, ordering, partitions,
        );
        if let Ok(sorted) = split
            && sorted.len() <= partitions
        {
            return sorted;
        }
    }
    FileGroup::new(parts).split_files(partitions)
}

/// True if within every group each file starts after the one before it ends.
fn groups_are_sorted(groups: &[FileGroup]) -> bool {
    groups.iter().all(|group| {
        group.files().windows(2).all(|pair| {
            let bound = |file: &PartitionedFile| {
                file.statistics.as_ref().and_then(|s| s.column_statistics.first().cloned())
            };
            match (bound(&pair[0]), bound(&pair[1])) {
                (Some(a), Some(b)) => match (a.max_value.get_value(), b.min_value.get_value()) {
                    (Some(high), Some(low)) => high < low,
                    _ => false,
                },
                _ => false,
            }
        })
    })
}

fn merged<'a>(schema: &SchemaRef, files: impl Iterator<Item = &'a DataFile>) -> Result<Statistics> {
    let all: Vec<&Statistics> = files.map(|file| file.statistics.as_ref()).collect();
    Statistics::try_merge_iter(all, schema)
}

/// The log's bounds, as pruning asks for them.
struct Bounds<'a> {
    schema: SchemaRef,
    files: Vec<&'a DataFile>,
}

impl Bounds<'_> {
    fn column(
        &self,
        column: &Column,
        pick: impl Fn(&datafusion::common::ColumnStatistics) -> Precision<ScalarValue>,
    ) -> Option<ArrayRef> {
        let index = self.schema.index_of(&column.name).ok()?;
        let absent = ScalarValue::try_from(self.schema.field(index).data_type()).ok()?;
        let values = self.files.iter().map(|file| {
            let column = &file.statistics.column_statistics[index];
            pick(column).get_value().cloned().unwrap_or_else(|| absent.clone())
        });
        ScalarValue::iter_to_array(values).ok()
    }
}

impl PruningStatistics for Bounds<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.column(column, |c| c.min_value.clone())
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.column(column, |c| c.max_value.clone())
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let index = self.schema.index_of(&column.name).ok()?;
        let counts = self.files.iter().map(|file| {
            file.statistics.column_statistics[index].null_count.get_value().map(|n| *n as u64)
        });
        Some(Arc::new(counts.collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.files.iter().map(|file| Some(file.rows)).collect::<UInt64Array>()))
    }

    fn contained(
        &self,
        _: &Column,
        _: &std::collections::HashSet<ScalarValue>,
    ) -> Option<BooleanArray> {
        None
    }
}
