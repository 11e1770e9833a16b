//! Leads a second on one core, scored and explained by models of twenty features, and against
//! LightGBM on the same leads.
//!
//! `cargo bench --workspace --bench models`

mod peer;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use datafusion::arrow::array::{
    ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::prelude::{SessionConfig, SessionContext};

const ROWS: usize = 400_000;
const TAUGHT: usize = 20_000;
const BATCH: usize = 8_192;
const PEER: &str = "lightgbm==4.7.0";
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

fn batches() -> Result<Vec<RecordBatch>> {
    let mut random = Random(11);
    let starts = (0..ROWS).step_by(BATCH);
    starts.map(|start| batch(&mut random, BATCH.min(ROWS - start))).collect()
}

/// The same with words as views of a dictionary, as Parquet is read.
fn with_views(batch: &RecordBatch) -> Result<RecordBatch> {
    let schema = batch.schema();
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() != &DataType::Utf8 {
            return Ok((field.name(), column.clone()));
        }
        let kind = DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into());
        Ok((field.name(), cast(&cast(column, &kind)?, &DataType::Utf8View)?))
    });
    Ok(RecordBatch::try_from_iter(columns.collect::<Result<Vec<_>>>()?)?)
}

/// All leads as numbers, words by their place among the levels: 21 a lead, the label at the end.
fn matrix(batches: &[RecordBatch]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ROWS * (NUMBERS + WORDS + 1) * 8);
    for batch in batches {
        let columns = batch.columns().iter().map(|column| -> Vec<f64> {
            match column.data_type() {
                DataType::Float64 => column.as_primitive::<Float64Type>().values().to_vec(),
                DataType::Boolean => {
                    let values = column.as_boolean().values();
                    values.iter().map(|value| f64::from(u8::from(value))).collect()
                }
                _ => {
                    let words = column.as_string::<i32>().iter().flatten();
                    let place = |word: &str| LEVELS.iter().position(|level| *level == word);
                    words.map(|word| place(word).unwrap_or(0) as f64).collect()
                }
            }
        });
        let columns: Vec<Vec<f64>> = columns.collect();
        for row in 0..batch.num_rows() {
            columns.iter().for_each(|column| bytes.extend(column[row].to_le_bytes()));
        }
    }
    bytes
}

async fn context(batches: Vec<RecordBatch>) -> Result<SessionContext> {
    let config = SessionConfig::new().with_target_partitions(1).with_batch_size(BATCH);
    let mut state = SessionContext::new_with_config(config).state();
    runrate_udfs::register_all(&mut state)?;
    let context = SessionContext::new_with_state(state);
    let views = batches.iter().map(with_views).collect::<Result<Vec<_>>>()?;
    for (name, batches) in [("leads", batches), ("views", views)] {
        let table = MemTable::try_new(batches[0].schema(), vec![batches])?;
        context.register_table(name, Arc::new(table))?;
    }
    for method in ["scorecard", "gbdt"] {
        let model = format!(
            "CREATE TABLE {method} AS SELECT lead_model(is_won, {}, '{method}') AS model FROM (SELECT * FROM leads LIMIT {TAUGHT})",
            features()
        );
        context.sql(&model).await?.collect().await?;
    }
    Ok(context)
}

fn features() -> String {
    let names = (0..NUMBERS).map(|at| format!("n{at}"));
    let names = names.chain((0..WORDS).map(|at| format!("w{at}")));
    let pairs: Vec<String> = names.map(|name| format!("'{name}', {name}")).collect();
    format!("named_struct({})", pairs.join(", "))
}

/// Leads scored, by the model in a table and the leads in another.
fn calls() -> Vec<(&'static str, String)> {
    let features = features();
    let sql =
        |call: String, from: &str| format!("SELECT count(x) FROM (SELECT {call} AS x FROM {from})");
    let chance = |model: &str, from: &str| {
        sql(format!("lead_probability((SELECT model FROM {model}), {features})"), from)
    };
    let reasons = |model: &str, from: &str| {
        sql(format!("lead_reasons((SELECT model FROM {model}), {features}, 3)"), from)
    };
    vec![
        ("scorecard: lead_probability", chance("scorecard", "leads")),
        ("scorecard: lead_probability, words as views", chance("scorecard", "views")),
        ("scorecard: lead_reasons, top 3", reasons("scorecard", "leads")),
        ("scorecard: lead_reasons, top 3, words as views", reasons("scorecard", "views")),
        ("gbdt: lead_probability", chance("gbdt", "leads")),
        ("gbdt: lead_probability, words as views", chance("gbdt", "views")),
        ("gbdt: lead_reasons, top 3", reasons("gbdt", "leads")),
    ]
}

fn run(criterion: &mut Criterion) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let batches = batches()?;
    let data = peer::file("leads.f64", &matrix(&batches))?;
    let context = runtime.block_on(context(batches))?;
    let query = |sql: &str| -> Result<()> {
        runtime.block_on(async {
            black_box(context.sql(sql).await?.collect().await?);
            Ok(())
        })
    };
    let theirs = peer::seconds(PEER, "score.py", &data);
    std::fs::remove_file(data)?;
    let rate = |seconds: f64| ROWS as f64 / seconds / 1e6;
    if let Some(theirs) = theirs {
        eprintln!("{PEER}, 200 trees: {:.3} M leads/s", rate(theirs));
    }
    for (name, sql) in calls() {
        let mut ours = Duration::MAX;
        for _ in 0..7 {
            let start = Instant::now();
            query(&sql)?;
            ours = ours.min(start.elapsed());
        }
        let ours = ours.as_secs_f64();
        let ratio = theirs.map(|theirs| format!(", {:.1} times {PEER}", theirs / ours));
        eprintln!("{name}: {:.2} M leads/s{}", rate(ours), ratio.unwrap_or_default());
    }
    let mut group = criterion.benchmark_group("leads");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(10);
    for (name, sql) in calls() {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| query(&sql));
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
