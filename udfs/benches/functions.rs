//! Rows a second on one core, for each function at a million rows, and against the same formula
//! written by hand in SQL in the same engine.
//!
//! `cargo bench -p runrate-udfs --bench functions`; a word after `--` picks functions by name.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use datafusion::common::DFSchema;
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::prelude::{SessionConfig, SessionContext};

const ROWS: usize = 1_000_000;
const BATCH: usize = 8_192;
const GROUPS: u64 = 100_000;

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn batch(numbers: &mut Numbers, rows: usize) -> Result<RecordBatch> {
    let mut column =
        |scale: f64| -> Vec<f64> { (0..rows).map(|_| numbers.next() * scale).collect() };
    let floats = |values: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
    let (fit, engagement, age) = (column(100.0), column(100.0), column(365.0));
    let (amount, quota, share) = (column(1e5), column(1e6), column(1.0));
    let (points, group, day) = (column(30.0), column(GROUPS as f64), column(1_000.0));
    let names: Vec<String> = group.iter().map(|n| format!("Firm {n:.0} & Söhne, Inc.")).collect();
    let moments = day.iter().map(|day| (20_000.0 + day) as i64 * 86_400_000_000);
    let won = share.iter().map(|share| Some(*share < 0.3));
    Ok(RecordBatch::try_from_iter([
        ("fit", floats(fit)),
        ("engagement", floats(engagement)),
        ("age_days", floats(age)),
        ("amount", floats(amount)),
        ("quota", floats(quota)),
        ("share", floats(share.clone())),
        ("points", floats(points)),
        ("lead_id", Arc::new(Int64Array::from_iter_values(group.iter().map(|n| *n as i64)))),
        ("day", Arc::new(Date32Array::from_iter_values(day.iter().map(|d| 20_000 + *d as i32)))),
        ("event_at", Arc::new(TimestampMicrosecondArray::from_iter_values(moments))),
        ("is_won", Arc::new(won.collect::<BooleanArray>())),
        ("name", Arc::new(StringArray::from(names))),
    ])?)
}

struct Table {
    context: SessionContext,
    batches: Vec<RecordBatch>,
    schema: DFSchema,
}

impl Table {
    fn new() -> Result<Self> {
        let mut numbers = Numbers(7);
        let starts = (0..ROWS).step_by(BATCH);
        let batches = starts
            .map(|start| batch(&mut numbers, BATCH.min(ROWS - start)))
            .collect::<Result<Vec<_>>>()?;
        let config = SessionConfig::new().with_target_partitions(1).with_batch_size(BATCH);
        let mut state = SessionContext::new_with_config(config).state();
        runrate_udfs::register_all(&mut state)?;
        let context = SessionContext::new_with_state(state);
        let table = MemTable::try_new(batches[0].schema(), vec![batches.clone()])?;
        context.register_table("events", Arc::new(table))?;
        let schema = DFSchema::try_from(batches[0].schema())?;
        Ok(Self { context, batches, schema })
    }

    fn expression(&self, sql: &str) -> Result<Arc<dyn PhysicalExpr>> {
        let expr = self.context.parse_sql_expr(sql, &self.schema)?;
        self.context.create_physical_expr(expr, &self.schema)
    }

    fn evaluate(&self, expression: &Arc<dyn PhysicalExpr>) -> Result<()> {
        for batch in &self.batches {
            black_box(expression.evaluate(batch)?);
        }
        Ok(())
    }
}

/// Functions of a row.
const SCALARS: &[(&str, &str)] = &[
    ("lead_score", "lead_score(fit, engagement, age_days, 30, 0.5)"),
    ("lead_grade", "lead_grade(fit, engagement)"),
    ("decay", "decay(points, age_days, 30)"),
    ("quota_attainment", "quota_attainment(amount, quota)"),
    ("quota_pace", "quota_pace(amount, quota, DATE '2024-01-01', DATE '2027-12-31', day)"),
    ("capacity_gap", "capacity_gap(quota, 8.2, amount, 0.85)"),
    ("win_rate_lo", "win_rate_lo(CAST(fit AS bigint), 100)"),
    ("pipeline_coverage", "pipeline_coverage(amount, quota)"),
    ("sales_velocity", "sales_velocity(fit, amount, share, 30)"),
    ("workdays", "workdays(day, DATE '2027-12-31')"),
    ("fiscal_quarter", "fiscal_quarter(day, 2)"),
    ("match_key", "match_key(name)"),
    ("growth_rate", "growth_rate(amount, quota)"),
];

/// Functions of many rows.
const AGGREGATES: &[(&str, &str)] = &[
    (
        "engagement_score",
        "SELECT lead_id, engagement_score(points, event_at, TIMESTAMP '2027-05-18 00:00:00') FROM events GROUP BY lead_id",
    ),
    ("win_rate", "SELECT lead_id, win_rate(is_won, amount) FROM events GROUP BY lead_id"),
    ("wape", "SELECT wape(amount, quota) FROM events"),
    ("gini", "SELECT gini(amount) FROM events"),
];

/// The same by hand: what analysts write who have no such function.
const BY_HAND: &[(&str, &str, &str)] = &[
    (
        "lead_score",
        "lead_score(fit, engagement, age_days, 30, 0.5)",
        "CASE WHEN fit BETWEEN 0 AND 100 AND engagement BETWEEN 0 AND 100 \
         THEN 0.5e0 * fit + 0.5e0 * engagement \
         * exp(-0.6931471805599453e0 * CASE WHEN age_days > 0 THEN age_days ELSE 0 END / 30) END",
    ),
    (
        "lead_score, unchecked",
        "lead_score(fit, engagement, age_days, 30, 0.5)",
        "0.5e0 * fit + 0.5e0 * engagement * power(0.5e0, age_days / 30)",
    ),
];

const ENGAGEMENT_BY_HAND: &str = "SELECT lead_id, least(100, greatest(0, sum(CASE WHEN event_at <= TIMESTAMP '2027-05-18 00:00:00' \
     THEN points * exp(-0.6931471805599453e0 * (CAST(TIMESTAMP '2027-05-18 00:00:00' AS bigint) - CAST(event_at AS bigint)) \
     / 86400000000e0 / 30) END))) FROM events GROUP BY lead_id";

/// The shortest of several runs of each of two, turn by turn.
fn pair(
    mut one: impl FnMut() -> Result<()>,
    mut other: impl FnMut() -> Result<()>,
) -> Result<[Duration; 2]> {
    let mut least = [Duration::MAX; 2];
    for _ in 0..15 {
        let start = Instant::now();
        one()?;
        least[0] = least[0].min(start.elapsed());
        let start = Instant::now();
        other()?;
        least[1] = least[1].min(start.elapsed());
    }
    Ok(least)
}

fn say(name: &str, [ours, theirs]: [Duration; 2]) {
    let rate = |time: Duration| ROWS as f64 / time.as_secs_f64() / 1e6;
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    let (ours, theirs) = (rate(ours), rate(theirs));
    eprintln!("{name}: {ours:.1} M rows/s, by hand {theirs:.1} M rows/s, {ratio:.2} times as fast");
}

fn run(criterion: &mut Criterion) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let table = Table::new()?;
    let query = |sql: &str| -> Result<()> {
        runtime.block_on(async {
            black_box(table.context.sql(sql).await?.collect().await?);
            Ok(())
        })
    };
    for (name, ours, by_hand) in BY_HAND {
        let (ours, by_hand) = (table.expression(ours)?, table.expression(by_hand)?);
        say(name, pair(|| table.evaluate(&ours), || table.evaluate(&by_hand))?);
    }
    say("engagement_score", pair(|| query(AGGREGATES[0].1), || query(ENGAGEMENT_BY_HAND))?);
    let mut group = criterion.benchmark_group("rows");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(10);
    for (name, sql) in SCALARS {
        let expression = table.expression(sql)?;
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| table.evaluate(&expression));
        });
    }
    for (name, sql) in AGGREGATES {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| query(sql));
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
