//! The memory of one query: a fair share among its operators, drawn from the pool of the process.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

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

    #[test]
    fn counts_against_both_limits_and_gives_back_on_refusal() {
        let shared: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(150));
        let peak = Arc::new(QueryPool::new(100, shared.clone()));
        let first: Arc<dyn MemoryPool> = peak.clone();
        let second: Arc<dyn MemoryPool> = Arc::new(QueryPool::new(100, shared.clone()));
        let a = MemoryConsumer::new("a").register(&first);
        let b = MemoryConsumer::new("b").register(&second);
        assert!(a.try_grow(101).is_err(), "its own limit");
        a.try_grow(90).expect("within both");
        assert!(b.try_grow(90).is_err(), "the shared limit");
        assert_eq!((second.reserved(), shared.reserved()), (0, 90));
        drop(a);
        assert_eq!((first.reserved(), peak.peak()), (0, 90), "remembered");
        b.try_grow(90).expect("given back");
    }
}
