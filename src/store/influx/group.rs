//! Commits that follow each other as requests: series spread over lanes by hash, the rows of a lane by series and time (InfluxDB takes
//! them for less so), a rewritten time once with its last value. Pure.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use super::line;
use crate::model::{Commit, Delete, Position, Reading, SeriesId, TimeNs};
use crate::series::SeriesTable;

/// Requests that are under way at once. A series is always in the same lane, so its rows arrive in order.
pub(super) const LANES: usize = 4;
/// What the beginnings of lines may take; over it they are made anew.
const HEADS_BYTES: usize = 16 << 20;
/// What a row takes beside its head, about.
const ROW_BYTES: usize = 48;

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
}

/// What is sent before the next group is: rows, or the deletes of one commit and its rows.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) after: Position,
    pub(super) up_to: Position,
    pub(super) readings: usize,
    lanes: [Vec<Reading>; LANES],
    pub(super) deletes: Vec<Delete>,
}

/// What the lines of each series begin with.
#[derive(Debug)]
pub(super) struct Heads {
    hub_id: Arc<str>,
    known: FxHashMap<SeriesId, Box<str>>,
    bytes: usize,
}

impl Heads {
    pub(super) fn new(hub_id: &Arc<str>) -> Self {
        Self { hub_id: Arc::clone(hub_id), known: FxHashMap::default(), bytes: 0 }
    }

    fn row_bytes(&self) -> usize {
        self.bytes / self.known.len().max(1) + ROW_BYTES
    }

    fn of(&mut self, table: &SeriesTable, id: SeriesId) -> Option<&str> {
        if self.bytes > HEADS_BYTES {
            self.known.clear();
            self.bytes = 0;
        }
        let head = match self.known.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let head = line::head(&self.hub_id, &table.by_id(id)?.key, id);
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

    pub(super) fn take(&mut self, commit: &Commit) {
        self.up_to = commit.position;
        self.deletes.extend_from_slice(&commit.deletes);
        for reading in &commit.readings {
            self.lanes[reading.series.index() % LANES].push(reading.clone());
        }
        self.readings += commit.readings.len();
    }

    /// Deletes come before the rows of their commit. A body has the number of its lane.
    pub(super) fn into_parts(self, heads: &mut Heads, table: &SeriesTable) -> (Vec<Delete>, Vec<(usize, Body)>) {
        let lanes = self.lanes.into_iter().enumerate().filter(|(_, lane)| !lane.is_empty());
        (self.deletes, lanes.map(|(number, lane)| (number, body(lane, heads, table))).collect())
    }
}

/// The readings in the order of their commits, as rows.
pub(super) fn body(mut readings: Vec<Reading>, heads: &mut Heads, table: &SeriesTable) -> Body {
    // Equal times stay in the order in which they were committed.
    readings.sort_by_key(|reading| (reading.series, reading.time));
    // As large as rows are by and large, so that it need not grow.
    let (mut bytes, mut rows) = (Vec::with_capacity(readings.len() * heads.row_bytes()), Vec::with_capacity(readings.len()));
    for of_series in readings.chunk_by(|a, b| a.series == b.series) {
        let series = of_series[0].series;
        // A reading of a commit has its series in the table: it was defined there or before.
        let Some(head) = heads.of(table, series) else { continue };
        for of_time in of_series.chunk_by(|a, b| a.time == b.time) {
            let last = &of_time[of_time.len() - 1];
            line::point(&mut bytes, head, &last.value, last.time);
            rows.push(Row { end: bytes.len(), series, time: last.time });
        }
    }
    Body { bytes: bytes.into(), rows }
}

#[cfg(test)]
mod tests {
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
        let (table, mut heads, mut group) = (table(), Heads::new(&"hub".into()), Group::default());
        group.take(&commit(1, &[(4, 5, 9), (0, 6, 2), (1, 5, 1), (0, 5, 1)]));
        group.take(&commit(2, &[(0, 5, 3), (1, 6, 2)]));
        assert_eq!((group.up_to, group.readings), (Position(2), 6));
        let (deletes, bodies) = group.into_parts(&mut heads, &table);
        assert!(deletes.is_empty());
        let (numbers, bodies): (Vec<_>, Vec<_>) = bodies.into_iter().unzip();
        assert_eq!(numbers, [0, 1]);
        let texts: Vec<_> = bodies.iter().map(|body| std::str::from_utf8(&body.bytes).unwrap()).collect();
        let line = |device: &str, id: u32, value: &str, time: i64| format!("m,device={device},series:id=hub.{id} value={value} {time}\n");
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
    }

    #[test]
    fn a_delete_parts_groups() {
        let mut group = Group::default();
        let delete = Commit { position: Position(2), deletes: vec![Delete { series: SeriesId(0), from: 1, to: 2 }], ..Commit::default() };
        assert!(group.may_take(&delete, 10));
        group.take(&commit(1, &[(0, 5, 1)]));
        assert!(!group.may_take(&delete, 10) && group.may_take(&commit(2, &[]), 10) && !group.may_take(&commit(2, &[]), 1));
        let mut group = Group::default();
        group.take(&delete);
        assert!(!group.may_take(&commit(3, &[(0, 1, 1)]), 10) && !group.is_empty());
    }

    #[test]
    fn beginnings_of_lines_are_bounded() {
        let (table, mut heads) = (table(), Heads::new(&"hub".into()));
        heads.bytes = HEADS_BYTES + 1;
        assert!(heads.of(&table, SeriesId(0)).is_some() && heads.of(&table, SeriesId(9)).is_none());
        assert!(heads.bytes < 200 && heads.known.len() == 1);
    }
}
