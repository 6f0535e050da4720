//! The parts of a series in one stretch of time: its own chunks and what blocks hold of it, decoded when they are needed, laid over
//! each other so that at equal times what was sealed later stands.

use std::sync::Arc;

use super::cache::{Cache, CacheKey, Decoded};
use super::chunk;
use super::damage::{self, Damages};
use super::dayfile::{DayFile, Entry, Form, Reading};
use super::tombs::Hides;
use crate::block::Block;
use crate::model::{Position, SeriesId, TimeNs, TimeRange};
use crate::query::grid::Grid;
use crate::query::summary::Totals;
use crate::store::StoreError;

/// What a part needs to be decoded, and where damage is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decoder<'a> {
    pub(super) cache: &'a Cache,
    pub(super) damages: &'a Damages,
    /// What is decoded is kept. Not so for the rest of a long scan: it would push out all that is asked again.
    pub(super) keeps: bool,
}

#[derive(Debug)]
pub(super) struct Part {
    pub(super) seal: Position,
    pub(super) first: TimeNs,
    pub(super) last: TimeNs,
    form: PartForm,
}

#[derive(Debug)]
enum PartForm {
    Ready(Arc<Block>),
    Body { file: Arc<DayFile>, entry: Entry, body: Vec<u8>, times: Option<SharedTimes> },
}

/// The column of times that a chunk shares with others. A part is decoded long after it was read, when a merge may have removed the
/// column and the cache let go of it: so it has its own hold on what it found.
#[derive(Debug)]
enum SharedTimes {
    Known(Arc<[TimeNs]>),
    Bytes { id: i64, body: Vec<u8> },
}

/// What there is of a series in a stretch of time, without its points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) newest_seal: Position,
    pub(super) first: TimeNs,
}

/// The series of a block, by id.
pub(super) type OfMany = Vec<(SeriesId, Arc<Block>)>;

/// A body as it was read, or what it decoded to before.
pub(super) enum Fetched {
    Known(Decoded),
    Bytes(Vec<u8>),
}

fn key(file: &DayFile, form: u8, id: i64) -> CacheKey {
    (file.number, form, id)
}

fn own_key(file: &DayFile, entry: &Entry) -> CacheKey {
    key(file, matches!(entry.form, Form::Many { .. }).into(), entry.id)
}

const TIMES_FORM: u8 = 2;
pub(super) const LISTED_FORM: u8 = 3;
pub(super) const ROLLUPS_FORM: u8 = 4;
pub(super) const ROLLED_FORM: u8 = 5;
pub(super) const WALKED_FORM: u8 = 6;
pub(super) const CUT_FORM: u8 = 7;

impl Decoder<'_> {
    /// The parts of a series in the range, from one read transaction. None: there are more than `limit` own chunks.
    pub(super) fn parts(
        &self,
        file: &Arc<DayFile>,
        (series, metric): (SeriesId, u32),
        range: TimeRange,
        sealed: Position,
        limit: u32,
    ) -> Result<Option<Vec<Part>>, StoreError> {
        self.parts_of(file, (series, metric), range, sealed, limit, &|_| true)
    }

    /// Of these rows alone.
    pub(super) fn parts_of(
        &self,
        file: &Arc<DayFile>,
        (series, metric): (SeriesId, u32),
        range: TimeRange,
        sealed: Position,
        limit: u32,
        only: &dyn Fn(&Entry) -> bool,
    ) -> Result<Option<Vec<Part>>, StoreError> {
        let read = file.look("read chunks from", |db| {
            let own = db.own(series, range, sealed, limit.saturating_add(1))?;
            if own.len() > limit as usize {
                return Ok(None);
            }
            let own = own.into_iter().filter(|entry| only(entry));
            let own = own.map(|entry| self.own_part(file, db, entry)).collect::<rusqlite::Result<Vec<_>>>()?;
            let many = db.many(metric, series, range, sealed)?.into_iter().filter(|entry| only(entry));
            let many = many.map(|entry| Ok((entry, self.fetch(file, db, &entry)?))).collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(Some((own, many)))
        });
        let (parts, many) = match read {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            // Its expiry came in between.
            Err(_) if file.is_gone() => return Ok(Some(Vec::new())),
            Err(error) => return Err(error),
        };
        Ok(Some(self.with_blocks(file, series, range, parts, many)))
    }

    pub(super) fn with_blocks(
        &self,
        file: &DayFile,
        series: SeriesId,
        range: TimeRange,
        mut parts: Vec<Part>,
        many: Vec<(Entry, Fetched)>,
    ) -> Vec<Part> {
        for (entry, fetched) in many {
            let Some(blocks) = self.many(file, &entry, fetched) else { continue };
            if let Ok(at) = blocks.binary_search_by_key(&series, |(id, _)| *id) {
                parts.extend(Part::ready(entry.seal, Arc::clone(&blocks[at].1)));
            }
        }
        parts.retain(|part| part.first < range.to && part.last >= range.from);
        parts
    }

    /// Blocks that may hold the series are looked into. None: there is nothing of it.
    pub(super) fn held(
        &self,
        file: &Arc<DayFile>,
        (series, metric): (SeriesId, u32),
        range: TimeRange,
        sealed: Position,
    ) -> Result<Option<Held>, StoreError> {
        let (own, many) = file.look("look for rows in", |db| {
            let own = db.own(series, range, sealed, u32::MAX - 1)?;
            let many = db.many(metric, series, range, sealed)?;
            let many = many.into_iter().map(|entry| Ok((entry, self.fetch(file, db, &entry)?))).collect::<rusqlite::Result<Vec<_>>>()?;
            Ok((own, many))
        })?;
        let mut held: Vec<_> = own.iter().map(|entry| Held { newest_seal: entry.seal, first: entry.first }).collect();
        for (entry, fetched) in many {
            let Some(blocks) = self.many(file, &entry, fetched) else { continue };
            let first = blocks.binary_search_by_key(&series, |(id, _)| *id).ok().and_then(|at| blocks[at].1.first_time());
            held.extend(first.map(|first| Held { newest_seal: entry.seal, first }));
        }
        let both = |a: Held, b: Held| Held { newest_seal: a.newest_seal.max(b.newest_seal), first: a.first.min(b.first) };
        Ok(held.into_iter().reduce(both))
    }

    pub(super) fn own_part(&self, file: &Arc<DayFile>, db: &Reading<'_>, entry: Entry) -> rusqlite::Result<Part> {
        let body = match self.fetch(file, db, &entry)? {
            Fetched::Known(Decoded::Own(block)) => return Ok(Part::of(&entry, PartForm::Ready(block))),
            Fetched::Known(_) => Vec::new(),
            Fetched::Bytes(body) => body,
        };
        let times = match entry.form {
            Form::Own { times: Some(id), .. } => Some(match self.known_times(file, id) {
                Some(times) => SharedTimes::Known(times),
                None => SharedTimes::Bytes { id, body: db.times(id).unwrap_or_default() },
            }),
            _ => None,
        };
        Ok(Part::of(&entry, PartForm::Body { file: Arc::clone(file), entry, body, times }))
    }

    pub(super) fn fetch(&self, file: &DayFile, db: &Reading<'_>, entry: &Entry) -> rusqlite::Result<Fetched> {
        match self.cache.get(own_key(file, entry)) {
            Some(decoded) => Ok(Fetched::Known(decoded)),
            None => db.body(entry).map(Fetched::Bytes),
        }
    }

    fn many(&self, file: &DayFile, entry: &Entry, fetched: Fetched) -> Option<Arc<OfMany>> {
        let body = match fetched {
            Fetched::Known(Decoded::Many(blocks)) => return Some(blocks),
            Fetched::Known(_) => return None,
            Fetched::Bytes(body) => body,
        };
        match chunk::decode_many(&body) {
            Ok(blocks) => {
                let blocks = Arc::new(blocks.into_iter().map(|(id, block)| (id, Arc::new(block))).collect::<Vec<_>>());
                self.cache.put(own_key(file, entry), Decoded::Many(Arc::clone(&blocks)));
                Some(blocks)
            }
            Err(error) => {
                self.damages.note(damage::of_entry(file, entry, error.to_string()), &body);
                None
            }
        }
    }

    /// Every series of a block; None when it is damaged, which is noted.
    pub(super) fn whole(&self, file: &DayFile, entry: &Entry, body: Vec<u8>) -> Option<Arc<OfMany>> {
        self.many(file, entry, Fetched::Bytes(body))
    }

    fn known_times(&self, file: &DayFile, id: i64) -> Option<Arc<[TimeNs]>> {
        match self.cache.get(key(file, TIMES_FORM, id)) {
            Some(Decoded::Times(times)) => Some(times),
            _ => None,
        }
    }

    fn times(&self, file: &DayFile, shared: &SharedTimes) -> Result<Arc<[TimeNs]>, chunk::Damaged> {
        let (id, body) = match shared {
            SharedTimes::Known(times) => return Ok(Arc::clone(times)),
            SharedTimes::Bytes { id, body } => (*id, body),
        };
        // Another part with these times was decoded since.
        if let Some(times) = self.known_times(file, id) {
            return Ok(times);
        }
        let times: Arc<[TimeNs]> = chunk::decode_times(body)?.into();
        self.cache.put(key(file, TIMES_FORM, id), Decoded::Times(Arc::clone(&times)));
        Ok(times)
    }

    /// The points of a part; None when it is damaged, which is noted.
    pub(super) fn block(&self, part: &Part) -> Option<Arc<Block>> {
        let (file, entry, body, times) = match &part.form {
            PartForm::Ready(block) => return Some(Arc::clone(block)),
            PartForm::Body { file, entry, body, times } => (file, entry, body, times),
        };
        let decoded = match times {
            Some(shared) => self.times(file, shared).and_then(|times| chunk::decode(body, Some(&times))),
            None => chunk::decode(body, None),
        };
        match decoded {
            Ok(block) => {
                let block = Arc::new(block);
                if self.keeps {
                    self.cache.put(own_key(file, entry), Decoded::Own(Arc::clone(&block)));
                }
                Some(block)
            }
            Err(error) => {
                self.damages.note(damage::of_entry(file, entry, error.to_string()), body);
                None
            }
        }
    }

    /// The points of a cluster in the range: hidden ones left out, at equal times the one that was sealed last. None: no point.
    pub(super) fn lay(&self, parts: &mut [Part], range: TimeRange, hides: &Hides) -> Option<Arc<Block>> {
        parts.sort_by_key(|part| part.seal);
        let blocks = parts.iter().filter_map(|part| Some((part.seal, self.block(part)?)));
        let seen = blocks.map(|(seal, block)| seen(seal, block, range, hides));
        seen.filter(|block| !block.is_empty()).reduce(|older, newer| laid(older, &newer))
    }
}

impl Part {
    fn of(entry: &Entry, form: PartForm) -> Self {
        Self { seal: entry.seal, first: entry.first, last: entry.last, form }
    }

    /// None for no points.
    fn ready(seal: Position, block: Arc<Block>) -> Option<Self> {
        let (first, last) = (block.first_time()?, block.last_time()?);
        Some(Self { seal, first, last, form: PartForm::Ready(block) })
    }
}

fn seen(seal: Position, block: Arc<Block>, range: TimeRange, hides: &Hides) -> Arc<Block> {
    let (Some(first), Some(last)) = (block.first_time(), block.last_time()) else { return block };
    let within = block.within(range);
    let whole = if within.len() == block.len() { block } else { Arc::new(block.cut(within)) };
    if hides.touches(seal, first, last) { Arc::new(hides.without(seal, &whole)) } else { whole }
}

/// How many points a cluster has and their extremes, when it is one chunk that lies in one bucket, of which nothing is left out, and that
/// says so without its columns being read. A bad one says nothing: it is told when it is read.
pub(super) fn told(cluster: &[Part], range: TimeRange, hides: &Hides, grid: &Grid) -> Option<Totals> {
    let [Part { seal, first, last, form: PartForm::Body { body, .. } }] = cluster else { return None };
    let is_whole = range.from <= *first && *last < range.to && !hides.touches(*seal, *first, *last);
    if !is_whole || grid.bucket(*first, TimeRange::ALL).to <= *last {
        return None;
    }
    let stats = chunk::stats(body).ok()?;
    Some(Totals { start: *first, count: stats.count as u64, sum: None, extremes: Some(stats.extremes()?), ends: None })
}

/// Parts that overlap in time, together; the clusters follow each other in time.
pub(super) fn clusters(mut parts: Vec<Part>) -> Vec<Vec<Part>> {
    parts.sort_by_key(|part| part.first);
    let mut clusters: Vec<Vec<Part>> = Vec::new();
    let mut end = TimeNs::MIN;
    for part in parts {
        let last = part.last;
        match clusters.last_mut() {
            Some(cluster) if part.first <= end => cluster.push(part),
            _ => clusters.push(vec![part]),
        }
        end = end.max(last);
    }
    clusters
}

/// The same as `over`. What follows is put behind, so that a day of many chunks is not copied for each.
fn laid(older: Arc<Block>, newer: &Block) -> Arc<Block> {
    if older.last_time() < newer.first_time() {
        let mut all = Arc::unwrap_or_clone(older);
        all.append(newer, 0..newer.len());
        return Arc::new(all);
    }
    Arc::new(over(&older, newer))
}

/// Both, `newer` where they have a time in common.
pub(super) fn over(older: &Block, newer: &Block) -> Block {
    if older.last_time() < newer.first_time() {
        let mut all = older.clone();
        all.append(newer, 0..newer.len());
        return all;
    }
    let mut all = Block::default();
    let (mut i, mut j) = (0, 0);
    while j < newer.len() {
        let until = i + older.times()[i..].partition_point(|t| *t < newer.times()[j]);
        all.append(older, i..until);
        i = until + usize::from(older.times().get(until) == Some(&newer.times()[j]));
        let next = older.times().get(i);
        let until = next.map_or(newer.len(), |next| j + newer.times()[j..].partition_point(|t| t < next));
        // At least the one at j: it comes before `next`, or it has just replaced it.
        all.append(newer, j..until.max(j + 1));
        j = until.max(j + 1);
    }
    all.append(older, i..older.len());
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::Value;

    #[test]
    fn what_was_sealed_later_stands() {
        for seed in 0..200 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut expected = BTreeMap::new();
            let mut block = |name: i64| {
                let mut block = Block::default();
                for _ in 0..rng.usize(0..12) {
                    let time = rng.i64(0..20);
                    drop(block.put(time, Value::Int(name * 100 + time), time));
                    expected.insert(time, name * 100 + time);
                }
                block
            };
            let (older, newer) = (block(1), block(2));
            let all = over(&older, &newer);
            let found: Vec<_> = (0..all.len()).map(|i| (all.times()[i], all.value(i))).collect();
            let expected: Vec<_> = expected.into_iter().map(|(time, value)| (time, Value::Int(value))).collect();
            assert_eq!(found, expected, "seed {seed}");
        }
    }
}
