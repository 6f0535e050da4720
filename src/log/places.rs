//! Where the records of the log are: one list, written by the log and by whoever trims it, read by resumes.

use std::path::PathBuf;

use parking_lot::Mutex;

use super::segment::HEADER_BYTES;
use crate::model::{Position, TimeNs};

/// A read starts at most this far before the record it wants.
const MARK_EVERY: u64 = 64 << 10;

#[derive(Debug)]
pub(super) struct Places {
    pub(super) epoch: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    segments: Vec<SegmentInfo>,
    /// The last of them is appended to.
    active: bool,
    /// The newest commit, also when its segment was dropped.
    newest: Position,
}

#[derive(Clone, Debug)]
pub(super) struct SegmentInfo {
    pub(super) path: PathBuf,
    pub(super) salt: u64,
    pub(super) first: Position,
    pub(super) last: Position,
    /// When its newest commit was made.
    pub(super) wall: TimeNs,
    /// Behind its last record.
    pub(super) end: u64,
    /// Some of its records, in order: where a read may begin.
    pub(super) marks: Vec<(Position, u64)>,
}

impl SegmentInfo {
    pub(super) fn new(path: PathBuf, salt: u64, first: Position) -> Self {
        Self {
            path,
            salt,
            first,
            last: Position(first.0.saturating_sub(1)),
            wall: TimeNs::MIN,
            end: HEADER_BYTES as u64,
            marks: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, position: Position, wall: TimeNs, offset: u64, end: u64) {
        if self.marks.last().is_none_or(|(_, at)| offset - at >= MARK_EVERY) {
            self.marks.push((position, offset));
        }
        (self.last, self.wall, self.end) = (position, wall, end);
    }

    /// Where a read begins that wants what comes after `after`.
    pub(super) fn start(&self, after: Position) -> u64 {
        let first_beyond = self.marks.partition_point(|(position, _)| *position <= after.next());
        first_beyond.checked_sub(1).map_or(HEADER_BYTES as u64, |i| self.marks[i].1)
    }
}

impl Places {
    pub(super) fn new(epoch: u64, segments: Vec<SegmentInfo>, newest: Position) -> Self {
        Self { epoch, state: Mutex::new(State { segments, active: false, newest }) }
    }

    pub(super) fn begun(&self, segment: SegmentInfo) {
        let mut state = self.state.lock();
        state.segments.push(segment);
        state.active = true;
    }

    pub(super) fn appended(&self, position: Position, wall: TimeNs, offset: u64, end: u64) {
        let mut state = self.state.lock();
        state.segments.last_mut().expect("the active segment is listed").note(position, wall, offset, end);
        state.newest = position;
    }

    /// Nothing is appended any more.
    pub(super) fn ended(&self) {
        self.state.lock().active = false;
    }

    pub(super) fn newest(&self) -> Position {
        self.state.lock().newest
    }

    pub(super) fn all(&self) -> (Vec<SegmentInfo>, Position) {
        let state = self.state.lock();
        (state.segments.clone(), state.newest)
    }

    /// Those that nothing is appended to.
    pub(super) fn finished(&self) -> Vec<SegmentInfo> {
        let state = self.state.lock();
        let count = state.segments.len() - usize::from(state.active && !state.segments.is_empty());
        state.segments[..count].to_vec()
    }

    /// Takes the oldest one off the list, if it is this one.
    pub(super) fn forget(&self, path: &PathBuf) {
        let mut state = self.state.lock();
        if state.segments.first().is_some_and(|oldest| oldest.path == *path) {
            state.segments.remove(0);
        }
    }

    /// About how many bytes come after `after`.
    pub(super) fn bytes_after(&self, after: Position) -> u64 {
        let state = self.state.lock();
        state.segments.iter().rev().take_while(|segment| segment.last > after).map(|segment| segment.end - segment.start(after)).sum()
    }
}
