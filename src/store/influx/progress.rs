//! How far the log is forwarded, and what keeps it: shared by the forwarder, readers, the writer and `status`.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use crate::model::{Position, TimeNs};

#[derive(Debug, Default)]
pub(super) struct Progress {
    state: Mutex<State>,
    changed: Condvar,
    stopping: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    forwarded: Position,
    /// Up to here it is on disk that it was forwarded: a start goes on from there, and the log before may go.
    noted: Position,
    away: Option<Away>,
    /// When it was said in the log last.
    told: Option<Instant>,
    /// Since when what is sent now is tried.
    sending_since: Option<TimeNs>,
}

/// How often an outage that lasts is said in the log.
const TELL: Duration = Duration::from_secs(60);

/// Why InfluxDB takes nothing, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Away {
    pub since: TimeNs,
    pub why: String,
}

/// What is in the log and not in InfluxDB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    pub bytes: u64,
    /// Since when the oldest of it is tried.
    pub since: Option<TimeNs>,
}

impl Progress {
    pub(super) fn start_at(&self, forwarded: Position) {
        let mut state = self.state.lock();
        (state.forwarded, state.noted) = (forwarded, forwarded);
    }

    pub(super) fn forwarded(&self) -> Position {
        self.state.lock().forwarded
    }

    pub(super) fn noted(&self) -> Position {
        self.state.lock().noted
    }

    pub(super) fn advance(&self, to: Position) {
        let mut state = self.state.lock();
        state.forwarded = to;
        (state.away, state.sending_since) = (None, None);
        self.changed.notify_all();
    }

    pub(super) fn note(&self, position: Position) {
        self.state.lock().noted = position;
    }

    /// Says whether it is to be told: at once, and from time to time while it lasts.
    pub(super) fn set_away(&self, why: &str, now: TimeNs) -> bool {
        let mut state = self.state.lock();
        let is_due = state.away.is_none() || state.told.is_none_or(|told| told.elapsed() >= TELL);
        let since = state.away.as_ref().map_or(now, |away| away.since);
        state.away = Some(Away { since, why: why.to_owned() });
        if is_due {
            state.told = Some(Instant::now());
        }
        self.changed.notify_all();
        is_due
    }

    /// What the store found when it was opened, before there was a clock.
    pub(super) fn date_away(&self, now: TimeNs) {
        if let Some(away) = self.state.lock().away.as_mut().filter(|away| away.since == 0) {
            away.since = now;
        }
    }

    pub(super) fn answered(&self) -> Option<Away> {
        self.state.lock().away.take()
    }

    /// It answered somebody. While something is being sent, that alone says whether it takes readings.
    pub(super) fn seen(&self) {
        let mut state = self.state.lock();
        if state.sending_since.is_none() {
            state.away = None;
        }
    }

    pub(super) fn away(&self) -> Option<Away> {
        self.state.lock().away.clone()
    }

    pub(super) fn sends(&self, now: TimeNs) {
        self.state.lock().sending_since = Some(now);
    }

    /// How far it is, and since when it tries to go on.
    pub(super) fn place(&self) -> (Position, Option<TimeNs>) {
        let state = self.state.lock();
        (state.forwarded, state.sending_since)
    }

    pub(super) fn stop(&self) {
        let _state = self.state.lock();
        self.stopping.send_replace(true);
        self.changed.notify_all();
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Resolves when the hub stops.
    pub(super) async fn stopped(&self) {
        // The sender is here, so the only way out is the value.
        drop(self.stopping.subscribe().wait_for(|stopping| *stopping).await);
    }

    /// Waits so long, or until it is to stop.
    pub(super) fn pause(&self, at_most: Duration) {
        self.wait(at_most, |_| self.is_stopping());
    }

    /// Waits until all up to here is forwarded. False: InfluxDB is away, or it takes longer than this.
    pub(super) fn wait_for(&self, position: Position, at_most: Duration) -> bool {
        self.wait(at_most, |state| state.forwarded >= position || state.away.is_some() || self.is_stopping());
        self.forwarded() >= position
    }

    fn wait(&self, at_most: Duration, is_done: impl Fn(&State) -> bool) {
        let until = Instant::now() + at_most;
        let mut state = self.state.lock();
        while !is_done(&state) && !self.changed.wait_until(&mut state, until).timed_out() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_at_once_and_from_time_to_time() {
        let progress = Progress::default();
        assert_eq!([1, 2, 3].map(|now| progress.set_away("why", now)), [true, false, false]);
        progress.state.lock().told = Instant::now().checked_sub(TELL);
        assert_eq!([4, 5].map(|now| progress.set_away("why", now)), [true, false]);
        progress.date_away(9);
        assert_eq!(progress.away().unwrap().since, 1);
        progress.answered();
        assert!(progress.set_away("again", 0), "the next one is another");
        progress.date_away(9);
        assert_eq!(progress.away().unwrap().since, 9);
    }
}
