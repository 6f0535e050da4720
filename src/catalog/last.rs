//! Rows of the table `last`. Written by the hundred thousand at each seal: columns are bound one by one, without a list of
//! parameters in between.

use rusqlite::types::{FromSqlError, Type, ValueRef};
use rusqlite::{Connection, Row, Statement};

use super::sealed::{Restore, SealedLast};
use super::sums::{self, Sum};
use crate::head::LastKnown;
use crate::model::{SeriesId, Value};

const WRITE: &str =
    "INSERT OR REPLACE INTO last (series, time, value, seen, changed, settled, stored_until, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const READ: &str = "SELECT series, time, value, seen, changed, settled, stored_until, sum FROM last ORDER BY series";

/// Gives the greatest id.
pub(super) fn write(db: &Connection, all: impl Iterator<Item = SealedLast>) -> rusqlite::Result<Option<SeriesId>> {
    let mut statement = db.prepare(WRITE)?;
    let mut greatest = None;
    for row in all {
        greatest = greatest.max(Some(row.id));
        bind(&mut statement, &row)?;
        statement.raw_execute()?;
    }
    Ok(greatest)
}

fn bind(statement: &mut Statement<'_>, row: &SealedLast) -> rusqlite::Result<()> {
    let last = row.last.as_ref();
    statement.raw_bind_parameter(1, row.id.0)?;
    statement.raw_bind_parameter(2, last.map(|last| last.time))?;
    match last.map(|last| &last.value) {
        None => statement.raw_bind_parameter(3, rusqlite::types::Null)?,
        Some(Value::Int(i)) => statement.raw_bind_parameter(3, i)?,
        Some(Value::Float(f)) => statement.raw_bind_parameter(3, f)?,
        Some(Value::Bool(b)) => statement.raw_bind_parameter(3, [u8::from(*b)].as_slice())?,
        Some(Value::Text(text)) => statement.raw_bind_parameter(3, &**text)?,
    }
    statement.raw_bind_parameter(4, last.map(|last| last.seen))?;
    statement.raw_bind_parameter(5, last.map(|last| last.changed))?;
    statement.raw_bind_parameter(6, last.map(|last| last.settled))?;
    statement.raw_bind_parameter(7, row.stored_until)?;
    statement.raw_bind_parameter(8, sum_of(row))
}

fn sum_of(row: &SealedLast) -> i64 {
    let last = row.last.as_ref();
    let sum = Sum::default().int(row.id.0).int_or_null(last.map(|last| last.time));
    let sum = match last.map(|last| &last.value) {
        None => sum.with(ValueRef::Null),
        Some(Value::Int(i)) => sum.int(*i),
        Some(Value::Float(f)) => sum.with(ValueRef::Real(*f)),
        Some(Value::Bool(b)) => sum.with(ValueRef::Blob(&[u8::from(*b)])),
        Some(Value::Text(text)) => sum.text(text),
    };
    let sum = sum.int_or_null(last.map(|last| last.seen)).int_or_null(last.map(|last| last.changed));
    sum.int_or_null(last.map(|last| last.settled)).int(row.stored_until).value()
}

pub(super) fn read(db: &Connection, to: &mut dyn Restore) -> rusqlite::Result<()> {
    let mut statement = db.prepare(READ)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if sums::is_right(row, sums::LAST)? {
            to.last(read_row(row)?);
        } else {
            to.lost_last(SeriesId(row.get(0)?));
        }
    }
    Ok(())
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<SealedLast> {
    let last = match row.get_ref(1)? {
        ValueRef::Null => None,
        _ => Some(LastKnown { time: row.get(1)?, value: read_value(row)?, seen: row.get(3)?, changed: row.get(4)?, settled: row.get(5)? }),
    };
    Ok(SealedLast { id: SeriesId(row.get(0)?), last, stored_until: row.get(6)? })
}

fn read_value(row: &Row<'_>) -> rusqlite::Result<Value> {
    let value = row.get_ref(2)?;
    Ok(match value {
        ValueRef::Integer(i) => Value::Int(i),
        ValueRef::Real(f) if f.is_finite() => Value::Float(f),
        ValueRef::Text(_) => Value::Text(value.as_str()?.into()),
        ValueRef::Blob([bool @ (0 | 1)]) => Value::Bool(*bool == 1),
        _ => return Err(rusqlite::Error::FromSqlConversionFailure(2, Type::Blob, FromSqlError::InvalidType.into())),
    })
}
