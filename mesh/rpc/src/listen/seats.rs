//! Who is connected, and who has to go: each connection has a seat, which knows what it waits for.

use super::{
    Limits,
    tally::{Reason, Tally},
};
use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

pub(super) struct Seats {
    limits: Limits,
    tally: Tally,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    open: usize,
    by_address: HashMap<IpAddr, usize>,
    /// Those without a request under way, in the order in which they have to go.
    waiting: BTreeMap<Turn, (IpAddr, CancellationToken)>,
    next_turn: u64,
}

/// False, for a connection that never sent a request, comes first; then whoever has waited longest.
type Turn = (bool, u64);

impl Seats {
    pub(super) fn new(name: String, limits: Limits) -> Self {
        Self { limits, tally: Tally::new(name), table: Mutex::default() }
    }

    /// A seat for a new connection; none when nobody can go in its place.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Arc<Seat>> {
        let address = network(address);
        let evicted = CancellationToken::new();
        let mut table = self.table();
        // The own address first: a client that opens connections without end pushes out its own, not those of others.
        let of_address = table.by_address.get(&address).copied().unwrap_or(0);
        if of_address >= self.limits.connections_per_address && !table.evict(|each| each == address) {
            self.tally.note(Reason::FullAddress, &address.to_string());
            return None;
        }
        if table.open >= self.limits.connections && !table.evict(|_| true) {
            self.tally.note(Reason::Full, "");
            return None;
        }
        table.open += 1;
        *table.by_address.entry(address).or_default() += 1;
        let turn = table.wait(false, address, evicted.clone());
        self.tally.open(table.open);
        drop(table);
        let state = State {
            busy: 0,
            stage: Stage::Fresh,
            since: Instant::now(),
            stalled: None,
            is_pinged: false,
            has_served: false,
            turn: Some(turn),
        };
        Some(Arc::new(Seat { seats: self.clone(), address, evicted, changed: Notify::new(), state: Mutex::new(state) }))
    }

    /// Makes room for the next one, when the system has none.
    pub(super) fn not_accepted(&self, error: &std::io::Error) {
        self.tally.note(Reason::NotAccepted, &error.to_string());
        self.table().evict(|_| true);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("no holder panics")
    }
}

impl Table {
    fn wait(&mut self, has_served: bool, address: IpAddr, evicted: CancellationToken) -> Turn {
        self.next_turn += 1;
        let turn = (has_served, self.next_turn);
        self.waiting.insert(turn, (address, evicted));
        turn
    }

    /// Sends away the next one whose address is meant; false when there is none.
    fn evict(&mut self, meant: impl Fn(IpAddr) -> bool) -> bool {
        let found = self.waiting.iter().find(|(_, (address, _))| meant(*address));
        let Some((_, (_, evicted))) = found.map(|(turn, _)| *turn).and_then(|turn| self.waiting.remove_entry(&turn))
        else {
            return false;
        };
        evicted.cancel();
        true
    }
}

/// Who one caller is: an IPv6 network of 64 bits has one owner.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address @ IpAddr::V4(_) => address,
    }
}

/// What a connection without a request under way waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its first request, or the preface of HTTP/2.
    Fresh,
    /// The beginning of a request.
    Open,
    /// The rest of a head.
    Head,
    /// Its end: it has been told goodbye.
    Leaving,
}

struct State {
    /// Requests under way.
    busy: usize,
    stage: Stage,
    /// Since when it waits.
    since: Instant,
    /// Since when the peer takes nothing.
    stalled: Option<Instant>,
    /// It is HTTP/2: pings tell whether the peer lives.
    is_pinged: bool,
    /// It has sent a request.
    has_served: bool,
    /// Its place among those who wait.
    turn: Option<Turn>,
}

pub(super) struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
    evicted: CancellationToken,
    changed: Notify,
    state: Mutex<State>,
}

/// A request under way, until it is dropped.
pub(super) struct Busy(Arc<Seat>);

impl Seat {
    pub(super) fn begin(self: Arc<Self>) -> Busy {
        let mut state = self.state();
        state.busy += 1;
        state.has_served = true;
        if let Some(turn) = state.turn.take() {
            self.seats.table().waiting.remove(&turn);
        }
        if state.stage != Stage::Leaving {
            state.stage = Stage::Open;
        }
        drop(state);
        Busy(self)
    }

    /// The preface of HTTP/2 is there.
    pub(super) fn introduced(&self) {
        self.state().is_pinged = true;
        self.enter(Stage::Fresh, Stage::Open);
    }

    /// A byte came: without a request under way it begins one.
    pub(super) fn head_begins(&self) {
        self.enter(Stage::Open, Stage::Head);
    }

    /// It has been told goodbye, and has the header timeout left once no request is under way.
    pub(super) fn leave(&self) {
        let mut state = self.state();
        (state.stage, state.since) = (Stage::Leaving, Instant::now());
        drop(state);
        self.changed.notify_one();
    }

    /// Whether the peer takes what is written.
    pub(super) fn is_stalled(&self, stalled: bool) {
        let mut state = self.state();
        if state.stalled.is_some() != stalled {
            state.stalled = stalled.then(Instant::now);
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Waits until the connection has to end, and tells why.
    pub(super) async fn expired(&self) -> Reason {
        loop {
            let limit = self.limit();
            let timeout = async {
                match limit {
                    Some((at, _)) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.evicted.cancelled(), if !self.is_leaving() => return self.eviction(),
                () = self.changed.notified() => {}
                // Looked at again: a request may have begun while the timer ran out.
                () = timeout => if let Some((at, reason)) = self.limit() && at <= Instant::now() {
                    return reason;
                },
            }
        }
    }

    /// Counts why it ends.
    pub(super) fn note(&self, reason: Reason) {
        self.seats.tally.note(reason, &self.address.to_string());
    }

    /// Until when it may stay as it is.
    fn limit(&self) -> Option<(Instant, Reason)> {
        let (limits, state) = (&self.seats.limits, self.state());
        // Before the first request nothing is written but a handshake, whose time is that of the head.
        if let Some(stalled) = state.stalled.filter(|_| state.stage != Stage::Fresh) {
            return Some((stalled + limits.idle_timeout, Reason::Stalled));
        }
        match state.stage {
            _ if state.busy > 0 => None,
            // A goodbye to a channel between services could cross a call, which would then fail.
            Stage::Open if state.is_pinged && state.has_served => None,
            Stage::Open => Some((state.since + limits.idle_timeout, Reason::Idle)),
            Stage::Fresh | Stage::Head | Stage::Leaving => Some((state.since + limits.header_timeout, Reason::Header)),
        }
    }

    fn eviction(&self) -> Reason {
        if self.state().stage == Stage::Fresh { Reason::Unused } else { Reason::Longest }
    }

    fn is_leaving(&self) -> bool {
        self.state().stage == Stage::Leaving
    }

    fn enter(&self, from: Stage, to: Stage) {
        let mut state = self.state();
        if state.busy == 0 && state.stage == from {
            (state.stage, state.since) = (to, Instant::now());
            drop(state);
            self.changed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

impl Drop for Busy {
    /// The request has ended. A connection that has been evicted does not come back among those who wait.
    fn drop(&mut self) {
        let seat = &self.0;
        let mut state = seat.state();
        state.busy -= 1;
        if state.busy == 0 {
            state.since = Instant::now();
            if !seat.evicted.is_cancelled() {
                state.turn = Some(seat.seats.table().wait(true, seat.address, seat.evicted.clone()));
            }
            drop(state);
            seat.changed.notify_one();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let turn = self.state().turn.take();
        let mut table = self.seats.table();
        if let Some(turn) = turn {
            table.waiting.remove(&turn);
        }
        // Here and nowhere else, so that a connection is counted until its last byte, however it ends.
        table.open -= 1;
        if let Some(open) = table.by_address.get_mut(&self.address) {
            *open -= 1;
            if *open == 0 {
                table.by_address.remove(&self.address);
            }
        }
        self.seats.tally.open(table.open);
    }
}
