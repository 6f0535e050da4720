//! The last refused readings, for `status/refusals`, and counts by code for `/metrics`.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use telltale_wire::RowCode;

use crate::limits::REFUSALS_KEPT;
use crate::model::{TimeNs, TokenId};

#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    pub at: TimeNs,
    pub token: TokenId,
    pub device: Arc<str>,
    pub metric: Arc<str>,
    pub code: RowCode,
    pub message: Box<str>,
}

#[derive(Debug, Default)]
pub struct Refusals(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    recent: VecDeque<Refused>,
    by_code: FxHashMap<RowCode, u64>,
}

impl Refusals {
    pub fn note(&self, refused: Refused) {
        let mut state = self.0.lock();
        *state.by_code.entry(refused.code).or_default() += 1;
        if state.recent.len() == REFUSALS_KEPT {
            state.recent.pop_front();
        }
        state.recent.push_back(refused);
    }

    /// Newest first.
    #[must_use]
    pub fn recent(&self) -> Vec<Refused> {
        self.0.lock().recent.iter().rev().cloned().collect()
    }

    /// Sorted by code, for stable output.
    #[must_use]
    pub fn by_code(&self) -> Vec<(RowCode, u64)> {
        let mut counts: Vec<_> = self.0.lock().by_code.iter().map(|(code, n)| (*code, *n)).collect();
        counts.sort_unstable();
        counts
    }
}
