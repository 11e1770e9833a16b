//! Whose turn it is: few queries run at once, some wait, the rest are told to come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::cancel::Stops;
use super::fault::Fault;
use super::framing::Frames;
use crate::config::Config;

/// The queries that run, and those that wait.
#[derive(Debug)]
pub(super) struct Turns {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
    wait_limit: Duration,
}

/// One query's turn; given back when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    permit: Option<OwnedSemaphorePermit>,
}

/// A place in the queue, left when dropped.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turns {
    pub(super) fn new(config: &Config) -> Arc<Self> {
        Arc::new(Self {
            running: Arc::new(Semaphore::new(config.queries_running_max)),
            waiting: AtomicUsize::new(0),
            waiting_max: config.queries_queued_max,
            wait_limit: Duration::from_millis(config.queue_timeout_ms),
        })
    }

    /// Queries that wait (count).
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits for a turn, in the order of asking.
    ///
    /// # Errors
    /// 53400 if too many wait already or the wait is too long; why the statement was stopped.
    pub(super) async fn take(
        self: &Arc<Self>,
        stops: &Stops,
        frames: &mut Frames,
    ) -> Result<Turn, Fault> {
        if let Ok(permit) = self.running.clone().try_acquire_owned() {
            return Ok(Turn { turns: self.clone(), permit: Some(permit) });
        }
        let place = Place(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.waiting_max {
            return Err(busy("too many queries are waiting"));
        }
        let permit = tokio::select! {
            biased;
            fault = stops.stopped(frames) => return Err(fault),
            permit = tokio::time::timeout(
                self.wait_limit,
                self.running.clone().acquire_owned(),
            ) => permit,
        };
        drop(place);
        match permit {
            Ok(Ok(permit)) => Ok(Turn { turns: self.clone(), permit: Some(permit) }),
            _ => Err(busy("the query waited too long for its turn")),
        }
    }
}

impl Turn {
    /// Lets another query run until [`Turn::take_again`].
    pub(super) fn give_up(&mut self) {
        self.permit = None;
    }

    /// Waits for the turn if it was given up; who has begun is not sent away.
    pub(super) async fn take_again(
        &mut self,
        stops: &Stops,
        frames: &mut Frames,
    ) -> Result<(), Fault> {
        if self.permit.is_some() {
            return Ok(());
        }
        tokio::select! {
            biased;
            fault = stops.stopped(frames) => Err(fault),
            permit = self.turns.running.clone().acquire_owned() => {
                self.permit = permit.ok();
                Ok(())
            }
        }
    }
}

fn busy(message: &str) -> Fault {
    Fault::error("53400", message).with_hint("Try again later, or raise queries_running_max.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::cancel::Sessions;
    use crate::server::framing::Stream;

    fn frames() -> (Frames, tokio::io::DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(64);
        let stream: Stream = Box::new(ours);
        (Frames::new(tokio::io::split(stream).0), theirs)
    }

    #[tokio::test]
    async fn one_runs_one_waits_and_the_third_is_sent_away() {
        let config = Config { queries_running_max: 1, queries_queued_max: 1, ..Config::default() };
        let turns = Turns::new(&config);
        let sessions = Arc::new(Sessions::default());
        let registration = sessions.register(b"x");
        let stops = registration.begin(None, Default::default());
        let (mut first, _a) = frames();
        let (mut second, _b) = frames();
        let (mut third, _c) = frames();
        let turn = turns.take(&stops, &mut first).await.expect("free");
        let waiting = turns.take(&stops, &mut second);
        let mut waiting = std::pin::pin!(waiting);
        assert!(futures::poll!(&mut waiting).is_pending());
        assert_eq!(turns.waiting(), 1);
        let refused = turns.take(&stops, &mut third).await.expect_err("full");
        assert_eq!(refused.sqlstate, "53400");
        drop(turn);
        waiting.await.expect("its turn");
        assert_eq!(turns.waiting(), 0);
    }
}
