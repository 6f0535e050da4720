//! Rows of the table `series`.

use std::sync::Arc;

use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, Row, params};

use super::sealed::{Restore, SealedSeries};
use super::sums::{self, Sum};
use crate::model::{Kind, Labels, SeriesDef, SeriesId, SeriesKey, TokenId, ValueType};
use crate::series::SeriesMeta;

const WRITE: &str = "INSERT OR REPLACE INTO series (id, device, metric, labels, type, owner, unit, kind, changed, created, sum) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const READ: &str = "SELECT id, device, metric, labels, type, owner, unit, kind, changed, created, sum FROM series ORDER BY id";

/// Gives the greatest id.
pub(super) fn write(db: &Connection, all: impl Iterator<Item = SealedSeries>) -> rusqlite::Result<Option<SeriesId>> {
    let mut statement = db.prepare(WRITE)?;
    let mut labels = String::new();
    let mut greatest = None;
    for SealedSeries { def, meta, created } in all {
        let key = &def.key;
        write_labels(&mut labels, &key.labels);
        let (value_type, kind) = (def.value_type.as_str(), meta.kind.map(Kind::as_str));
        let unit = meta.unit.as_deref();
        let sum = Sum::default().int(def.id.0).text(&key.device).text(&key.metric).text(&labels).text(value_type).int(def.owner.0);
        let sum = sum.text_or_null(unit).text_or_null(kind).int_or_null(meta.changed).int(created).value();
        let row = params![def.id.0, &*key.device, &*key.metric, labels, value_type, def.owner.0, unit, kind, meta.changed, created, sum];
        statement.execute(row)?;
        greatest = greatest.max(Some(def.id));
    }
    Ok(greatest)
}

/// Those whose row does not match its checksum are `nameless`, behind all others.
pub(super) fn read(db: &Connection, to: &mut dyn Restore) -> rusqlite::Result<()> {
    let mut statement = db.prepare(READ)?;
    let (mut rows, mut nameless) = (statement.query([])?, Vec::new());
    while let Some(row) = rows.next()? {
        if sums::is_right(row, sums::SERIES)? {
            to.series(read_row(row)?);
        } else {
            nameless.push(read_nameless(row)?);
        }
    }
    nameless.into_iter().for_each(|series| to.nameless(series));
    Ok(())
}

fn read_nameless(row: &Row<'_>) -> rusqlite::Result<SealedSeries> {
    let id = SeriesId(row.get(0)?);
    let value_type = text(row, 4).ok().and_then(parse_type).unwrap_or(ValueType::Number);
    let def = SeriesDef { id, key: SeriesKey::unnamed(id), value_type, owner: TokenId(0) };
    Ok(SealedSeries { def, meta: SeriesMeta::default(), created: 0 })
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<SealedSeries> {
    let key = SeriesKey { device: text(row, 1)?.into(), metric: text(row, 2)?.into(), labels: read_labels(text(row, 3)?) };
    let value_type = parsed(row, 4, parse_type)?;
    let kind = if row.get_ref(7)? == ValueRef::Null { None } else { Some(parsed(row, 7, Kind::parse)?) };
    let unit = if row.get_ref(6)? == ValueRef::Null { None } else { Some(Arc::from(text(row, 6)?)) };
    Ok(SealedSeries {
        def: SeriesDef { id: SeriesId(row.get(0)?), key, value_type, owner: TokenId(row.get(5)?) },
        meta: SeriesMeta { unit, kind, changed: row.get(8)? },
        created: row.get(9)?,
    })
}

/// Borrowed: a million rows are read at a start.
fn text<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a str> {
    Ok(row.get_ref(column)?.as_str()?)
}

fn parsed<T>(row: &Row<'_>, column: usize, parse: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text = text(row, column)?;
    let unknown = || rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("{text:?} is not known here").into());
    parse(text).ok_or_else(unknown)
}

fn parse_type(text: &str) -> Option<ValueType> {
    [ValueType::Number, ValueType::Bool, ValueType::Text].into_iter().find(|known| known.as_str() == text)
}

fn write_labels(out: &mut String, labels: &Labels) {
    out.clear();
    for (name, value) in labels.iter() {
        debug_assert!(!name.contains(['\t', '\n']) && !value.contains(['\t', '\n']), "control characters are refused at the door");
        for part in [name, "\t", value, "\n"] {
            out.push_str(part);
        }
    }
}

fn read_labels(text: &str) -> Labels {
    Labels::from_pairs(text.split_terminator('\n').filter_map(|line| line.split_once('\t')))
}
