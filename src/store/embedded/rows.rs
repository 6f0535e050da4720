//! Rows on their way into a day file: encoded, decoded again and compared, then written in one transaction.
//!
//! Chunks whose irregular times are equal (metrics that a device reports together) share one time column.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rusqlite::Transaction;
use rustc_hash::{FxHashMap, FxHasher};

use super::chunk::{self, MAX_POINTS, Times};
use super::dayfile::{self, Form, NewRow};
use crate::block::{Block, Values};
use crate::keyed::KeyedMap;
use crate::model::{Position, SeriesId, TimeNs, Value};
use crate::store::StoreError;

/// Times that are worth a row of their own.
const SHARED_MIN: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: Vec<NewRow>,
    /// Time columns, and the chunks that share each.
    columns: Vec<(Vec<u8>, Vec<usize>)>,
    /// By the hash of irregular times: where they were seen.
    seen: KeyedMap<u64, Seen>,
    /// Of all bodies.
    bytes: usize,
}

#[derive(Clone, Copy, Debug)]
enum Seen {
    /// In one chunk so far.
    Chunk(usize),
    Column(usize),
}

impl Rows {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What each row is.
    pub(super) fn forms(&self) -> impl Iterator<Item = Form> {
        self.rows.iter().map(|row| row.form)
    }

    /// The oldest seal of a row.
    pub(super) fn oldest_seal(&self) -> Option<Position> {
        self.rows.iter().map(|row| row.seal).min()
    }

    /// Own chunks of a series, none longer than a chunk may be.
    pub(super) fn own(&mut self, series: SeriesId, block: &Block, seal: Position) -> Result<(), StoreError> {
        let chunks = block.len().div_ceil(MAX_POINTS).max(1);
        let each = block.len().div_ceil(chunks);
        for i in 0..chunks {
            let part = block.cut(i * each..((i + 1) * each).min(block.len()));
            if !part.is_empty() {
                self.chunk(series, &part, seal)?;
            }
        }
        Ok(())
    }

    fn chunk(&mut self, series: SeriesId, block: &Block, seal: Position) -> Result<(), StoreError> {
        let column = self.column_for(block)?;
        let form = Form::Own { series, times: None };
        let times = if column.is_some() { Times::Shared } else { Times::Own };
        let body = encoded(series, block, times)?;
        if let Some(column) = column {
            self.columns[column].1.push(self.rows.len());
        }
        self.bytes += body.len();
        self.rows.push(row(form, seal, block, block.len(), body));
        Ok(())
    }

    /// The time column that the block shares with an earlier one, made if this is the second.
    fn column_for(&mut self, block: &Block) -> Result<Option<usize>, StoreError> {
        let times = block.times();
        if times.len() < SHARED_MIN || is_regular(times) {
            return Ok(None);
        }
        let hash = hash_of(times);
        match self.seen.get(&hash) {
            None => {
                self.seen.insert(hash, Seen::Chunk(self.rows.len()));
                Ok(None)
            }
            Some(Seen::Column(column)) => {
                let same = chunk::decode_times(&self.columns[*column].0).is_ok_and(|known| known == times);
                Ok(same.then_some(*column))
            }
            Some(Seen::Chunk(first)) => {
                let first = *first;
                let known = chunk::decode(&self.rows[first].body, None).map_err(|error| wrong(self.rows[first].form, &error))?;
                if known.times() != times {
                    return Ok(None);
                }
                let Form::Own { series, .. } = self.rows[first].form else { return Ok(None) };
                let body = chunk::encode_times(times);
                if chunk::decode_times(&body).as_deref() != Ok(times) {
                    return Err(StoreError::Failed {
                        reason: format!("the time column of series {} does not decode to what it holds", series.0),
                    });
                }
                let shared = encoded(series, &known, Times::Shared)?;
                self.bytes = self.bytes + body.len() + shared.len() - self.rows[first].body.len();
                self.rows[first].body = shared;
                self.columns.push((body, vec![first]));
                self.seen.insert(hash, Seen::Column(self.columns.len() - 1));
                Ok(Some(self.columns.len() - 1))
            }
        }
    }

    /// One transaction's work.
    pub(super) fn insert(&self, db: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut columns = FxHashMap::default();
        for (body, chunks) in &self.columns {
            let id = dayfile::insert_times(db, body)?;
            columns.extend(chunks.iter().map(|chunk| (*chunk, id)));
        }
        self.rows.iter().enumerate().try_for_each(|(i, row)| {
            let form = match row.form {
                Form::Own { series, .. } => Form::Own { series, times: columns.get(&i).copied() },
                many @ Form::Many { .. } => many,
            };
            dayfile::insert(db, row, form)
        })
    }
}

fn row(form: Form, seal: Position, span: &Block, count: usize, body: Vec<u8>) -> NewRow {
    let (first, last) = (span.first_time().unwrap_or(TimeNs::MAX), span.last_time().unwrap_or(TimeNs::MIN));
    NewRow { seal, first, last, count: u32::try_from(count).unwrap_or(u32::MAX), form, body }
}

fn wrong(form: Form, what: &impl std::fmt::Display) -> StoreError {
    StoreError::Failed { reason: format!("a new chunk ({form:?}) does not decode to what it holds: {what}") }
}

fn encoded(series: SeriesId, block: &Block, times: Times) -> Result<Vec<u8>, StoreError> {
    let shared = (times == Times::Shared).then(|| block.times());
    let body = chunk::encode(block, times);
    let back = chunk::decode(&body, shared).map_err(|error| wrong(Form::Own { series, times: None }, &error))?;
    let said = chunk::stats(&body).map_err(|error| wrong(Form::Own { series, times: None }, &error))?;
    let true_words = (said.count, Some(said.first), Some(said.last)) == (block.len(), block.first_time(), block.last_time());
    if true_words && same(block, &back) { Ok(body) } else { Err(wrong(Form::Own { series, times: None }, &"other points")) }
}

/// A block of many slow series of one metric, growing.
#[derive(Debug)]
pub(super) struct Many {
    metric: u32,
    series: Vec<(SeriesId, Arc<Block>)>,
    points: usize,
    seal: Position,
}

impl Many {
    pub(super) fn new(metric: u32) -> Self {
        Self { metric, series: Vec::new(), points: 0, seal: Position(0) }
    }

    /// Series come by ascending id, each once.
    pub(super) fn push(&mut self, rows: &mut Rows, series: SeriesId, block: Arc<Block>, seal: Position) -> Result<(), StoreError> {
        if self.series.len() >= chunk::MANY_MAX_SERIES || self.points + block.len() > chunk::MANY_MAX_POINTS {
            self.finish(rows)?;
        }
        self.points += block.len();
        self.seal = self.seal.max(seal);
        self.series.push((series, block));
        Ok(())
    }

    pub(super) fn finish(&mut self, rows: &mut Rows) -> Result<(), StoreError> {
        let series = std::mem::take(&mut self.series);
        let (points, seal) = (std::mem::take(&mut self.points), std::mem::replace(&mut self.seal, Position(0)));
        let (Some((lo, _)), Some((hi, _))) = (series.first(), series.last()) else { return Ok(()) };
        let form = Form::Many { metric: self.metric, lo: *lo, hi: *hi };
        let body = chunk::encode_many(&series);
        let back = chunk::decode_many(&body).map_err(|error| wrong(form, &error))?;
        let is_same = back.len() == series.len() && back.iter().zip(&series).all(|((a, x), (b, y))| a == b && same(x, y));
        if !is_same {
            return Err(wrong(form, &"other points"));
        }
        let first = series.iter().filter_map(|(_, block)| block.first_time()).min().unwrap_or(TimeNs::MAX);
        let last = series.iter().filter_map(|(_, block)| block.last_time()).max().unwrap_or(TimeNs::MIN);
        rows.bytes += body.len();
        rows.rows.push(NewRow { seal, first, last, count: u32::try_from(points).unwrap_or(u32::MAX), form, body });
        Ok(())
    }
}

fn is_regular(times: &[TimeNs]) -> bool {
    times.len() < 3 || times.windows(3).all(|t| t[1].wrapping_sub(t[0]) == t[2].wrapping_sub(t[1]))
}

fn hash_of(times: &[TimeNs]) -> u64 {
    let mut hasher = FxHasher::default();
    times.hash(&mut hasher);
    hasher.finish()
}

/// Bit for bit.
pub(super) fn same(a: &Block, b: &Block) -> bool {
    a.times() == b.times() && a.late() == b.late() && a.lag() == b.lag() && same_values(a.values(), b.values())
}

fn same_values(a: &Values, b: &Values) -> bool {
    match (a, b) {
        (Values::Int(a), Values::Int(b)) => a == b,
        (Values::Float(a), Values::Float(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits()),
        (Values::Bool(a), Values::Bool(b)) => a == b,
        (Values::Text(a), Values::Text(b)) => a == b,
        (a, b) => a.len() == b.len() && (0..a.len()).all(|i| same_value(&a.value(i), &b.value(i))),
    }
}

fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_with_equal_irregular_times_share_a_column() {
        let times: Vec<TimeNs> = (0..300).map(|i: i64| i * 1_000_000_000 + i * i % 7_919).collect();
        let block = |scale: f64| {
            let values = Values::Float((0..300).map(|i| f64::from(i) * scale).collect());
            Block::from_columns(times.clone(), values, Vec::new(), Some(5))
        };
        let mut rows = Rows::default();
        for series in 0..3 {
            rows.own(SeriesId(series), &block(f64::from(series) + 0.5), Position(1)).unwrap();
        }
        assert_eq!(rows.columns.iter().map(|(_, chunks)| chunks.clone()).collect::<Vec<_>>(), [vec![0, 1, 2]]);
        let back = chunk::decode(&rows.rows[0].body, Some(&times)).unwrap();
        assert!(same(&back, &block(0.5)));
        let columns = rows.columns.iter().map(|(body, _)| body.len());
        assert_eq!(rows.bytes(), rows.rows.iter().map(|row| row.body.len()).chain(columns).sum::<usize>());
    }
}
