//! Leads a second on one core, scored and explained by a model of twenty features.
//!
//! `cargo bench --workspace --bench models`

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput};
use datafusion::arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::prelude::{SessionConfig, SessionContext};

const ROWS: usize = 400_000;
const TAUGHT: usize = 20_000;
const BATCH: usize = 8_192;
const NUMBERS: usize = 5;
const WORDS: usize = 15;
const LEVELS: [&str; 8] = [
    "Google",
    "Direct Traffic",
    "Olark Chat",
    "Organic Search",
    "Reference",
    "Welingak Website",
    "Finance Management",
    "Working Professional",
];

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn batch(random: &mut Random, rows: usize) -> Result<RecordBatch> {
    let mut columns: Vec<(String, ArrayRef)> = vec![];
    let mut odds = vec![-1.0; rows];
    for at in 0..NUMBERS {
        let values: Vec<f64> = (0..rows).map(|_| random.next() * 100.0).collect();
        odds.iter_mut().zip(&values).for_each(|(odds, value)| *odds += value / 100.0 - 0.5);
        columns.push((format!("n{at}"), Arc::new(Float64Array::from(values))));
    }
    for at in 0..WORDS {
        let levels: Vec<usize> = (0..rows).map(|_| (random.next() * 8.0) as usize).collect();
        odds.iter_mut().zip(&levels).for_each(|(odds, level)| *odds += 0.1 * (*level as f64 - 3.5));
        let words = StringArray::from_iter_values(levels.iter().map(|level| LEVELS[*level]));
        columns.push((format!("w{at}"), Arc::new(words)));
    }
    let won = odds.iter().map(|odds| Some(random.next() < 1.0 / (1.0 + (-odds).exp())));
    columns.push(("is_won".into(), Arc::new(won.collect::<BooleanArray>())));
    Ok(RecordBatch::try_from_iter(columns)?)
}

async fn context() -> Result<SessionContext> {
    let mut random = Random(11);
    let starts = (0..ROWS).step_by(BATCH);
    let batches = starts
        .map(|start| batch(&mut random, BATCH.min(ROWS - start)))
        .collect::<Result<Vec<_>>>()?;
    let config = SessionConfig::new().with_target_partitions(1).with_batch_size(BATCH);
    let mut state = SessionContext::new_with_config(config).state();
    runrate_udfs::register_all(&mut state)?;
    let context = SessionContext::new_with_state(state);
    let table = MemTable::try_new(batches[0].schema(), vec![batches])?;
    context.register_table("leads", Arc::new(table))?;
    let model = format!(
        "CREATE TABLE models AS SELECT lead_model(is_won, {}) AS model FROM (SELECT * FROM leads LIMIT {TAUGHT})",
        features()
    );
    context.sql(&model).await?.collect().await?;
    Ok(context)
}

fn features() -> String {
    let names = (0..NUMBERS).map(|at| format!("n{at}"));
    let names = names.chain((0..WORDS).map(|at| format!("w{at}")));
    let pairs: Vec<String> = names.map(|name| format!("'{name}', {name}")).collect();
    format!("named_struct({})", pairs.join(", "))
}

fn run(criterion: &mut Criterion) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let context = runtime.block_on(context())?;
    let model = "(SELECT model FROM models)";
    let queries = [
        ("lead_probability", format!("lead_probability({model}, {})", features())),
        ("lead_reasons, top 3", format!("lead_reasons({model}, {}, 3)", features())),
    ];
    let mut group = criterion.benchmark_group("leads");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(10);
    for (name, call) in queries {
        let sql = format!("SELECT count(x) FROM (SELECT {call} AS x FROM leads)");
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| -> Result<()> {
                runtime.block_on(async {
                    black_box(context.sql(&sql).await?.collect().await?);
                    Ok(())
                })
            });
        });
    }
    group.finish();
    Ok(())
}

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    run(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}
