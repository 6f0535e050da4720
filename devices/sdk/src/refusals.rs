//! Says in the log what the hub refuses, without filling it: the first of each code at once, then a sum each minute.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(60);
/// Codes that are told apart; a hub has fewer than thirty.
const CODES_MAX: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Refusals {
    by_code: BTreeMap<String, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    readings: u64,
    message: String,
}

impl Refusals {
    pub(crate) fn note(&mut self, code: &str, retry: bool, readings: u64, message: &str) {
        if let Some(waiting) = self.by_code.get_mut(code) {
            waiting.readings += readings;
            message.clone_into(&mut waiting.message);
            return;
        }
        let outcome = if retry { "kept, to be sent again" } else { "dropped" };
        tracing::warn!(code, readings, "the hub refused readings ({outcome}): {message}");
        if self.by_code.len() < CODES_MAX {
            let waiting = Waiting { since: Instant::now(), readings: 0, message: String::new() };
            self.by_code.insert(code.to_owned(), waiting);
        }
    }

    /// Writes the sums of codes whose minute is over.
    pub(crate) fn flush_old(&mut self) {
        self.write(|waiting| waiting.since.elapsed() >= EVERY);
    }

    pub(crate) fn flush(&mut self) {
        self.write(|_| true);
    }

    fn write(&mut self, due: impl Fn(&Waiting) -> bool) {
        self.by_code.retain(|code, waiting| {
            let due = due(waiting);
            if due && waiting.readings > 0 {
                let Waiting { readings, message, .. } = waiting;
                tracing::warn!(code, readings, "the hub refused more readings; the last one: {message}");
            }
            !due
        });
    }
}
