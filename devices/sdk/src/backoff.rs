//! How long to wait before connecting again: doubling from half a second to half a minute, each time a random part of it,
//! so that many agents do not come back at the same instant.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
pub(crate) const LONGEST: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Backoff {
    random: fastrand::Rng,
    step: Duration,
}

impl Backoff {
    pub(crate) fn new(random: fastrand::Rng) -> Backoff {
        Backoff { random, step: FIRST }
    }

    /// The next wait: between half the step and the step.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.jitter(self.step);
        self.step = (self.step * 2).min(LONGEST);
        wait
    }

    /// The wait when something has to change first.
    pub(crate) fn longest(&mut self) -> Duration {
        self.step = LONGEST;
        self.jitter(LONGEST)
    }

    /// At least what the hub asked for, and a little more.
    pub(crate) fn at_least(&mut self, asked: Duration) -> Duration {
        asked + asked.min(LONGEST).mul_f64(self.random.f64() * 0.25)
    }

    /// A connection did its work: the next break begins with short waits again.
    pub(crate) fn reset(&mut self) {
        self.step = FIRST;
    }

    fn jitter(&mut self, step: Duration) -> Duration {
        step.mul_f64(0.5 + self.random.f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_spread() {
        let mut backoff = Backoff::new(fastrand::Rng::with_seed(1));
        let mut step = FIRST;
        for round in 0..12 {
            let wait = backoff.next();
            assert!(wait >= step / 2 && wait <= step, "round {round}: {wait:?} of {step:?}");
            step = (step * 2).min(LONGEST);
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
        assert!(backoff.longest() >= LONGEST / 2);
        let asked = Duration::from_secs(8);
        assert!((asked..=asked * 5 / 4).contains(&backoff.at_least(asked)));
        let mut waits: Vec<Duration> = (0..20).map(|seed| Backoff::new(fastrand::Rng::with_seed(seed)).next()).collect();
        waits.sort_unstable();
        waits.dedup();
        assert_eq!(waits.len(), 20, "agents with other seeds wait otherwise");
    }
}
