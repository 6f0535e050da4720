//! Between the writer and the sealer: the writer says that there is something to seal, and waits here when memory is full; the
//! sealer says when a seal ended, and what keeps it from sealing.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::store::StoreError;

#[derive(Debug, Default)]
pub struct Pressure {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    asked: bool,
    /// Somebody wants all of it sealed, due or not.
    wanted: bool,
    stopping: bool,
    abandoned: bool,
    /// Seals that ended, well or not.
    ended: u64,
    trouble: Option<Trouble>,
}

/// Why sealing does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    DiskFull(String),
    Failed(String),
}

impl From<&StoreError> for Trouble {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::DiskFull { .. } => Self::DiskFull(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// What wakes the sealer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    Asked,
    /// To seal, due or not.
    Wanted,
    Tick,
    Stopping,
    /// To end at once, as a crash would.
    Abandoned,
}

impl Pressure {
    /// There may be something to seal. Cheap; asked twice is asked once.
    pub fn ask(&self) {
        let mut state = self.state.lock();
        if !std::mem::replace(&mut state.asked, true) {
            self.changed.notify_all();
        }
    }

    pub fn stop(&self) {
        self.state.lock().stopping = true;
        self.changed.notify_all();
    }

    pub(super) fn abandon(&self) {
        self.state.lock().abandoned = true;
        self.changed.notify_all();
    }

    /// The sealer waits here between its rounds.
    pub(super) fn wait(&self, at_most: Duration) -> Woken {
        let mut state = self.state.lock();
        if !state.asked && !state.wanted && !state.stopping && !state.abandoned {
            let _timed_out = self.changed.wait_for(&mut state, at_most);
        }
        let asked = std::mem::take(&mut state.asked);
        if state.abandoned {
            Woken::Abandoned
        } else if state.stopping {
            Woken::Stopping
        } else if std::mem::take(&mut state.wanted) {
            Woken::Wanted
        } else if asked {
            Woken::Asked
        } else {
            Woken::Tick
        }
    }

    pub(crate) fn ended(&self, trouble: Option<Trouble>) {
        let mut state = self.state.lock();
        state.ended += 1;
        state.trouble = trouble;
        self.changed.notify_all();
    }

    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        self.state.lock().trouble.clone()
    }

    /// Wants a seal of whatever there is, and waits until one ended or the time is over. Says what kept the one that ended from it: a
    /// trouble that is older is none of this one.
    pub fn want_seal(&self, at_most: Duration) -> Option<Trouble> {
        let has_ended = self.wait_until_ended(at_most, |state| state.wanted = true);
        self.trouble().filter(|_| has_ended)
    }

    /// Asks for a seal and waits until one ended or the time is over. The writer's own wait: nothing is decided while it lasts.
    pub fn wait_for_seal(&self, at_most: Duration) {
        self.wait_until_ended(at_most, |state| state.asked = true);
    }

    fn wait_until_ended(&self, at_most: Duration, ask: impl FnOnce(&mut State)) -> bool {
        let until = Instant::now() + at_most;
        let mut state = self.state.lock();
        let before = state.ended;
        ask(&mut state);
        self.changed.notify_all();
        while state.ended == before && !self.changed.wait_until(&mut state, until).timed_out() {}
        state.ended != before
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn asked_twice_is_asked_once_and_a_stop_is_for_ever() {
        let pressure = Pressure::default();
        pressure.ask();
        pressure.ask();
        assert_eq!(pressure.wait(Duration::ZERO), Woken::Asked);
        assert_eq!(pressure.wait(Duration::ZERO), Woken::Tick);
        pressure.stop();
        assert_eq!([pressure.wait(Duration::ZERO), pressure.wait(Duration::ZERO)], [Woken::Stopping; 2]);
    }

    #[test]
    fn who_waits_for_a_seal_goes_on_when_one_ended() {
        let pressure = Arc::new(Pressure::default());
        let sealer = Arc::clone(&pressure);
        let thread = std::thread::spawn(move || {
            while sealer.wait(Duration::from_secs(30)) != Woken::Asked {}
            sealer.ended(Some(Trouble::Failed("x".to_owned())));
        });
        pressure.wait_for_seal(Duration::from_secs(30));
        assert_eq!(pressure.trouble(), Some(Trouble::Failed("x".to_owned())));
        thread.join().unwrap();
        assert_eq!(pressure.want_seal(Duration::ZERO), None, "a seal that goes on is in no trouble yet");
    }
}
