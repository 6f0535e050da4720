//! Commits that follow each other as requests: series spread over lanes by hash, the rows of a lane by series and time (InfluxDB takes
//! them for less so), a rewritten time once with its last value. Pure.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rustc_hash::FxHashMap;

use super::line::{self, Names};
use super::spare::Spare;
use crate::model::{Commit, Delete, Position, Reading, SeriesId, TimeNs, ValueType};
use crate::series::SeriesTable;

/// Requests that are under way at once. A series is always in the same lane, so its rows arrive in order.
pub(super) const LANES: usize = 4;
/// What the beginnings of lines may take; over it they are made anew.
const HEADS_BYTES: usize = 16 << 20;
/// What a row takes beside its head, about.
const ROW_BYTES: usize = 40;

/// Rows of one lane as they are sent, again and again until they are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    pub(super) rows: Vec<Row>,
}

/// Where a row ends, and what it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) end: usize,
    pub(super) series: SeriesId,
    pub(super) time: TimeNs,
}

impl Body {
    /// Two halves by rows; None when it is one row.
    pub(super) fn halves(&self) -> Option<(Self, Self)> {
        let (first, second) = self.rows.split_at(self.rows.len() / 2);
        let cut = first.last()?.end;
        let second = second.iter().map(|row| Row { end: row.end - cut, ..*row }).collect();
        Some((Self { bytes: self.bytes.slice(..cut), rows: first.to_vec() }, Self { bytes: self.bytes.slice(cut..), rows: second }))
    }

    /// The rows from this time on; None when all are.
    pub(super) fn since(&self, from: TimeNs) -> Option<Self> {
        let (mut bytes, mut rows, mut start) = (BytesMut::new(), Vec::new(), 0);
        for row in &self.rows {
            if row.time >= from {
                bytes.extend_from_slice(&self.bytes[start..row.end]);
                rows.push(Row { end: bytes.len(), ..*row });
            }
            start = row.end;
        }
        (rows.len() < self.rows.len()).then(|| Self { bytes: bytes.freeze(), rows })
    }
}

/// What is sent before the next group is: rows, or the deletes of one commit and its rows.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) after: Position,
    pub(super) up_to: Position,
    pub(super) readings: usize,
    commits: Vec<Arc<Commit>>,
    lanes: [Vec<Run>; LANES],
    pub(super) deletes: Vec<Delete>,
}

/// Readings of one series that stand beside each other in a commit. Nothing is copied before it is a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    series: SeriesId,
    commit: u32,
    from: u32,
    to: u32,
}

/// What the lines of each series begin with.
#[derive(Debug)]
pub(super) struct Heads {
    names: Names,
    known: FxHashMap<SeriesId, Box<str>>,
    bytes: usize,
}

impl Heads {
    pub(super) fn new(names: &Names) -> Self {
        Self { names: names.clone(), known: FxHashMap::default(), bytes: 0 }
    }

    fn row_bytes(&self) -> usize {
        self.bytes / self.known.len().max(1) + ROW_BYTES
    }

    /// The type of a series is that of its first reading, and of all after it.
    fn of(&mut self, table: &SeriesTable, id: SeriesId, value_type: ValueType) -> Option<&str> {
        if self.bytes > HEADS_BYTES {
            self.known.clear();
            self.bytes = 0;
        }
        let head = match self.known.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let head = line::head(&self.names, &table.by_id(id)?.key, id, value_type);
                self.bytes += head.len() + size_of::<(SeriesId, Box<str>)>();
                new.insert(head)
            }
        };
        Some(head)
    }
}

impl Group {
    pub(super) fn new(after: Position) -> Self {
        Self { after, up_to: after, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.readings == 0 && self.deletes.is_empty()
    }

    /// A commit with deletes is a group of its own.
    pub(super) fn may_take(&self, commit: &Commit, most: usize) -> bool {
        self.is_empty() || (self.deletes.is_empty() && commit.deletes.is_empty() && self.readings < most)
    }

    pub(super) fn take(&mut self, commit: Arc<Commit>) {
        self.up_to = commit.position;
        self.deletes.extend_from_slice(&commit.deletes);
        self.readings += commit.readings.len();
        let (number, mut from) = (small(self.commits.len()), 0);
        for of_series in commit.readings.chunk_by(|a, b| a.series == b.series) {
            let (series, to) = (of_series[0].series, from + of_series.len());
            self.lanes[series.index() % LANES].push(Run { series, commit: number, from: small(from), to: small(to) });
            from = to;
        }
        self.commits.push(commit);
    }

    /// Deletes come before the rows of their commit. A body has the number of its lane.
    pub(super) fn into_parts(self, heads: &mut Heads, table: &SeriesTable, spare: &Spare) -> (Vec<Delete>, Vec<(usize, Body)>) {
        let lanes = self.lanes.into_iter().enumerate().filter(|(_, lane)| !lane.is_empty());
        (self.deletes, lanes.map(|(number, lane)| (number, body(&self.commits, lane, (heads, table), spare.take()))).collect())
    }
}

/// A commit is a record of the log, whose length has 32 bits.
fn small(count: usize) -> u32 {
    u32::try_from(count).expect("a group holds fewer readings than 32 bits count")
}

/// The readings of some runs as rows, in room that is empty.
fn body(
    commits: &[Arc<Commit>],
    mut runs: Vec<Run>,
    (heads, table): (&mut Heads, &SeriesTable),
    (mut bytes, mut rows): (BytesMut, Vec<Row>),
) -> Body {
    let count = runs.iter().map(|run| (run.to - run.from) as usize).sum();
    rows.reserve(count);
    // As large as rows are by and large, so that it need not grow.
    bytes.reserve(count * heads.row_bytes());
    // Each is somewhere else, so those of a series come in the order in which they were committed.
    runs.sort_unstable();
    let of_run = |run: &Run| &commits[run.commit as usize].readings[run.from as usize..run.to as usize];
    let mut sorted: Vec<&Reading> = Vec::new();
    for of_series in runs.chunk_by(|a, b| a.series == b.series) {
        let first = &of_run(&of_series[0])[0];
        // A reading of a commit has its series in the table: it was defined there or before.
        let Some(head) = heads.of(table, first.series, first.value.value_type()) else { continue };
        let mut put = |reading: &Reading| {
            line::point(&mut bytes, head, &reading.value, reading.time);
            rows.push(Row { end: bytes.len(), series: reading.series, time: reading.time });
        };
        let readings = || of_series.iter().flat_map(of_run);
        if readings().is_sorted_by(|a, b| a.time < b.time) {
            readings().for_each(&mut put);
            continue;
        }
        sorted.clear();
        sorted.extend(readings());
        // Equal times stay in the order in which they were committed.
        sorted.sort_by_key(|reading| reading.time);
        sorted.chunk_by(|a, b| a.time == b.time).for_each(|of_time| put(of_time[of_time.len() - 1]));
    }
    Body { bytes: bytes.freeze(), rows }
}

#[cfg(test)]
mod tests {
    use super::line::Form;
    use super::*;
    use crate::model::{TokenId, Value};
    use crate::series::KeyRef;

    fn table() -> SeriesTable {
        let table = SeriesTable::new(100, 100);
        for device in ["a", "b", "c", "d", "e"] {
            table.resolve(KeyRef { device, metric: "m", labels: &[] }, TokenId(1)).unwrap();
        }
        table
    }

    fn commit(position: u64, readings: &[(u32, TimeNs, i64)]) -> Commit {
        let reading =
            |(series, time, value): &(u32, TimeNs, i64)| Reading { series: SeriesId(*series), time: *time, value: Value::Int(*value) };
        Commit { position: Position(position), readings: readings.iter().map(reading).collect(), ..Commit::default() }
    }

    #[test]
    fn a_time_is_sent_once_with_its_last_value() {
        let (table, mut heads, mut group) = (table(), Heads::new(&Names::new(Form::Short, "hub")), Group::default());
        group.take(commit(1, &[(4, 5, 9), (0, 6, 2), (1, 5, 1), (0, 5, 1)]).into());
        group.take(commit(2, &[(0, 5, 3), (1, 6, 2)]).into());
        assert_eq!((group.up_to, group.readings), (Position(2), 6));
        let (deletes, bodies) = group.into_parts(&mut heads, &table, &Spare::default());
        assert!(deletes.is_empty());
        let (numbers, bodies): (Vec<_>, Vec<_>) = bodies.into_iter().unzip();
        assert_eq!(numbers, [0, 1]);
        let texts: Vec<_> = bodies.iter().map(|body| std::str::from_utf8(&body.bytes).unwrap()).collect();
        let line = |device: &str, id: u32, value: &str, time: i64| format!("m,device={device},id:=hub.{id} value={value} {time}\n");
        assert_eq!(
            texts,
            [
                [line("a", 0, "3.0", 5), line("a", 0, "2.0", 6), line("e", 4, "9.0", 5)].concat(),
                [line("b", 1, "1.0", 5), line("b", 1, "2.0", 6)].concat(),
            ]
        );
        assert_eq!(bodies[0].rows.last().unwrap().end, texts[0].len());
        let (first, second) = bodies[0].halves().unwrap();
        assert_eq!([first.bytes.clone(), second.bytes.clone()].concat(), bodies[0].bytes);
        assert_eq!((first.rows.len(), second.rows.len()), (1, 2));
        assert_eq!(second.halves().unwrap().1.bytes, line("e", 4, "9.0", 5));
        assert!(first.halves().is_none());
        let late = bodies[0].since(6).unwrap();
        assert_eq!((&late.bytes[..], late.rows.len()), (line("a", 0, "2.0", 6).as_bytes(), 1));
        assert_eq!(late.rows[0], Row { end: late.bytes.len(), series: SeriesId(0), time: 6 });
        assert!(bodies[0].since(5).is_none() && bodies[0].since(7).unwrap().rows.is_empty());
    }

    #[test]
    fn a_delete_parts_groups() {
        let mut group = Group::default();
        let delete = Commit { position: Position(2), deletes: vec![Delete { series: SeriesId(0), from: 1, to: 2 }], ..Commit::default() };
        assert!(group.may_take(&delete, 10));
        group.take(commit(1, &[(0, 5, 1)]).into());
        assert!(!group.may_take(&delete, 10) && group.may_take(&commit(2, &[]), 10) && !group.may_take(&commit(2, &[]), 1));
        let mut group = Group::default();
        group.take(delete.into());
        assert!(!group.may_take(&commit(3, &[(0, 1, 1)]), 10) && !group.is_empty());
    }

    #[test]
    fn beginnings_of_lines_are_bounded() {
        let (table, mut heads) = (table(), Heads::new(&Names::new(Form::Short, "hub")));
        heads.bytes = HEADS_BYTES + 1;
        assert!(heads.of(&table, SeriesId(0), ValueType::Number).is_some() && heads.of(&table, SeriesId(9), ValueType::Number).is_none());
        assert!(heads.bytes < 200 && heads.known.len() == 1);
    }
}
