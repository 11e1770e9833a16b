//! The writer's lock on an object store: the object `_lock`, which only conditional puts change.
//!
//! Its first line names the holder, its second counts how often the holder has renewed it; an empty
//! object is free.
//! Every step, taking, renewing, taking over and giving back, replaces exactly the state that was
//! seen, so that of two writers one wins, and a writer that was taken for dead finds out.
//! Who waits measures the holder's silence with a clock of its own: clocks need not agree.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use object_store::path::Path;
use object_store::{Error as StoreError, PutMode, PutOptions, UpdateVersion};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::store::Root;
use crate::error::{Error, Result};

/// How long the lease holds without being renewed; shorter than writers wait by default.
pub(super) const LEASE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 20 });
/// How long giving it back may take; after that it runs out by itself.
const RETURN: Duration = Duration::from_secs(5);

/// A lease that is held; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Lease {
    held: Arc<Held>,
    renewal: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Held {
    root: Root,
    path: Path,
    /// First line of the object.
    me: String,
    /// What the object is since the last renewal.
    version: Mutex<UpdateVersion>,
    renewed: Mutex<Instant>,
    is_lost: AtomicBool,
}

/// The holder whom a waiting writer watches.
#[derive(Debug, Default)]
pub(super) struct Watched {
    seen: Option<(Option<String>, Instant)>,
}

impl Watched {
    /// Whether the object has been `tag` for as long as a lease holds.
    fn is_silent(&mut self, tag: Option<&String>) -> bool {
        match &self.seen {
            Some((seen, since)) if seen.as_ref() == tag => since.elapsed() >= LEASE,
            _ => {
                self.seen = Some((tag.cloned(), Instant::now()));
                false
            }
        }
    }
}

/// One attempt at the lease for `me`: the lease, or who holds it.
pub(super) async fn attempt(
    root: &Root,
    me: &str,
    watched: &mut Watched,
) -> Result<std::result::Result<Lease, String>> {
    let path = root.path("_lock")?;
    let started = Instant::now();
    let Some((text, version)) = root.read_versioned(&path).await? else {
        let outcome = put(root, &path, me, 0, PutMode::Create).await;
        return settle(root, path, me, outcome, started).await;
    };
    let holder = text.lines().next().unwrap_or_default().to_owned();
    let is_free = holder.is_empty();
    if !is_free && !watched.is_silent(version.e_tag.as_ref()) {
        return Ok(Err(holder));
    }
    if !is_free {
        tracing::warn!(%holder, "its holder has been silent: the lease is taken over");
    }
    let outcome = put(root, &path, me, 0, PutMode::Update(version)).await;
    settle(root, path, me, outcome, started).await
}

async fn put(
    root: &Root,
    path: &Path,
    me: &str,
    beat: u64,
    mode: PutMode,
) -> object_store::Result<UpdateVersion> {
    let text = format!("{me}\n{beat}\n");
    let put = root.store.put_opts(path, text.into(), PutOptions::from(mode)).await;
    put.map(UpdateVersion::from)
}

/// What an attempt came to: the object itself says, where the answer does not.
async fn settle(
    root: &Root,
    path: Path,
    me: &str,
    outcome: object_store::Result<UpdateVersion>,
    started: Instant,
) -> Result<std::result::Result<Lease, String>> {
    let version = match outcome {
        Ok(version) => version,
        Err(error) => {
            let now = root.read_versioned(&path).await?;
            let holder = now.as_ref().and_then(|(text, _)| text.lines().next()).unwrap_or_default();
            match (&now, error) {
                (Some((_, version)), _) if holder == me => version.clone(),
                (_, StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
                    return Ok(Err(holder.to_owned()));
                }
                (_, source) => {
                    return Err(Error::Store { action: "lock", path: path.to_string(), source });
                }
            }
        }
    };
    let held = Arc::new(Held {
        root: root.clone(),
        path,
        me: me.to_owned(),
        version: Mutex::new(version),
        renewed: Mutex::new(started),
        is_lost: AtomicBool::new(false),
    });
    let renewal = tokio::spawn(renew(held.clone()));
    Ok(Ok(Lease { held, renewal }))
}

/// Renews the lease again and again, until it is lost.
async fn renew(held: Arc<Held>) {
    for beat in 1.. {
        tokio::time::sleep(LEASE / 5).await;
        let started = Instant::now();
        let mode = PutMode::Update(held.version.lock().clone());
        let error = match put(&held.root, &held.path, &held.me, beat, mode).await {
            Ok(version) => {
                *held.version.lock() = version;
                *held.renewed.lock() = started;
                continue;
            }
            Err(error) => error,
        };
        // It may have landed all the same, now or in an earlier turn.
        match held.root.read_versioned(&held.path).await {
            Ok(Some((text, version))) if text.lines().next() == Some(&held.me) => {
                *held.version.lock() = version;
                if text.lines().nth(1) == Some(&beat.to_string()) {
                    *held.renewed.lock() = started;
                }
            }
            Ok(_) => {
                held.is_lost.store(true, Ordering::SeqCst);
                tracing::error!(%error, "the lease was lost to another writer");
                return;
            }
            Err(_) => tracing::warn!(%error, "lease not renewed"),
        }
    }
}

impl Lease {
    /// Whether nobody else can have it yet.
    pub(super) fn is_held(&self) -> bool {
        let is_fresh = self.held.renewed.lock().elapsed() < LEASE;
        is_fresh && !self.held.is_lost.load(Ordering::SeqCst)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
        let held = self.held.clone();
        let give_back = async move {
            let free = PutOptions::from(PutMode::Update(held.version.lock().clone()));
            let put = held.root.store.put_opts(&held.path, String::new().into(), free);
            match tokio::time::timeout(RETURN, put).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::info!(%error, "the lease was not given back"),
                Err(_) => tracing::info!("the lease was not given back in time"),
            }
        };
        // Without a runtime the lease runs out by itself.
        let Ok(handle) = tokio::runtime::Handle::try_current() else { return };
        match handle.runtime_flavor() {
            // At once: a process that ends now would leave it behind.
            tokio::runtime::RuntimeFlavor::MultiThread => {
                tokio::task::block_in_place(|| handle.block_on(give_back));
            }
            _ => drop(handle.spawn(give_back)),
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::throttle::{ThrottleConfig, ThrottledStore};

    use super::*;

    /// A store that takes its time, so that writers come in between.
    fn root() -> Root {
        let slow = Duration::from_millis(3);
        let config = ThrottleConfig {
            wait_get_per_call: slow,
            wait_put_per_call: slow,
            ..ThrottleConfig::default()
        };
        let store = Arc::new(ThrottledStore::new(InMemory::new(), config));
        Root::of("memory:///lake/".parse().expect("a URL"), store, Duration::from_secs(60))
    }

    async fn take(root: &Root, me: &str, wait: Duration) -> std::result::Result<Lease, String> {
        let (started, mut watched) = (Instant::now(), Watched::default());
        loop {
            match attempt(root, me, &mut watched).await.expect("the store works") {
                Ok(lease) => return Ok(lease),
                Err(holder) if started.elapsed() >= wait => return Err(holder),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Eight writers at once; those that have the lease.
    async fn race(root: &Root, wait: Duration) -> Vec<Lease> {
        let writers = (0..8).map(|n| async move { take(root, &format!("writer {n}"), wait).await });
        futures::future::join_all(writers).await.into_iter().flatten().collect()
    }

    fn die(lease: Lease) {
        lease.renewal.abort();
        std::mem::forget(lease);
    }

    #[tokio::test]
    async fn of_many_writers_one_has_it() {
        let root = root();
        let first = race(&root, Duration::ZERO).await;
        assert_eq!(first.len(), 1, "where there is none");
        drop(first);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut second = race(&root, Duration::ZERO).await;
        assert_eq!(second.len(), 1, "where it is free");
        die(second.pop().expect("one"));
        let third = race(&root, LEASE + Duration::from_secs(2)).await;
        assert_eq!(third.len(), 1, "where its holder is dead");
    }

    #[tokio::test]
    async fn a_living_holder_keeps_it_and_a_dead_one_finds_out() {
        let root = root();
        let living = take(&root, "living", Duration::ZERO).await.expect("free");
        let waited = take(&root, "waiting", LEASE * 2).await.expect_err("held");
        assert_eq!(waited, "living");
        assert!(living.is_held());
        let held = living.held.clone();
        die(living);
        let started = Instant::now();
        let next = take(&root, "next", LEASE * 2).await.expect("taken over");
        assert!(started.elapsed() >= LEASE, "not before it has run out");
        assert!(next.is_held());
        let old = Lease { held: held.clone(), renewal: tokio::spawn(renew(held)) };
        assert!(!old.is_held(), "it has run out");
        tokio::time::sleep(LEASE).await;
        assert!(old.held.is_lost.load(Ordering::SeqCst), "and its renewal says so");
        drop(old);
        tokio::time::sleep(LEASE).await;
        assert!(next.is_held(), "which does no harm to the new one");
        let (text, _) = root.read_versioned(&next.held.path).await.expect("read").expect("there");
        assert!(text.starts_with("next\n"), "{text}");
    }
}
