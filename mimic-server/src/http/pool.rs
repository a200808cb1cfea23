//! The connections of one worker: how long each can take, and which of them close to make room for a new one.
//!
//! A task looks at all connections twice a second. So requests set no timers: a connection only notes what it waits for.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use crate::resources;

/// Time between two looks at the connections.
const TICK: Duration = Duration::from_millis(500);

/// With this many connections, those that close leave memory that is worth giving back: a few megabytes.
const MANY: usize = 200;

/// What a connection waits for. To make room, connections close in this order, and those that have waited longest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// The client's end of a connection that is being closed. It has its own time limit.
    Closing,
    /// The TLS handshake.
    Handshake,
    /// The first request.
    Silent,
    /// The next request.
    Idle,
    /// The rest of a request.
    Receiving,
    /// Room for the response in the socket.
    Sending,
}

/// How long a connection can be in each phase.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) handshake: Duration,
    pub(super) idle: Duration,
    pub(super) receiving: Duration,
    pub(super) sending: Duration,
}

impl Times {
    fn of(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Closing => Duration::MAX,
            Phase::Handshake => self.handshake,
            Phase::Silent | Phase::Idle => self.idle,
            Phase::Receiving => self.receiving,
            Phase::Sending => self.sending,
        }
    }
}

/// Why the pool ends a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It took too long.
    Late,
    /// The server stops.
    Stopped,
    /// It must close now, to make room.
    Evicted,
}

/// The connections of a worker.
pub(super) struct Pool {
    limit: usize,
    times: Times,
    /// Time since the start, as of the last look. A stall of the thread counts as one tick at most, because clients are not
    /// to blame for it.
    now: Cell<Duration>,
    /// How many phases began: orders those that began between two looks.
    began: Cell<u64>,
    members: RefCell<Vec<Rc<Member>>>,
    /// The highest number of connections, in looks since memory was last given back.
    peak: Cell<usize>,
    is_stopping: Cell<bool>,
}

struct Member {
    phase: Cell<Phase>,
    since: Cell<Duration>,
    order: Cell<u64>,
    /// Position among the members; `None` once removed.
    position: Cell<Option<usize>>,
    end: Cell<Option<End>>,
    waker: Cell<Option<Waker>>,
}

/// A connection's place in the pool.
pub(super) struct Place {
    pool: Rc<Pool>,
    member: Rc<Member>,
}

impl Pool {
    pub(super) fn new(limit: usize, times: Times) -> Rc<Self> {
        Rc::new(Self {
            limit,
            times,
            now: Cell::default(),
            began: Cell::default(),
            members: RefCell::default(),
            peak: Cell::default(),
            is_stopping: Cell::default(),
        })
    }

    /// Adds a connection, in the phase [`Phase::Handshake`]. At the limit it first closes another one. Returns whether it
    /// did.
    pub(super) fn join(self: &Rc<Self>) -> (Place, bool) {
        let mut members = self.members.borrow_mut();
        let is_full = members.len() >= self.limit;
        if is_full {
            let oldest = members.iter().min_by_key(|member| (member.phase.get(), member.order.get())).cloned();
            if let Some(oldest) = oldest {
                remove(&mut members, &oldest);
                oldest.end(End::Evicted);
            }
        }
        let member = Rc::new(Member {
            phase: Cell::new(Phase::Handshake),
            since: Cell::new(self.now.get()),
            order: Cell::new(self.next_order()),
            position: Cell::new(Some(members.len())),
            end: Cell::default(),
            waker: Cell::default(),
        });
        members.push(Rc::clone(&member));
        (Place { pool: Rc::clone(self), member }, is_full)
    }

    /// Ends what takes too long, for as long as the worker runs, and calls `beat` each time.
    pub(super) async fn watch(self: Rc<Self>, beat: impl Fn()) {
        let mut last = Instant::now();
        loop {
            tokio::time::sleep(TICK).await;
            self.look(last.elapsed());
            if self.has_shrunk() {
                // On another thread, because it takes some milliseconds.
                drop(tokio::task::spawn_blocking(resources::give_memory_back));
            }
            last = Instant::now();
            beat();
        }
    }

    fn look(&self, elapsed: Duration) {
        self.now.set(self.now.get() + elapsed.min(2 * TICK));
        for member in &*self.members.borrow() {
            if self.now.get().saturating_sub(member.since.get()) > self.times.of(member.phase.get()) {
                member.end(End::Late);
            }
        }
    }

    /// Whether half of many connections closed since this was last so.
    fn has_shrunk(&self) -> bool {
        let now = self.members.borrow().len();
        let peak = self.peak.get().max(now);
        let has_shrunk = peak >= MANY && now <= peak / 2;
        self.peak.set(if has_shrunk { now } else { peak });
        has_shrunk
    }

    /// Closes the connections that wait for a request, once `signal` resolves.
    pub(super) async fn stop_after(self: Rc<Self>, signal: impl Future<Output = ()>) {
        signal.await;
        self.stop();
    }

    fn stop(&self) {
        self.is_stopping.set(true);
        for member in &*self.members.borrow() {
            if matches!(member.phase.get(), Phase::Silent | Phase::Idle) {
                member.end(End::Stopped);
            }
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.get()
    }

    fn next_order(&self) -> u64 {
        self.began.set(self.began.get() + 1);
        self.began.get()
    }
}

fn remove(members: &mut Vec<Rc<Member>>, member: &Member) {
    let Some(position) = member.position.take() else { return };
    members.swap_remove(position);
    if let Some(moved) = members.get(position) {
        moved.position.set(Some(position));
    }
}

impl Member {
    fn end(&self, end: End) {
        if self.end.get() != Some(End::Evicted) {
            self.end.set(Some(end));
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }
}

impl Place {
    /// Begins a phase.
    pub(super) fn enter(&self, phase: Phase) {
        self.member.phase.set(phase);
        self.member.since.set(self.pool.now.get());
        self.member.order.set(self.pool.next_order());
        if self.member.end.get() != Some(End::Evicted) {
            self.member.end.set(None);
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.member.phase.get()
    }

    /// Resolves when the pool ends the phase.
    pub(super) fn poll_end(&self, context: &Context<'_>) -> Poll<End> {
        if let Some(end) = self.member.end.get() {
            return Poll::Ready(end);
        }
        let waker = self.member.waker.take().filter(|waker| waker.will_wake(context.waker()));
        self.member.waker.set(Some(waker.unwrap_or_else(|| context.waker().clone())));
        Poll::Pending
    }

    /// Waits for `future`, or for the end of the phase.
    pub(super) async fn until<F: Future>(&self, future: F) -> Result<F::Output, End> {
        let mut future = pin!(future);
        poll_fn(|context| match self.poll_end(context) {
            Poll::Ready(end) => Poll::Ready(Err(end)),
            Poll::Pending => future.as_mut().poll(context).map(Ok),
        })
        .await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        remove(&mut self.pool.members.borrow_mut(), &self.member);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times {
        handshake: Duration::from_secs(3),
        idle: Duration::from_mins(2),
        receiving: Duration::from_secs(10),
        sending: Duration::from_secs(10),
    };

    fn join(pool: &Rc<Pool>, phase: Phase) -> Place {
        let (place, _) = pool.join();
        place.enter(phase);
        place
    }

    fn end(place: &Place) -> Option<End> {
        place.member.end.get()
    }

    #[test]
    fn at_the_limit_silent_connections_close_first_and_then_the_ones_that_are_idle_longest() {
        let pool = Pool::new(6, TIMES);
        let receiving = join(&pool, Phase::Receiving);
        let [older, newer] = [(); 2].map(|()| join(&pool, Phase::Idle));
        let silent = join(&pool, Phase::Silent);
        let handshake = join(&pool, Phase::Handshake);
        let closing = join(&pool, Phase::Closing);
        // A request makes it the most recent one.
        older.enter(Phase::Receiving);
        older.enter(Phase::Idle);
        for next in [&closing, &handshake, &silent, &newer, &older, &receiving] {
            assert_eq!(end(next), None);
            let (new, made_room) = pool.join();
            new.enter(Phase::Sending);
            // Its place is used by the next one.
            std::mem::forget(new);
            assert!(made_room);
            assert_eq!(end(next), Some(End::Evicted));
        }
        drop((receiving, older, newer, silent, handshake, closing));
        assert_eq!(pool.members.borrow().len(), 6);
    }

    #[test]
    fn a_flood_of_silent_connections_closes_only_its_own() {
        let pool = Pool::new(100, TIMES);
        let idle: Vec<Place> = (0..50).map(|_| join(&pool, Phase::Idle)).collect();
        let mut flood = std::collections::VecDeque::new();
        for _ in 0..10_000 {
            flood.push_back(pool.join().0);
            flood.retain(|place| end(place).is_none());
            // Those that just came have time for their handshake.
            assert!(flood.len() <= 50 && flood.iter().rev().take(49).all(|place| end(place).is_none()));
        }
        assert!(idle.iter().all(|place| end(place).is_none()));
    }

    #[test]
    fn memory_is_given_back_each_time_that_half_of_many_connections_closed() {
        let pool = Pool::new(10_000, TIMES);
        let mut places = Vec::new();
        let mut has_shrunk_at = |count: usize| {
            places.resize_with(count, || pool.join().0);
            pool.has_shrunk()
        };
        for (count, expected) in [
            (199, false),
            (0, false),
            (1000, false),
            (501, false),
            (500, true),
            (500, false),
            (251, false),
            (250, true),
        ] {
            assert_eq!(has_shrunk_at(count), expected, "{count}");
        }
    }

    #[test]
    fn places_are_freed_in_any_order() {
        let pool = Pool::new(10, TIMES);
        let mut places: Vec<Place> = (0..5).map(|_| pool.join().0).collect();
        for index in [2, 0, 2, 1, 0] {
            drop(places.remove(index));
            let positions: Vec<_> = pool.members.borrow().iter().map(|member| member.position.get()).collect();
            assert_eq!(positions, (0..places.len()).map(Some).collect::<Vec<_>>());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_own_time() {
        let pool = Pool::new(10, TIMES);
        let local = tokio::task::LocalSet::new();
        local.spawn_local(Rc::clone(&pool).watch(|| {}));
        let measure = async {
            for (phase, time) in [
                (Phase::Handshake, TIMES.handshake),
                (Phase::Silent, TIMES.idle),
                (Phase::Idle, TIMES.idle),
                (Phase::Receiving, TIMES.receiving),
                (Phase::Sending, TIMES.sending),
            ] {
                let place = join(&pool, phase);
                let start = Instant::now();
                assert_eq!(place.until(std::future::pending::<()>()).await, Err(End::Late));
                assert!((time..=time + 2 * TICK).contains(&start.elapsed()), "{phase:?}: {:?}", start.elapsed());
                // The next phase has its whole time again.
                place.enter(Phase::Closing);
                let hour = Duration::from_hours(1);
                assert!(tokio::time::timeout(hour, place.until(std::future::pending::<()>())).await.is_err());
            }
        };
        local.run_until(measure).await;
    }

    #[test]
    fn a_stall_of_the_thread_is_not_counted_against_clients() {
        let pool = Pool::new(10, TIMES);
        let place = join(&pool, Phase::Handshake);
        pool.look(Duration::from_mins(5));
        assert_eq!(end(&place), None);
    }

    #[test]
    fn a_stop_closes_connections_that_wait_for_a_request_and_no_others() {
        let pool = Pool::new(10, TIMES);
        let phases = [Phase::Closing, Phase::Handshake, Phase::Silent, Phase::Idle, Phase::Receiving, Phase::Sending];
        let places = phases.map(|phase| join(&pool, phase));
        pool.stop();
        let closed: Vec<Phase> =
            places.iter().filter(|place| end(place).is_some()).map(|place| place.member.phase.get()).collect();
        assert_eq!(closed, [Phase::Silent, Phase::Idle]);
    }
}
