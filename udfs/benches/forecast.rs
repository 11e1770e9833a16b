//! Series a second on one core, forecast with intervals, and against AutoETS of Python's
//! `statsforecast` on the same series.
//!
//! `cargo bench --workspace --bench forecast`

mod peer;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use datafusion::arrow::array::{
    ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, RecordBatch,
};
use datafusion::arrow::datatypes::{Date32Type, Float64Type, Int64Type};
use datafusion::arrow::temporal_conversions::date32_to_datetime;
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::prelude::{SessionConfig, SessionContext};

const SERIES: usize = 200;
const MONTHS: usize = 120;
const PEER: &str = "statsforecast==2.1.1";
const SQL: &str = "SELECT id, forecast(ds, y, 12, 'auto', 0.8) FROM series GROUP BY id ORDER BY id";
const POINTS: &str =
    "SELECT id, forecast(ds, y, 12, 'auto', 0) FROM series GROUP BY id ORDER BY id";

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Day number of the first of the `month`-th month after January 2015.
fn first_of(month: usize) -> i32 {
    let (year, month) = (2015 + month as i32 / 12, month % 12);
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month];
    let is_leap = year % 4 == 0 && month > 1;
    (year - 1970) * 365 + (year - 1969) / 4 + before + i32::from(is_leap)
}

/// Bookings by month: each series has a level, a trend, a season and noise of its own.
fn series() -> Result<RecordBatch> {
    let mut random = Random(5);
    let (mut ids, mut days, mut values) = (vec![], vec![], vec![]);
    for id in 0..SERIES {
        let (level, trend) = (50.0 + 950.0 * random.next(), 8.0 * (random.next() - 0.3));
        let season: Vec<f64> = (0..12).map(|_| 0.6 * (random.next() - 0.5)).collect();
        let noise = 0.02 + 0.2 * random.next();
        for month in 0..MONTHS {
            let wave = 1.0 + season[month % 12] + noise * (random.next() + random.next() - 1.0);
            ids.push(id as i64);
            days.push(first_of(month));
            values.push((level + trend * month as f64).max(5.0) * wave);
        }
    }
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(Int64Array::from(ids))),
        ("ds", Arc::new(Date32Array::from(days))),
        ("y", Arc::new(Float64Array::from(values))),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}

/// The series as a CSV file.
fn written(series: &RecordBatch) -> String {
    let ids = series.column(0).as_primitive::<Int64Type>().values();
    let days = series.column(1).as_primitive::<Date32Type>().values();
    let values = series.column(2).as_primitive::<Float64Type>().values();
    let rows = ids.iter().zip(days).zip(values).map(|((id, day), value)| {
        let day = date32_to_datetime(*day).map_or(String::new(), |at| at.date().to_string());
        format!("{id},{day},{value}\n")
    });
    std::iter::once("id,ds,y\n".to_owned()).chain(rows).collect()
}

fn context(series: RecordBatch) -> Result<SessionContext> {
    let config = SessionConfig::new().with_target_partitions(1);
    let mut state = SessionContext::new_with_config(config).state();
    runrate_udfs::register_all(&mut state)?;
    let context = SessionContext::new_with_state(state);
    let table = MemTable::try_new(series.schema(), vec![vec![series]])?;
    context.register_table("series", Arc::new(table))?;
    Ok(context)
}

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let series = series()?;
    let data = peer::file("series.csv", written(&series).as_bytes())?;
    let context = context(series)?;
    let query = |sql: &str| -> Result<()> {
        runtime.block_on(async {
            black_box(context.sql(sql).await?.collect().await?);
            Ok(())
        })
    };
    let best = |sql: &str| -> Result<f64> {
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            query(sql)?;
            best = best.min(start.elapsed());
        }
        Ok(best.as_secs_f64())
    };
    let rate = |seconds: f64| SERIES as f64 / seconds;
    let (ours, points) = (best(SQL)?, best(POINTS)?);
    for (seconds, what) in [(ours, "with intervals"), (points, "without")] {
        let each = seconds * 1e3 / SERIES as f64;
        let rate = rate(seconds);
        eprintln!("forecast: {rate:.0} series/s of {MONTHS} months, {what} ({each:.2} ms each)");
    }
    if let Some(theirs) = peer::seconds(PEER, "forecast.py", &data) {
        let (found, ratio) = (rate(theirs), theirs / ours);
        eprintln!("AutoETS of {PEER}: {found:.1} series/s; forecast is {ratio:.1} times as fast");
    }
    std::fs::remove_file(data)?;
    let mut group = criterion.benchmark_group("series");
    group.throughput(Throughput::Elements(SERIES as u64)).sample_size(10);
    group.bench_function(BenchmarkId::from_parameter("forecast"), |bencher| {
        bencher.iter(|| query(SQL));
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}
