//! The rows of a file by their numbers, past those that cannot be read: what is left where an index or a page is damaged.

use std::ops::RangeInclusive;

use rusqlite::{CachedStatement, OptionalExtension, Row};

use super::reading::{Entry, MANY, OWN, Reading, RollupHead};
use crate::sqlite::is_damage;

/// Numbers that are tried behind each other without a row, where nothing says which was given last.
const MISSES_MAX: i64 = 100_000;
/// More than a page has. From then on longer and longer steps are made, where it is known which was given last: numbers may begin far up.
const ONE_BY_ONE: i64 = 1_000;

/// What was found of a table.
#[derive(Debug)]
pub(in crate::store::embedded) struct Walked<T> {
    pub(in crate::store::embedded) rows: Vec<T>,
    /// Numbers whose rows cannot be read, as far as they have any.
    pub(in crate::store::embedded) lost: Vec<RangeInclusive<i64>>,
}

impl Reading<'_> {
    pub(in crate::store::embedded) fn walk_own(&self) -> rusqlite::Result<Walked<Entry>> {
        self.walk("chunks", OWN, Entry::own)
    }

    pub(in crate::store::embedded) fn walk_many(&self) -> rusqlite::Result<Walked<Entry>> {
        self.walk("blocks", MANY, Entry::many)
    }

    /// Each with its metric.
    pub(in crate::store::embedded) fn walk_rollups(&self) -> rusqlite::Result<Walked<(u32, RollupHead)>> {
        let with_metric = |row: &Row<'_>| Ok((row.get(7)?, RollupHead::read(row)?));
        self.walk("rollups", "SELECT id, level, own, mark, lo, hi, seal, metric FROM rollups", with_metric)
    }

    /// `select` gives the number first. Bodies are not read here: they may lie in other pages.
    fn walk<T>(&self, table: &str, select: &str, read: impl Fn(&Row<'_>) -> rusqlite::Result<T>) -> rusqlite::Result<Walked<T>> {
        let mut ask = self.prepare(&format!("{select} NOT INDEXED WHERE id >= ?1 ORDER BY id"))?;
        let last = self.last_number(table);
        let (mut walked, mut next, mut misses) = (Walked { rows: Vec::new(), lost: Vec::new() }, 1, 0);
        while last.map_or(misses < MISSES_MAX, |last| next <= last) {
            let mut rows = ask.query([next])?;
            let stopped = loop {
                match rows.next() {
                    Ok(Some(row)) => {
                        let id: i64 = row.get(0)?;
                        match read(row) {
                            Ok(found) => walked.rows.push(found),
                            Err(_) => walked.lose(id..=id),
                        }
                        (next, misses) = (id.saturating_add(1), 0);
                    }
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            match stopped {
                None => break,
                // All numbers of the page fail; behind it the rows go on.
                Some(error) if is_damage(&error) => {
                    drop(rows);
                    let behind = match last.filter(|_| misses >= ONE_BY_ONE) {
                        Some(last) => behind(&mut ask, next, last)?,
                        None => next.saturating_add(1),
                    };
                    walked.lose(next..=behind - 1);
                    (next, misses) = (behind, misses + 1);
                }
                Some(error) => return Err(error),
            }
        }
        Ok(walked)
    }

    /// None: that cannot be read either.
    fn last_number(&self, table: &str) -> Option<i64> {
        let given = self.prepare("SELECT seq FROM sqlite_sequence WHERE name = ?1");
        let given = given.and_then(|mut ask| ask.query_row([table], |row| row.get(0)).optional());
        let greatest = || self.db.query_row(&format!("SELECT coalesce(max(id), 0) FROM {table}"), [], |row| row.get(0)).ok();
        given.map_or_else(|_| greatest(), |given| given.or_else(greatest))
    }
}

/// The least number behind one that failed from which on there are rows that can be read, or none any more.
fn behind(ask: &mut CachedStatement<'_>, failed: i64, last: i64) -> rusqlite::Result<i64> {
    let (mut bad, mut step) = (failed, 1_i64);
    let mut good = loop {
        let next = bad.saturating_add(step);
        if next > last {
            break last.saturating_add(1);
        }
        if reads(ask, next)? {
            break next;
        }
        (bad, step) = (next, step.saturating_mul(2));
    };
    while good - bad > 1 {
        let middle = bad + (good - bad) / 2;
        if reads(ask, middle)? {
            good = middle;
        } else {
            bad = middle;
        }
    }
    Ok(good)
}

fn reads(ask: &mut CachedStatement<'_>, from: i64) -> rusqlite::Result<bool> {
    match ask.query([from])?.next() {
        Ok(_) => Ok(true),
        Err(error) if is_damage(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

impl<T> Walked<T> {
    fn lose(&mut self, ids: RangeInclusive<i64>) {
        match self.lost.last_mut() {
            Some(last) if last.end() + 1 == *ids.start() => *last = *last.start()..=*ids.end(),
            _ => self.lost.push(ids),
        }
    }
}
