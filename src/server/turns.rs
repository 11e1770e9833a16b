//! Whose turn it is: few queries run at once, some wait, the rest are told to come back.
//!
//! Roles take turns, and within a role the query that waits longest goes first.
//! A result that takes long to send is no reason for others to wait: after [`SLICE`] its query lets
//! those go first that wait, and goes on when its turn comes again.
//! Nor is a result that takes long to make: of those that last, half as many as may run do not
//! count, so that reports never hold every turn that a dashboard waits for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::activity::Phase;
use super::cancel::Stops;
use super::fault::Fault;
use super::framing::Frames;
use crate::config::Config;
use crate::session::LASTING;

/// Time after which a query that sends rows lets others go first.
const SLICE: Duration = Duration::from_millis(100);
/// Queries of the catalog, and of constants, that run at once.
const LIGHT_RUNNING_MAX: usize = 4;
/// And that wait.
const LIGHT_QUEUED_MAX: usize = 1_000;

/// The queries that run, and those that wait.
#[derive(Debug)]
pub(super) struct Turns {
    state: Mutex<State>,
    running_max: usize,
    role_max: usize,
    waiting_max: usize,
    wait_limit: Duration,
}

#[derive(Debug, Default)]
struct State {
    running: Vec<Running>,
    /// Permits given so far (count).
    given: u64,
    /// Roles with queries that wait; the first is served next.
    queues: VecDeque<Queue>,
}

#[derive(Debug)]
struct Running {
    number: u64,
    role: String,
    since: Instant,
}

#[derive(Debug)]
struct Queue {
    role: String,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    role_max: usize,
    /// Whether it ran before: it is not sent away any more.
    has_begun: bool,
    permit: oneshot::Sender<Permit>,
}

/// Leave to run; given back when dropped.
#[derive(Debug)]
struct Permit {
    turns: Arc<Turns>,
    /// 0 once it was given back.
    number: u64,
}

/// One query's turn; given back when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    role: String,
    role_max: usize,
    permit: Option<Permit>,
    since: Instant,
}

impl Turns {
    pub(super) fn new(config: &Config) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            running_max: config.queries_running_max,
            role_max: config.queries_running_role_max_resolved(),
            waiting_max: config.queries_queued_max,
            wait_limit: Duration::from_millis(config.queue_timeout_ms),
        })
    }

    /// Turns for what is over at once, so that it does not wait behind what is not.
    pub(super) fn light(config: &Config) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            running_max: LIGHT_RUNNING_MAX,
            role_max: LIGHT_RUNNING_MAX - 1,
            waiting_max: LIGHT_QUEUED_MAX,
            wait_limit: Duration::from_millis(config.queue_timeout_ms),
        })
    }

    /// Queries that wait (count).
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().waiting().count()
    }

    /// Queries that run (count).
    pub(super) fn running(&self) -> usize {
        self.state.lock().running.len()
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// 53400 if too many wait already or the wait is too long; why the statement was stopped.
    pub(super) async fn take(
        self: &Arc<Self>,
        stops: &Stops,
        frames: &mut Frames,
    ) -> Result<Turn, Fault> {
        let (role, own_max) = stops.role();
        let role_max = own_max.map_or(self.role_max, |most| most.clamp(1, self.running_max));
        let mut turn = Turn {
            turns: self.clone(),
            role: role.to_owned(),
            role_max,
            permit: None,
            since: Instant::now(),
        };
        stops.record.enter(Phase::Queued);
        let permit = self.ask(role, role_max, false)?;
        turn.permit = Some(tokio::select! {
            biased;
            fault = stops.stopped(frames) => return Err(fault),
            permit = tokio::time::timeout(self.wait_limit, self.granted(permit)) => match permit {
                Ok(Some(permit)) => permit,
                Ok(None) => return Err(busy("too many queries are waiting")),
                Err(_) => return Err(busy("the query waited too long for its turn")),
            },
        });
        stops.record.waited(turn.since.elapsed());
        stops.record.enter(Phase::Running);
        turn.since = Instant::now();
        Ok(turn)
    }

    /// A place in the queue, or a turn at once.
    fn ask(
        self: &Arc<Self>,
        role: &str,
        role_max: usize,
        has_begun: bool,
    ) -> Result<oneshot::Receiver<Permit>, Fault> {
        let (permit, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        let at = match state.queues.iter().position(|queue| queue.role == role) {
            Some(at) => at,
            None => {
                let queue = Queue { role: role.to_owned(), waiting: VecDeque::new() };
                state.queues.push_back(queue);
                state.queues.len() - 1
            }
        };
        state.queues[at].waiting.push_back(Waiting { role_max, has_begun, permit });
        self.grant(&mut state);
        if state.waiting().filter(|waiting| !waiting.has_begun).count() > self.waiting_max
            && !state.send_away(role)
        {
            return Err(busy("too many queries are waiting"));
        }
        Ok(receiver)
    }

    /// The permit when it comes; `None` if the query is sent away. Nobody says when a query that
    /// runs begins to last: who waits looks.
    async fn granted(self: &Arc<Self>, mut permit: oneshot::Receiver<Permit>) -> Option<Permit> {
        loop {
            match tokio::time::timeout(SLICE, &mut permit).await {
                Ok(permit) => return permit.ok(),
                Err(_) => self.grant(&mut self.state.lock()),
            }
        }
    }

    /// Lets run who may.
    fn grant(self: &Arc<Self>, state: &mut State) {
        while state.counted(self.running_max / 2) < self.running_max {
            let Some((role, waiting)) = state.next() else { return };
            state.given += 1;
            let number = state.given;
            let permit = Permit { turns: self.clone(), number };
            state.running.push(Running { number, role, since: Instant::now() });
            if let Err(permit) = waiting.permit.send(permit) {
                // Its client went away meanwhile. What it gives back is taken here and not when it
                // is dropped, which would wait for the lock that is held.
                state.give_back(permit.into_number());
            }
        }
    }
}

impl State {
    fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        let all = self.queues.iter().flat_map(|queue| &queue.waiting);
        all.filter(|waiting| !waiting.permit.is_closed())
    }

    /// Takes the query that is next: of the first role that may run one more, which then is last.
    fn next(&mut self) -> Option<(String, Waiting)> {
        self.queues.retain_mut(|queue| {
            queue.waiting.retain(|waiting| !waiting.permit.is_closed());
            !queue.waiting.is_empty()
        });
        let all = &self.running;
        let at = self.queues.iter().position(|queue| {
            let running = all.iter().filter(|running| running.role == queue.role).count();
            queue.waiting.front().is_some_and(|waiting| running < waiting.role_max)
        })?;
        let mut queue = self.queues.remove(at)?;
        let next = queue.waiting.pop_front().map(|waiting| (queue.role.clone(), waiting));
        if !queue.waiting.is_empty() {
            self.queues.push_back(queue);
        }
        next
    }

    /// Makes room for a query of `role` that just came: the youngest of the role that has most
    /// waiting goes. False if that would be the one that came.
    fn send_away(&mut self, role: &str) -> bool {
        let new = |queue: &Queue| queue.waiting.iter().filter(|w| !w.has_begun).count();
        let own = self.queues.iter().find(|queue| queue.role == role).map_or(0, new);
        let longest = self.queues.iter_mut().max_by_key(|queue| new(queue));
        let longest = longest.filter(|queue| new(queue) > own);
        if let Some(queue) = longest
            && let Some(at) = queue.waiting.iter().rposition(|waiting| !waiting.has_begun)
        {
            queue.waiting.remove(at);
            return true;
        }
        if let Some(queue) = self.queues.iter_mut().find(|queue| queue.role == role) {
            queue.waiting.pop_back();
        }
        false
    }

    /// Queries that run, without up to `lasting_max` of those that last (count).
    fn counted(&self, lasting_max: usize) -> usize {
        let lasting = self.running.iter().filter(|running| running.since.elapsed() > LASTING);
        self.running.len() - lasting.count().min(lasting_max)
    }

    fn give_back(&mut self, number: u64) {
        self.running.retain(|running| running.number != number);
    }
}

impl Permit {
    /// Its number; it is not given back.
    fn into_number(mut self) -> u64 {
        std::mem::take(&mut self.number)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.number > 0 {
            let turns = self.turns.clone();
            let mut state = turns.state.lock();
            state.give_back(self.number);
            turns.grant(&mut state);
        }
    }
}

impl Turn {
    /// Lets another query run until [`Turn::take_again`].
    pub(super) fn give_up(&mut self) {
        self.permit = None;
    }

    /// Lets those go first that wait, if it has lasted long.
    pub(super) async fn share(&mut self, stops: &Stops, frames: &mut Frames) -> Result<(), Fault> {
        if self.permit.is_some() && self.since.elapsed() > SLICE {
            if self.turns.waiting() > 0 {
                self.give_up();
            } else {
                self.since = Instant::now();
            }
        }
        self.take_again(stops, frames).await
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
        let begun = Instant::now();
        stops.record.enter(Phase::Queued);
        let permit = self.turns.ask(&self.role, self.role_max, true)?;
        let outcome = tokio::select! {
            biased;
            fault = stops.stopped(frames) => Err(fault),
            permit = self.turns.granted(permit) => {
                self.permit = permit;
                Ok(())
            }
        };
        stops.record.waited(begun.elapsed());
        stops.record.enter(Phase::Running);
        self.since = Instant::now();
        outcome
    }
}

fn busy(message: &str) -> Fault {
    Fault::error("53400", message).with_hint("Try again later, or raise queries_running_max.")
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::server::cancel::{Sessions, Visitor};
    use crate::server::framing::Stream;

    /// A client of `role`: its statement, and the wire that stands for it.
    struct Client {
        stops: Stops,
        frames: Frames,
        _wire: tokio::io::DuplexStream,
    }

    fn client(sessions: &Arc<Sessions>, role: &str) -> Client {
        let (ours, wire) = tokio::io::duplex(64);
        let stream: Stream = Box::new(ours);
        let frames = Frames::new(tokio::io::split(stream).0);
        let visitor = Visitor { role: role.into(), ..Visitor::default() };
        let registration = sessions.register(visitor, b"x").expect("room");
        let stops = registration.begin(Arc::default(), None, CancellationToken::new());
        Client { stops, frames, _wire: wire }
    }

    fn turns(running: usize, queued: usize) -> Arc<Turns> {
        Turns::new(&Config {
            queries_running_max: running,
            queries_queued_max: queued,
            ..Config::default()
        })
    }

    async fn order(roles: &[&str]) -> Vec<String> {
        let (turns, sessions) = (turns(1, 32), Arc::new(Sessions::default()));
        let mut first = client(&sessions, "first");
        let held = turns.take(&first.stops, &mut first.frames).await.expect("free");
        let done = Arc::new(Mutex::new(vec![]));
        let mut tasks = vec![];
        for (at, role) in roles.iter().enumerate() {
            let (turns, done) = (turns.clone(), done.clone());
            let mut client = client(&sessions, role);
            let name = format!("{role}{at}");
            tasks.push(tokio::spawn(async move {
                // As a whole, or its wire would be closed before it has its turn.
                let client = &mut client;
                let turn = turns.take(&client.stops, &mut client.frames).await.expect("its turn");
                done.lock().push(name);
                drop(turn);
            }));
            tokio::task::yield_now().await;
        }
        drop(held);
        for task in tasks {
            task.await.expect("no panic");
        }
        let done = done.lock();
        done.clone()
    }

    #[tokio::test]
    async fn one_runs_one_waits_and_the_third_is_sent_away() {
        let (turns, sessions) = (turns(1, 1), Arc::new(Sessions::default()));
        let [mut first, mut second, mut third] =
            ["a", "a", "a"].map(|role| client(&sessions, role));
        let turn = turns.take(&first.stops, &mut first.frames).await.expect("free");
        let mut waiting = std::pin::pin!(turns.take(&second.stops, &mut second.frames));
        assert!(futures::poll!(&mut waiting).is_pending());
        assert_eq!(turns.waiting(), 1);
        let refused = turns.take(&third.stops, &mut third.frames).await.expect_err("full");
        assert_eq!(refused.sqlstate, "53400");
        drop(turn);
        let turn = waiting.await.expect("its turn");
        assert_eq!((turns.waiting(), turns.running()), (0, 1));
        drop(turn);
        assert_eq!(turns.running(), 0);
    }

    #[tokio::test]
    async fn roles_take_turns_and_within_a_role_age_counts() {
        let order = order(&["a", "a", "a", "b", "b", "c"]).await;
        assert_eq!(order, ["a0", "b3", "c5", "a1", "b4", "a2"]);
    }

    #[tokio::test]
    async fn one_role_never_takes_all_turns_nor_the_whole_queue() {
        let (turns, sessions) = (turns(2, 2), Arc::new(Sessions::default()));
        let mut clients: Vec<Client> =
            ["a", "a", "a", "b", "b"].iter().map(|role| client(&sessions, role)).collect();
        let mut takes: Vec<_> = clients
            .iter_mut()
            .map(|client| Box::pin(turns.take(&client.stops, &mut client.frames)))
            .collect();
        let first = futures::poll!(&mut takes[0]);
        assert!(first.is_ready(), "a runs one");
        assert!(futures::poll!(&mut takes[1]).is_pending(), "and no second");
        assert!(futures::poll!(&mut takes[2]).is_pending());
        let other = futures::poll!(&mut takes[3]);
        assert!(other.is_ready(), "b runs one");
        // The queue is full of a: its youngest makes room for b.
        assert!(futures::poll!(&mut takes[4]).is_pending());
        let std::task::Poll::Ready(Err(fault)) = futures::poll!(&mut takes[2]) else {
            panic!("the youngest of a is sent away");
        };
        assert_eq!(fault.sqlstate, "53400");
        drop((first, other));
        assert!(
            futures::poll!(&mut takes[1]).is_ready() && futures::poll!(&mut takes[4]).is_ready()
        );
    }

    #[tokio::test]
    async fn half_of_those_that_last_do_not_count() {
        let (turns, sessions) = (turns(2, 8), Arc::new(Sessions::default()));
        let mut clients: Vec<Client> =
            ["a", "b", "c", "d"].iter().map(|role| client(&sessions, role)).collect();
        let mut takes: Vec<_> = clients
            .iter_mut()
            .map(|client| Box::pin(turns.take(&client.stops, &mut client.frames)))
            .collect();
        let mut last = takes.pop().expect("four");
        let mut third = takes.pop().expect("three");
        let running = futures::future::join_all(takes).await;
        assert!(futures::poll!(&mut third).is_pending(), "two run");
        let third =
            tokio::time::timeout(LASTING * 4, third).await.expect("they last").expect("runs");
        let waits = tokio::time::timeout(LASTING * 2, &mut last).await;
        assert!(waits.is_err(), "one of two does not count, however many last");
        drop((running, third));
        last.await.expect("its turn");
    }

    #[tokio::test]
    async fn who_lasts_long_lets_others_go_first() {
        let (turns, sessions) = (turns(1, 8), Arc::new(Sessions::default()));
        let (mut long, mut short) = (client(&sessions, "a"), client(&sessions, "a"));
        let mut turn = turns.take(&long.stops, &mut long.frames).await.expect("free");
        turn.share(&long.stops, &mut long.frames).await.expect("goes on");
        let mut waiting = std::pin::pin!(turns.take(&short.stops, &mut short.frames));
        assert!(futures::poll!(&mut waiting).is_pending());
        tokio::time::sleep(SLICE + Duration::from_millis(20)).await;
        let mut sharing = Box::pin(turn.share(&long.stops, &mut long.frames));
        assert!(futures::poll!(&mut sharing).is_pending());
        drop(waiting.await.expect("its turn"));
        sharing.await.expect("its turn again");
    }
}
