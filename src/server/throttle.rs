//! Failed logins: each answers later than the one before, and an address that goes on is not heard.
//!
//! What is kept is bounded: whoever tries from many addresses, or as many users, makes the oldest
//! entries be forgotten and not the memory grow.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::config::Config;

/// Failures are counted, and an address is refused, for so long.
const WINDOW: Duration = Duration::from_secs(60);
/// A delay doubles up to this many times itself.
const DELAYS_MAX: u32 = 16;
/// Entries kept of each kind (count).
const KEPT_MAX: usize = 10_000;
/// Answers that wait at once (count); beyond that they are given at once.
const WAITING_MAX: usize = 256;

/// Counts failed logins by address, and by user and address.
#[derive(Debug)]
pub(super) struct Throttle {
    delay: Duration,
    failures_max: u32,
    counts: Mutex<Counts>,
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct Counts {
    addresses: HashMap<IpAddr, Failures>,
    /// Names are kept as hashes: a client chooses how long they are.
    users: HashMap<(u64, IpAddr), Failures>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    /// When the first of them was; of a user, the last.
    at: Instant,
    refused_until: Option<Instant>,
}

impl Failures {
    fn is_over(&self, now: Instant) -> bool {
        self.refused_until.is_none_or(|until| until <= now) && now.duration_since(self.at) > WINDOW
    }
}

impl Throttle {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            delay: Duration::from_millis(config.login_failure_delay_ms),
            failures_max: config.login_failures_max,
            counts: Mutex::default(),
            waiting: AtomicUsize::new(0),
        }
    }

    /// How long `address` is refused for, if it is.
    pub(super) fn refused(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let counts = self.counts.lock();
        let until = counts.addresses.get(&network(address))?.refused_until?;
        until.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// Counts a failure; how long its answer waits.
    pub(super) fn failed(&self, user: &str, address: IpAddr, now: Instant) -> Duration {
        let mut counts = self.counts.lock();
        let network = network(address);
        let of_address = entry(&mut counts.addresses, network, now);
        of_address.count += 1;
        if of_address.count >= self.failures_max {
            of_address.refused_until = Some(now + WINDOW);
            of_address.count = 0;
            tracing::warn!(%address, "too many failed logins: the address is refused for a minute");
        }
        let of_user = entry(&mut counts.users, (hashed(user), network), now);
        of_user.at = now;
        of_user.count += 1;
        self.delay * 2_u32.saturating_pow(of_user.count - 1).min(DELAYS_MAX)
    }

    /// Forgets the failures of `user` from `address`.
    pub(super) fn succeeded(&self, user: &str, address: IpAddr) {
        let mut counts = self.counts.lock();
        counts.users.remove(&(hashed(user), network(address)));
    }

    /// Waits for `delay`, unless too many wait already.
    pub(super) async fn wait(&self, delay: Duration) {
        if self.waiting.fetch_add(1, Ordering::AcqRel) < WAITING_MAX {
            tokio::time::sleep(delay).await;
        }
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The entry of `key`, a new one if there is none that still counts.
fn entry<K: Hash + Eq + Clone>(
    entries: &mut HashMap<K, Failures>,
    key: K,
    now: Instant,
) -> &mut Failures {
    if entries.len() >= KEPT_MAX && !entries.contains_key(&key) {
        entries.retain(|_, failures| !failures.is_over(now));
        let oldest = entries.iter().min_by_key(|(_, failures)| failures.at);
        if let Some(oldest) = oldest.map(|(key, _)| key.clone())
            && entries.len() >= KEPT_MAX
        {
            entries.remove(&oldest);
        }
    }
    let fresh = Failures { count: 0, at: now, refused_until: None };
    let failures = entries.entry(key).or_insert(fresh);
    if failures.is_over(now) {
        *failures = fresh;
    }
    failures
}

/// One customer's network has one count: an address of version 6 is counted by its first half.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from(u128::from(six) >> 64 << 64)),
        four => four,
    }
}

fn hashed(user: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    user.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle() -> Throttle {
        Throttle::new(&Config::default())
    }

    #[test]
    fn delays_double_and_end_with_a_success() {
        let (throttle, now) = (throttle(), Instant::now());
        let address = IpAddr::from([192, 0, 2, 1]);
        let fail = |user: &str, at| throttle.failed(user, address, at).as_millis();
        let delays: Vec<u128> = (0..6).map(|n| fail("ana", now + WINDOW / 2 * n)).collect();
        assert_eq!(delays, [500, 1_000, 2_000, 4_000, 8_000, 8_000]);
        let later = now + WINDOW * 4;
        assert_eq!(fail("bob", later), 500);
        throttle.succeeded("ana", address);
        assert_eq!(fail("ana", later), 500);
    }

    #[test]
    fn an_address_that_goes_on_is_refused_for_a_minute() {
        let (throttle, now) = (throttle(), Instant::now());
        let address = IpAddr::from([192, 0, 2, 1]);
        for n in 0..10 {
            assert_eq!(throttle.refused(address, now), None, "{n}");
            throttle.failed(&format!("user{n}"), address, now);
        }
        assert_eq!(throttle.refused(address, now), Some(WINDOW));
        assert_eq!(throttle.refused(IpAddr::from([192, 0, 2, 2]), now), None);
        assert_eq!(throttle.refused(address, now + WINDOW), None);
        let six = |n: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n]);
        for n in 0..10 {
            throttle.failed("ana", six(n), now);
        }
        assert!(throttle.refused(six(99), now).is_some());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (throttle, now) = (throttle(), Instant::now());
        for n in 0..(KEPT_MAX as u32 + 500) {
            throttle.failed(
                "ana",
                IpAddr::from(n.to_be_bytes()),
                now + Duration::from_micros(n.into()),
            );
        }
        let counts = throttle.counts.lock();
        assert_eq!((counts.addresses.len(), counts.users.len()), (KEPT_MAX, KEPT_MAX));
    }
}
