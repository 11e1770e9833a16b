//! The memory of one query: a fair share among its operators, drawn from the pool of the process.
//!
//! No query may fill that pool, nor may several: each may hold so many times what is still free
//! ([`TIMES_FREE`]), so that whoever asks next finds room, and it is the large query that spills or
//! ends and not the small one that came last. (Buffers of switches are shared by the same rule.)

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::resources_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// How many times what nobody holds a query may hold: one alone gets two thirds of the pool, two get
/// two fifths each and leave a fifth, and so on.
const TIMES_FREE: usize = 2;

/// A pool with a limit of its own that also counts against a shared one.
///
/// Operators that can spill share the limit fairly, so one sort cannot starve another.
#[derive(Debug)]
pub(super) struct QueryPool {
    own: FairSpillPool,
    shared: Arc<dyn MemoryPool>,
    bytes_max: usize,
    peak: AtomicUsize,
}

impl QueryPool {
    pub(super) fn new(bytes_max: usize, shared: Arc<dyn MemoryPool>) -> Self {
        let own = FairSpillPool::new(bytes_max);
        Self { own, shared, bytes_max, peak: AtomicUsize::new(0) }
    }

    /// The most that was reserved at once (bytes).
    pub(super) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// Fails if the query would hold too much of what the process has.
    fn leave_some(&self, additional: usize) -> Result<()> {
        let MemoryLimit::Finite(all) = self.shared.memory_limit() else { return Ok(()) };
        let free = all.saturating_sub(self.shared.reserved());
        let asked = self.own.reserved().saturating_add(additional);
        if asked <= free.saturating_sub(additional).saturating_mul(TIMES_FREE) {
            return Ok(());
        }
        Err(resources_datafusion_err!(
            "the query would hold {asked} bytes of memory, and all queries share {all}, of which \
             {free} are free"
        ))
    }

    fn note_peak(&self) {
        self.peak.fetch_max(self.own.reserved(), Ordering::Relaxed);
    }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query pool of {} bytes", self.bytes_max)
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.own.register(consumer);
        self.shared.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.own.unregister(consumer);
        self.shared.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.own.grow(reservation, additional);
        self.shared.grow(reservation, additional);
        self.note_peak();
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.shrink(reservation, shrink);
        self.shared.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.leave_some(additional)?;
        self.own.try_grow(reservation, additional)?;
        self.shared
            .try_grow(reservation, additional)
            .inspect_err(|_| self.own.shrink(reservation, additional))?;
        self.note_peak();
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.own.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes_max)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    fn asked(pool: &Arc<QueryPool>) -> MemoryReservation {
        let pool: Arc<dyn MemoryPool> = pool.clone();
        MemoryConsumer::new("operator").register(&pool)
    }

    #[test]
    fn counts_against_both_limits_and_gives_back_on_refusal() {
        let shared: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(900));
        let pool = Arc::new(QueryPool::new(100, shared.clone()));
        let operator = asked(&pool);
        assert!(operator.try_grow(101).is_err(), "its own limit");
        operator.try_grow(90).expect("within both");
        let others = MemoryConsumer::new("others").register(&shared);
        others.try_grow(805).expect("room");
        assert!(operator.try_grow(10).is_err(), "the shared limit");
        assert_eq!((pool.reserved(), shared.reserved()), (90, 895));
        drop(operator);
        assert_eq!((pool.reserved(), pool.peak(), shared.reserved()), (0, 90, 805));
    }

    #[test]
    fn large_queries_leave_room_for_the_next() {
        let shared: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(900));
        let pools = [(); 3].map(|()| Arc::new(QueryPool::new(900, shared.clone())));
        let [first, second, third] = pools.each_ref().map(asked);
        first.try_grow(600).expect("two thirds");
        let refused = first.try_grow(1).expect_err("not more, though 300 are free");
        assert!(refused.to_string().contains("hold 601 bytes of memory"), "{refused}");
        second.try_grow(200).expect("twice the 100 that are left");
        third.try_grow(60).expect("twice the 40 that are left");
        first.shrink(600);
        third.try_grow(300).expect("what was given back is there for all");
    }
}
