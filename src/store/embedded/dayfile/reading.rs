//! What can be asked of a day file, and what its rows are without their bodies.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{Position, SeriesId, TimeNs, TimeRange};
use crate::store::embedded::extent::Stretch;
use crate::store::embedded::key::{self, FileKind};
use crate::store::embedded::sql;

/// A chunk or block without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::embedded) struct Entry {
    pub(in crate::store::embedded) id: i64,
    pub(in crate::store::embedded) seal: Position,
    pub(in crate::store::embedded) first: TimeNs,
    pub(in crate::store::embedded) last: TimeNs,
    pub(in crate::store::embedded) count: u32,
    pub(in crate::store::embedded) form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::embedded) enum Form {
    /// A series' own chunk; the row of its time column, if others share it.
    Own {
        series: SeriesId,
        times: Option<i64>,
    },
    Many {
        metric: u32,
        lo: SeriesId,
        hi: SeriesId,
    },
}

impl Entry {
    /// Of a block, the least.
    pub(in crate::store::embedded) fn series(&self) -> SeriesId {
        match self.form {
            Form::Own { series, .. } | Form::Many { lo: series, .. } => series,
        }
    }

    /// Whether a series lies between the ends of it.
    pub(in crate::store::embedded) fn holds(&self, series: SeriesId) -> bool {
        match self.form {
            Form::Own { series: own, .. } => own == series,
            Form::Many { lo, hi, .. } => lo <= series && series <= hi,
        }
    }

    /// Whether a series of this metric lies between the ends of a block.
    pub(in crate::store::embedded) fn holds_of(&self, series: SeriesId, metric: u32) -> bool {
        self.holds(series) && matches!(self.form, Form::Many { metric: own, .. } if own == metric)
    }

    pub(super) fn own(row: &Row<'_>) -> rusqlite::Result<Self> {
        let form = Form::Own { series: SeriesId(row.get(5)?), times: row.get(6)? };
        Self::with(row, form)
    }

    pub(super) fn many(row: &Row<'_>) -> rusqlite::Result<Self> {
        let form = Form::Many { metric: row.get(5)?, lo: SeriesId(row.get(6)?), hi: SeriesId(row.get(7)?) };
        Self::with(row, form)
    }

    fn with(row: &Row<'_>, form: Form) -> rusqlite::Result<Self> {
        let seal: i64 = row.get(1)?;
        Ok(Self { id: row.get(0)?, seal: Position(seal.cast_unsigned()), first: row.get(2)?, last: row.get(3)?, count: row.get(4)?, form })
    }
}

/// The greatest numbers of raw rows that a file of rollups names.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::store::embedded) struct Marks {
    pub(in crate::store::embedded) own: i64,
    pub(in crate::store::embedded) many: i64,
}

/// What stands of a series in own chunks: the greatest row number and seal.
#[derive(Clone, Copy, Debug)]
pub(in crate::store::embedded) struct OwnMark {
    pub(in crate::store::embedded) series: SeriesId,
    pub(in crate::store::embedded) id: i64,
    pub(in crate::store::embedded) seal: Position,
}

/// A row of rollups that may hold a series, without its body: who asks may have decoded it before.
#[derive(Clone, Copy, Debug)]
pub(in crate::store::embedded) struct RollupHead {
    pub(in crate::store::embedded) id: i64,
    pub(in crate::store::embedded) level: i64,
    pub(in crate::store::embedded) is_own: bool,
    pub(in crate::store::embedded) mark: i64,
    pub(in crate::store::embedded) lo: SeriesId,
    pub(in crate::store::embedded) hi: SeriesId,
    pub(in crate::store::embedded) seal: Position,
}

impl RollupHead {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (id, level, is_own, mark) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let (lo, hi, seal) = (SeriesId(row.get(4)?), SeriesId(row.get(5)?), row.get::<_, i64>(6)?);
        Ok(Self { id, level, is_own, mark, lo, hi, seal: Position(seal.cast_unsigned()) })
    }
}

/// A row of rollups without what it holds.
#[derive(Clone, Copy, Debug)]
pub(in crate::store::embedded) struct RollupSpan {
    pub(in crate::store::embedded) id: i64,
    pub(in crate::store::embedded) is_own: bool,
    pub(in crate::store::embedded) mark: i64,
    pub(in crate::store::embedded) lo: SeriesId,
    pub(in crate::store::embedded) hi: SeriesId,
    pub(in crate::store::embedded) seal: Position,
}

/// Rollups that may hold series `?2` to `?3` of the metric `?1`: own rows, and those of blocks, each by an index that finds them without a
/// walk over the own rows of other series. The plus keeps that of marks from being taken, which all own rows have alike.
fn of_series(columns: &str, more: &str) -> String {
    let own = format!("SELECT {columns} FROM rollups WHERE metric = ?1 AND lo BETWEEN ?2 AND ?3 AND +own = 1{more}");
    let of_blocks = format!("SELECT {columns} FROM rollups WHERE own = 0 AND metric = ?1 AND lo <= ?3 AND hi >= ?2{more}");
    format!("{own} UNION ALL {of_blocks}")
}

/// The plus keeps the index of marks from being taken, as in `of_series`.
const OWN_MARK: &str = "SELECT max(mark) FROM rollups WHERE metric = ?1 AND lo = ?2 AND +own = 1";

pub(super) const OWN: &str = "SELECT id, seal, first, last, count, series, times FROM chunks";
pub(super) const MANY: &str = "SELECT id, seal, first, last, count, metric, lo, hi FROM blocks";

/// What can be asked within one read transaction.
#[derive(Debug)]
pub(in crate::store::embedded) struct Reading<'a> {
    pub(super) db: &'a Connection,
}

impl Reading<'_> {
    /// What is asked from now on is of one moment. A transaction begins with what it reads first.
    pub(in crate::store::embedded) fn begin(&self) -> rusqlite::Result<()> {
        self.prepare("SELECT count(*) FROM (SELECT 1 FROM sqlite_schema LIMIT 1)")?.query_row([], |_| Ok(()))
    }

    pub(super) fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.db.prepare_cached(sql)
    }

    /// A series' own chunks that meet the range, sealed up to `seal`, by first time; at most `limit`.
    pub(in crate::store::embedded) fn own(
        &self,
        series: SeriesId,
        range: TimeRange,
        seal: Position,
        limit: u32,
    ) -> rusqlite::Result<Vec<Entry>> {
        // A chunk lies within one window: none that begins earlier than that can meet the range.
        let least = range.from.saturating_sub(key::WINDOW_NS);
        let mut ask = self.prepare(&format!(
            "{OWN} WHERE series = ?1 AND first >= ?2 AND first < ?3 AND last >= ?4 AND seal <= ?5 ORDER BY first LIMIT ?6"
        ))?;
        let found = ask.query_map(params![series.0, least, range.to, range.from, seal.0.cast_signed(), limit], Entry::own)?;
        found.collect()
    }

    /// Row numbers and first times of `own`, out of the index alone.
    pub(in crate::store::embedded) fn own_places(&self, series: SeriesId, range: TimeRange) -> rusqlite::Result<Vec<(i64, TimeNs)>> {
        let least = range.from.saturating_sub(key::WINDOW_NS);
        let sql = "SELECT id, first FROM chunks INDEXED BY chunks_series WHERE series = ?1 AND first >= ?2 AND first < ?3 ORDER BY first";
        self.prepare(sql)?.query_map(params![series.0, least, range.to], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// Row numbers and least series of blocks that may hold a series, out of the index alone.
    pub(in crate::store::embedded) fn many_places(&self, metric: u32, series: SeriesId) -> rusqlite::Result<Vec<(i64, SeriesId)>> {
        let sql = "SELECT id, lo FROM blocks INDEXED BY blocks_metric WHERE metric = ?1 AND lo <= ?2";
        self.prepare(sql)?.query_map(params![metric, series.0], |row| Ok((row.get(0)?, SeriesId(row.get(1)?))))?.collect()
    }

    pub(in crate::store::embedded) fn own_entry(&self, id: i64) -> rusqlite::Result<Option<Entry>> {
        self.prepare(&format!("{OWN} WHERE id = ?1"))?.query_row([id], Entry::own).optional()
    }

    pub(in crate::store::embedded) fn many_entry(&self, id: i64) -> rusqlite::Result<Option<Entry>> {
        self.prepare(&format!("{MANY} WHERE id = ?1"))?.query_row([id], Entry::many).optional()
    }

    /// The blocks in which a series of this metric may have points in the range.
    pub(in crate::store::embedded) fn many(
        &self,
        metric: u32,
        series: SeriesId,
        range: TimeRange,
        seal: Position,
    ) -> rusqlite::Result<Vec<Entry>> {
        let sql = format!("{MANY} WHERE metric = ?1 AND lo <= ?2 AND hi >= ?2 AND first < ?3 AND last >= ?4 AND seal <= ?5");
        let mut ask = self.prepare(&sql)?;
        let found = ask.query_map(params![metric, series.0, range.to, range.from, seal.0.cast_signed()], Entry::many)?;
        found.collect()
    }

    /// Every own chunk sealed up to `seal`, by series and first time, from a series on; at most `limit`.
    pub(in crate::store::embedded) fn all_own(&self, from: SeriesId, seal: Position, limit: u32) -> rusqlite::Result<Vec<Entry>> {
        let mut ask = self.prepare(&format!("{OWN} WHERE series >= ?1 AND seal <= ?2 ORDER BY series, first LIMIT ?3"))?;
        ask.query_map(params![from.0, seal.0.cast_signed(), limit], Entry::own)?.collect()
    }

    /// Every block sealed up to `seal`, by metric and least series.
    pub(in crate::store::embedded) fn all_many(&self, seal: Position) -> rusqlite::Result<Vec<Entry>> {
        let mut ask = self.prepare(&format!("{MANY} WHERE seal <= ?1 ORDER BY metric, lo, id"))?;
        ask.query_map([seal.0.cast_signed()], Entry::many)?.collect()
    }

    /// The series between these that have own chunks, sealed up to `seal`.
    pub(in crate::store::embedded) fn series_with_own(
        &self,
        lo: SeriesId,
        hi: SeriesId,
        seal: Position,
    ) -> rusqlite::Result<FxHashSet<SeriesId>> {
        let mut ask = self.prepare("SELECT DISTINCT series FROM chunks WHERE series BETWEEN ?1 AND ?2 AND seal <= ?3")?;
        ask.query_map(params![lo.0, hi.0, seal.0.cast_signed()], |row| row.get(0).map(SeriesId))?.collect()
    }

    /// A series' own chunks sealed up to `seal`, without their bodies.
    pub(in crate::store::embedded) fn stretches(&self, series: SeriesId, seal: Position) -> rusqlite::Result<Vec<Stretch>> {
        let mut ask = self.prepare("SELECT seal, first, last, count, length(body) FROM chunks WHERE series = ?1 AND seal <= ?2")?;
        let each = |row: &Row<'_>| {
            let (seal, points, bytes): (i64, i64, i64) = (row.get(0)?, row.get(3)?, row.get(4)?);
            let (seal, points, bytes) = (Position(seal.cast_unsigned()), points.cast_unsigned(), bytes.cast_unsigned());
            Ok(Stretch { seal, first: row.get(1)?, last: row.get(2)?, points, bytes })
        };
        ask.query_map(params![series.0, seal.0.cast_signed()], each)?.collect()
    }

    pub(in crate::store::embedded) fn has_own(&self, series: SeriesId) -> rusqlite::Result<bool> {
        self.prepare("SELECT EXISTS (SELECT 1 FROM chunks WHERE series = ?1)")?.query_row([series.0], |row| row.get(0))
    }

    pub(in crate::store::embedded) fn body(&self, entry: &Entry) -> rusqlite::Result<Vec<u8>> {
        let sql = match entry.form {
            Form::Own { .. } => "SELECT body FROM chunks WHERE id = ?1",
            Form::Many { .. } => "SELECT body FROM blocks WHERE id = ?1",
        };
        self.prepare(sql)?.query_row([entry.id], |row| row.get(0))
    }

    pub(in crate::store::embedded) fn times(&self, id: i64) -> rusqlite::Result<Vec<u8>> {
        self.prepare("SELECT body FROM times WHERE id = ?1")?.query_row([id], |row| row.get(0))
    }

    /// The series that have own chunks, from one on; at most `limit`.
    pub(in crate::store::embedded) fn own_marks(&self, from: SeriesId, seal: Position, limit: u32) -> rusqlite::Result<Vec<OwnMark>> {
        let sql =
            "SELECT series, max(id), max(seal) FROM chunks WHERE series >= ?1 AND seal <= ?2 GROUP BY series ORDER BY series LIMIT ?3";
        let mark = |row: &Row<'_>| {
            let seal: i64 = row.get(2)?;
            Ok(OwnMark { series: SeriesId(row.get(0)?), id: row.get(1)?, seal: Position(seal.cast_unsigned()) })
        };
        self.prepare(sql)?.query_map(params![from.0, seal.0.cast_signed(), limit], mark)?.collect()
    }

    /// In a file of rollups: which of these series, each with its metric, have rows of their own, with what those were made of.
    pub(in crate::store::embedded) fn rollup_marks(
        &self,
        of: impl IntoIterator<Item = (SeriesId, u32)>,
    ) -> rusqlite::Result<FxHashMap<SeriesId, i64>> {
        let mut ask = self.prepare(OWN_MARK)?;
        let mut marks = FxHashMap::default();
        for (series, metric) in of {
            if let Some(mark) = ask.query_row(params![metric, series.0], |row| row.get(0))? {
                marks.insert(series, mark);
            }
        }
        Ok(marks)
    }

    pub(in crate::store::embedded) fn greatest_marks(&self) -> rusqlite::Result<Marks> {
        let mut ask = self.prepare("SELECT coalesce(max(mark), 0) FROM rollups WHERE own = ?1")?;
        Ok(Marks { own: ask.query_row([true], |row| row.get(0))?, many: ask.query_row([false], |row| row.get(0))? })
    }

    /// Whether it gave numbers to rows.
    pub(super) fn has_numbers(&self) -> rusqlite::Result<bool> {
        self.prepare("SELECT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name IN ('chunks', 'blocks'))")?.query_row([], |row| row.get(0))
    }

    /// In a raw file: whether the block that a rollup names is there, or one of the own chunks that it was made of: their numbers ascend.
    pub(in crate::store::embedded) fn has_row(&self, is_own: bool, mark: i64, series: SeriesId) -> rusqlite::Result<bool> {
        if is_own {
            let mut ask = self.prepare("SELECT EXISTS (SELECT 1 FROM chunks WHERE series = ?1 AND id <= ?2)")?;
            return ask.query_row(params![series.0, mark], |row| row.get(0));
        }
        self.prepare("SELECT EXISTS (SELECT 1 FROM blocks WHERE id = ?1)")?.query_row([mark], |row| row.get(0))
    }

    /// The blocks that rows were made of.
    pub(in crate::store::embedded) fn rollup_blocks(&self) -> rusqlite::Result<FxHashSet<i64>> {
        self.prepare("SELECT DISTINCT mark FROM rollups WHERE own = 0")?.query_map([], |row| row.get(0))?.collect()
    }

    /// The blocks of which only some rows are there.
    pub(in crate::store::embedded) fn unfinished_rollups(&self) -> rusqlite::Result<FxHashSet<i64>> {
        // A file that was made before there were such has no table for them.
        if !sql::has_table(self.db, "unfinished")? {
            return Ok(FxHashSet::default());
        }
        self.prepare("SELECT mark FROM unfinished")?.query_map([], |row| row.get(0))?.collect()
    }

    pub(in crate::store::embedded) fn rollup_spans(&self, metric: u32) -> rusqlite::Result<Vec<RollupSpan>> {
        let each = |row: &Row<'_>| {
            let (lo, hi, seal) = (SeriesId(row.get(3)?), SeriesId(row.get(4)?), row.get::<_, i64>(5)?);
            Ok(RollupSpan { id: row.get(0)?, is_own: row.get(1)?, mark: row.get(2)?, lo, hi, seal: Position(seal.cast_unsigned()) })
        };
        self.prepare("SELECT id, own, mark, lo, hi, seal FROM rollups WHERE metric = ?1")?.query_map([metric], each)?.collect()
    }

    /// The bodies of a level with this mark that may hold a series from `lo` to `hi`, and whether they have numbers.
    pub(in crate::store::embedded) fn marked_rollups(
        &self,
        metric: u32,
        (lo, hi): (SeriesId, SeriesId),
        level: i64,
        mark: i64,
    ) -> rusqlite::Result<Vec<(Vec<u8>, bool)>> {
        let mut ask = self.prepare(&of_series("body, numbers", " AND level = ?4 AND mark = ?5"))?;
        ask.query_map(params![metric, lo.0, hi.0, level, mark], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// Every row that may hold a series.
    pub(in crate::store::embedded) fn rollup_heads(&self, metric: u32, series: SeriesId) -> rusqlite::Result<Vec<RollupHead>> {
        let mut ask = self.prepare(&of_series("id, level, own, mark, lo, hi, seal", ""))?;
        ask.query_map(params![metric, series.0, series.0], RollupHead::read)?.collect()
    }

    /// A row's level, whether it has numbers, and its body. None: it is not there any more.
    pub(in crate::store::embedded) fn rollup_body(&self, id: i64) -> rusqlite::Result<Option<(i64, bool, Vec<u8>)>> {
        let mut ask = self.prepare("SELECT level, numbers, body FROM rollups WHERE id = ?1")?;
        ask.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
    }

    /// Whether all these rows are there.
    pub(in crate::store::embedded) fn has_rollups(&self, ids: impl IntoIterator<Item = i64>) -> rusqlite::Result<bool> {
        let mut ask = self.prepare("SELECT EXISTS (SELECT 1 FROM rollups WHERE id = ?1)")?;
        ids.into_iter().try_fold(true, |all, id| Ok(all && ask.query_row([id], |row| row.get(0))?))
    }

    /// Points and bytes of bodies.
    pub(in crate::store::embedded) fn sums(&self) -> rusqlite::Result<(u64, u64)> {
        let sql = "SELECT (SELECT coalesce(sum(count), 0) FROM chunks) + (SELECT coalesce(sum(count), 0) FROM blocks), \
                   (SELECT coalesce(sum(length(body)), 0) FROM chunks) + (SELECT coalesce(sum(length(body)), 0) FROM blocks)";
        self.prepare(sql)?.query_row([], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned())))
    }

    /// The time behind the oldest rows that take so many bytes together. None: there are no rows.
    pub(in crate::store::embedded) fn end_of_oldest(&self, bytes: u64) -> rusqlite::Result<Option<TimeNs>> {
        let sql = "SELECT last, length(body) FROM chunks UNION ALL SELECT last, length(body) FROM blocks ORDER BY last";
        let mut ask = self.prepare(sql)?;
        let mut rows = ask.query([])?;
        let (mut end, mut sum) = (None, 0_u64);
        while sum < bytes
            && let Some(row) = rows.next()?
        {
            end = Some(row.get::<_, TimeNs>(0)?.saturating_add(1));
            sum += row.get::<_, i64>(1)?.cast_unsigned();
        }
        Ok(end)
    }

    /// Surely so: a page that was damaged to look empty is not.
    pub(in crate::store::embedded) fn is_empty(&self, kind: FileKind) -> rusqlite::Result<bool> {
        let sql = match kind {
            FileKind::Raw => "SELECT NOT EXISTS (SELECT 1 FROM chunks) AND NOT EXISTS (SELECT 1 FROM blocks)",
            FileKind::Rollup => "SELECT NOT EXISTS (SELECT 1 FROM rollups)",
        };
        let has_no_rows: bool = self.prepare(sql)?.query_row([], |row| row.get(0))?;
        Ok(has_no_rows && self.db.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0))? == "ok")
    }

    /// Merges looked at everything that was sealed up to here.
    pub(in crate::store::embedded) fn merged_up_to(&self) -> rusqlite::Result<Position> {
        self.prepare("SELECT up_to FROM merged")?.query_row([], |row| row.get(0)).map(|up_to: i64| Position(up_to.cast_unsigned()))
    }

    /// Whether something was sealed since the last merge, up to `seal`.
    pub(in crate::store::embedded) fn is_dirty(&self, seal: Position) -> rusqlite::Result<bool> {
        let since = "seal > ?1 AND seal <= ?2";
        let sql = format!("SELECT EXISTS (SELECT 1 FROM chunks WHERE {since}) OR EXISTS (SELECT 1 FROM blocks WHERE {since})");
        let (merged, seal) = (self.merged_up_to()?.0.cast_signed(), seal.0.cast_signed());
        self.prepare(&sql)?.query_row([merged, seal], |row| row.get(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(sql: &str, values: &[i64]) -> Vec<String> {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(super::super::ROLLUP.sql).unwrap();
        let mut ask = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan = ask.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3)).unwrap().map(Result::unwrap);
        plan.filter(|step| step.starts_with('S')).collect()
    }

    #[test]
    fn who_looks_for_rollups_of_a_series_walks_over_none_that_others_have_of_their_own() {
        let by = |by: &str| format!("SEARCH rollups USING INDEX {by}");
        let expected = ["rollups_metric (metric=? AND lo>? AND lo<?)", "rollups_blocks (metric=? AND lo<?)"].map(by);
        assert_eq!(steps(&of_series("id, level", ""), &[1, 2, 2]), expected);
        assert_eq!(steps(OWN_MARK, &[1, 2]), [by("rollups_metric (metric=? AND lo=?)")]);
    }
}
