//! A crc32c in each row of what cannot be told otherwise: SQLite finds broken pages, not a bit that flipped within a name or a number.
//! A row whose checksum is another costs itself alone, and `telltale check` names it. Rows of older builds get theirs by the upgrade.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// A table, its key, and the columns that are summed up, in this order; `sum` stands behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summed {
    table: &'static str,
    key: &'static str,
    columns: &'static str,
    count: usize,
}

pub(super) const SERIES: Summed =
    Summed { table: "series", key: "id", columns: "id, device, metric, labels, type, owner, unit, kind, changed, created", count: 10 };
pub(super) const LAST: Summed =
    Summed { table: "last", key: "series", columns: "series, time, value, seen, changed, settled, stored_until", count: 7 };
pub(super) const SEALED: Summed = Summed { table: "sealed", key: "one", columns: "one, up_to, wall, next_series", count: 4 };
pub(super) const TOKENS: Summed =
    Summed { table: "tokens", key: "id", columns: "id, name, role, devices, selector, hash, created, revoked", count: 8 };
const ALL: [Summed; 4] = [SERIES, LAST, SEALED, TOKENS];
/// Bad rows of a table that are named.
const NAMED: usize = 100;

/// Grows with each value: its type, then its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum(u32);

impl Sum {
    #[must_use]
    pub(super) fn with(self, value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => self.bytes(0, &[]),
            ValueRef::Integer(i) => self.bytes(1, &i.to_le_bytes()),
            ValueRef::Real(f) => self.bytes(2, &f.to_bits().to_le_bytes()),
            ValueRef::Text(text) => self.bytes(3, text),
            ValueRef::Blob(blob) => self.bytes(4, blob),
        }
    }

    /// The length too, so that what one value lost is not taken for the next one's.
    fn bytes(self, kind: u8, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
        let head = [kind, length[0], length[1], length[2], length[3]];
        Self(crc32c::crc32c_append(crc32c::crc32c_append(self.0, &head), bytes))
    }

    #[must_use]
    pub(super) fn int(self, value: impl Into<i64>) -> Self {
        self.with(ValueRef::Integer(value.into()))
    }

    #[must_use]
    pub(super) fn int_or_null(self, value: Option<impl Into<i64>>) -> Self {
        self.with(value.map_or(ValueRef::Null, |value| ValueRef::Integer(value.into())))
    }

    #[must_use]
    pub(super) fn text(self, text: &str) -> Self {
        self.with(ValueRef::Text(text.as_bytes()))
    }

    #[must_use]
    pub(super) fn text_or_null(self, text: Option<&str>) -> Self {
        self.with(text.map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes())))
    }

    pub(super) fn value(self) -> i64 {
        i64::from(self.0)
    }
}

/// Of a row that begins with these columns, with `sum` behind them.
pub(super) fn is_right(row: &Row<'_>, of: Summed) -> rusqlite::Result<bool> {
    match row.get_ref(of.count)? {
        ValueRef::Null => Ok(true),
        ValueRef::Integer(told) => Ok(sum_of(row, of)? == told),
        _ => Ok(false),
    }
}

fn sum_of(row: &Row<'_>, of: Summed) -> rusqlite::Result<i64> {
    let mut sum = Sum::default();
    for at in 0..of.count {
        sum = sum.with(row.get_ref(at)?);
    }
    Ok(sum.value())
}

/// The same of the row with this key. A row that is not there is.
pub(super) fn row_is_right(db: &Connection, of: Summed, key: i64) -> rusqlite::Result<bool> {
    let Summed { table, columns, key: name, .. } = of;
    let mut ask = db.prepare_cached(&format!("SELECT {columns}, sum FROM {table} WHERE {name} = ?1"))?;
    Ok(ask.query_row([key], |row| is_right(row, of)).optional()?.unwrap_or(true))
}

/// After a row was changed.
pub(super) fn put(db: &Connection, of: Summed, key: i64) -> rusqlite::Result<()> {
    let Summed { table, columns, key: name, .. } = of;
    let mut ask = db.prepare_cached(&format!("SELECT {columns} FROM {table} WHERE {name} = ?1"))?;
    let sum: Option<i64> = ask.query_row([key], |row| sum_of(row, of)).optional()?;
    db.prepare_cached(&format!("UPDATE {table} SET sum = ?1 WHERE {name} = ?2"))?.execute(params![sum, key]).map(drop)
}

/// After all rows of a table were changed.
pub(super) fn put_all(db: &Connection, of: Summed) -> rusqlite::Result<()> {
    let mut ask = db.prepare(&format!("SELECT {} FROM {}", of.key, of.table))?;
    let keys: Vec<i64> = ask.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    keys.into_iter().try_for_each(|key| put(db, of, key))
}

/// By the upgrade: what is there is taken for right.
pub(super) fn put_everywhere(db: &Connection) -> rusqlite::Result<()> {
    ALL.into_iter().try_for_each(|of| put_all(db, of))
}

/// What does not match, a line each.
pub(super) fn check(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut bad = Vec::new();
    for of in ALL {
        let Summed { table, columns, count, .. } = of;
        let mut ask = db.prepare(&format!("SELECT {columns}, sum FROM {table}"))?;
        let (mut rows, mut found) = (ask.query([])?, 0);
        while let Some(row) = rows.next()? {
            if !is_right(row, of)? {
                found += 1;
                if found <= NAMED {
                    let key = row.get::<_, i64>(0)?;
                    bad.push(format!("{table} row {key}: one of its {count} values is not what was written"));
                }
            }
        }
        if found > NAMED {
            bad.push(format!("{table}: {} more rows like these", found - NAMED));
        }
    }
    Ok(bad)
}
