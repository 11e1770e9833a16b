//! `runrate demo`: a whole small company, made, loaded and served.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{engine, say, serve};
use crate::cli::DemoArgs;
use crate::config::Config;
use crate::demo::{self, Options, QUERIES};
use crate::error::{Error, Result};
use crate::ingest::{self, Request};
use crate::lake::Lake;
use crate::server::{Server, roles};
use crate::session::{CATALOG, Engine};

/// Role of the demo.
const ROLE: &str = "demo";

/// Where the parts of a demo are.
struct Places {
    dir: PathBuf,
    exports: PathBuf,
    lake: String,
    password: PathBuf,
    /// Says which company is here, and whether it is finished.
    marker: PathBuf,
}

impl Places {
    /// Those of a demo in `dir`, with the lake there or in the object store that `lake` names.
    fn of(dir: &Path, lake: &str) -> Self {
        let own = || dir.join("lake").to_string_lossy().into_owned();
        Self {
            dir: dir.to_owned(),
            exports: dir.join("exports"),
            lake: if lake.contains("://") { lake.to_owned() } else { own() },
            password: dir.join("password"),
            marker: dir.join("company"),
        }
    }
}

/// Makes the company unless it is there, then serves it.
pub(super) async fn run(arguments: DemoArgs, config: Config) -> Result<u8> {
    let places = Places::of(&arguments.dir, &config.lake);
    let options = Options { scale: arguments.scale, seed: arguments.seed };
    let config =
        Config { lake: places.lake.clone(), roles_file: Some(places.dir.join("roles")), ..config };
    let engine = match is_made(&places, &options)? {
        true => engine(config).await?,
        false => make(&places, &options, config).await?,
    };
    let password = password(&places, engine.config())?;
    if arguments.no_serve {
        say(&format!("made in {}; run the same without --no-serve\n", places.dir.display()))?;
        return Ok(0);
    }
    let server = Server::bind(engine).await?;
    say(&how_to_connect(&server.address()?.to_string(), &password))?;
    serve::answer(server).await
}

/// Whether the company that `options` ask for is there already.
///
/// # Errors
/// If another one is, or something that is no demo.
fn is_made(places: &Places, options: &Options) -> Result<bool> {
    let refuse = |reason: &str| {
        let subject = places.dir.display().to_string();
        Err(Error::Refused { subject, reason: format!("{reason}; choose another --dir") })
    };
    match fs::read_to_string(&places.marker) {
        Ok(text) if text == marker(options, "made") => Ok(true),
        Ok(text) if text.starts_with("making") => Ok(false),
        Ok(text) => refuse(&format!("holds another company ({})", text.trim())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            match fs::read_dir(&places.dir).map(|mut entries| entries.next().is_some()) {
                Ok(true) => refuse("holds files that no demo made"),
                _ => Ok(false),
            }
        }
        Err(e) => Err(Error::file("read", &places.marker, e)),
    }
}

fn marker(options: &Options, state: &str) -> String {
    format!("{state}: scale {}, seed {}\n", options.scale, options.seed)
}

/// Writes the exports and loads them; what an interrupted run left behind is made anew.
async fn make(places: &Places, options: &Options, config: Config) -> Result<Arc<Engine>> {
    if !places.marker.exists() && places.lake.contains("://") {
        refuse_strange(&config).await?;
    }
    fs::create_dir_all(&places.dir).map_err(|e| Error::file("create", &places.dir, e))?;
    write(&places.marker, &marker(options, "making"))?;
    remove(&places.exports)?;
    // In an object store the same batches again load what is missing.
    if !places.lake.contains("://") {
        remove(Path::new(&places.lake))?;
    }
    let company = demo::generate(&places.exports, options)?;
    let rows: u64 = company.files.iter().map(|(_, rows)| rows).sum();
    say(&format!(
        "{}: {} export files with {rows} rows in {}\n",
        company.company,
        company.files.len(),
        places.exports.display()
    ))?;
    let engine = engine(config).await?;
    for (crm, folder) in [("salesforce", company.salesforce), ("template", company.template)] {
        let request = Request::crm(crm.to_owned(), vec![folder]);
        let summary = ingest::ingest(&engine, &request, super::load::progress()).await?;
        say(&format!("\nrunrate ingest {crm}\n{summary}"))?;
    }
    engine.refresh().await?;
    write(&places.marker, &marker(options, "made"))?;
    Ok(engine)
}

/// Refuses a lake in an object store that has tables, which no demo has made.
async fn refuse_strange(config: &Config) -> Result<()> {
    let tables = Lake::open(config).await?.tables().await?;
    if tables.is_empty() {
        return Ok(());
    }
    let reason = "holds tables that no demo made; choose another lake".to_owned();
    Err(Error::Refused { subject: config.lake.clone(), reason })
}

fn remove(old: &Path) -> Result<()> {
    match fs::remove_dir_all(old) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", old, e)),
        _ => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|e| Error::file("write", path, e))
}

/// The password of the demo's role, made up the first time and kept where only its owner reads it.
fn password(places: &Places, config: &Config) -> Result<String> {
    if let Ok(text) = fs::read_to_string(&places.password)
        && roles::list(&config.roles_path())?.iter().any(|name| name == ROLE)
    {
        return Ok(text.trim().to_owned());
    }
    let password = roles::random_password()?;
    let refuse = |e| Error::file("write", &places.password, e);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&places.password)
        .map_err(refuse)?;
    file.write_all(format!("{password}\n").as_bytes()).map_err(refuse)?;
    roles::add(&config.roles_path(), ROLE, &password)?;
    Ok(password)
}

fn how_to_connect(address: &str, password: &str) -> String {
    let url = format!("postgresql://{ROLE}:{password}@{address}/{CATALOG}");
    let mut text = format!("\nConnect with any Postgres client:\n  {url}\n  psql '{url}'\n");
    text.push_str("\nFive queries worth running, one for each step:\n");
    for query in QUERIES {
        text.push_str(&format!("\n-- {}: {}\n{};\n", query.step, query.question, query.sql));
    }
    text.push('\n');
    text
}
