//! The payload of a batch record: names in full, once per batch, then the rows. The byte table is in `SPOOL.md`.
//!
//! Invariant: `decode(encode(batch)) == batch`, and no input makes `decode` panic or allocate more than a small multiple
//! of its length.

use std::collections::HashMap;

use telltale_wire::WireError;
use telltale_wire::reader::{Reader, put_text};
use telltale_wire::varint::{put as put_varint, unzigzag, zigzag};

use crate::reading::{Kind, Reading, Value};

/// The names of a series as the sender gave them, with the unit and kind that came along.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SeriesNames {
    pub(crate) device: String,
    pub(crate) metric: String,
    /// Sorted by name.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) unit: Option<String>,
    pub(crate) kind: Option<Kind>,
}

/// One value of the batch's series number `series`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) series: u32,
    pub(crate) time_ns: i64,
    pub(crate) value: Value,
}

/// What one record holds, and what one frame carries.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Batch {
    /// How often the hub asked for these rows again; 0 for what was pushed.
    pub(crate) tries: u8,
    pub(crate) series: Vec<SeriesNames>,
    pub(crate) rows: Vec<Row>,
}

const VERSION: u8 = 1;
const NO_STRING: u64 = 0;

/// Bytes that the shortest row, series, label and text take.
const ROW_BYTES_MIN: u64 = 3;
const SERIES_BYTES_MIN: u64 = 5;
const LABEL_BYTES_MIN: u64 = 2;
const TEXT_BYTES_MIN: u64 = 1;

impl Batch {
    /// Gathers readings into series and rows, in their order. A reading without a time gets `now_ns`.
    pub(crate) fn from_readings(readings: Vec<Reading>, now_ns: i64) -> Batch {
        let mut batch = Batch { tries: 0, series: Vec::new(), rows: Vec::with_capacity(readings.len()) };
        let mut numbers: HashMap<SeriesNames, u32> = HashMap::new();
        for reading in readings {
            let Reading { device, metric, mut labels, time, value, unit, kind } = reading;
            labels.sort_unstable();
            let names = SeriesNames { device, metric, labels, unit, kind };
            let next = u32::try_from(numbers.len()).expect("a batch is bounded far below u32");
            let series = *numbers.entry(names).or_insert_with_key(|names| {
                batch.series.push(names.clone());
                next
            });
            batch.rows.push(Row { series, time_ns: time.unwrap_or(now_ns), value });
        }
        batch
    }

    /// The chosen rows as a batch of their own, with the series that they use.
    pub(crate) fn select(&self, rows: impl Iterator<Item = usize>, tries: u8) -> Batch {
        let mut chosen = Batch { tries, ..Batch::default() };
        let mut numbers: HashMap<u32, u32> = HashMap::new();
        for row in rows.filter_map(|index| self.rows.get(index)) {
            let next = u32::try_from(numbers.len()).expect("a batch is bounded far below u32");
            let series = *numbers.entry(row.series).or_insert_with_key(|old| {
                chosen.series.push(self.series[*old as usize].clone());
                next
            });
            chosen.rows.push(Row { series, ..row.clone() });
        }
        chosen
    }
}

/// Writes a batch as the payload of a record.
pub(crate) fn encode(batch: &Batch) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + batch.rows.len() * 12);
    out.push(VERSION);
    out.push(batch.tries);
    put_varint(&mut out, batch.rows.len() as u64);
    put_series(&mut out, &batch.series);
    let mut before_ns = 0_i64;
    for row in &batch.rows {
        put_varint(&mut out, u64::from(row.series));
        put_varint(&mut out, zigzag(row.time_ns.wrapping_sub(before_ns)));
        before_ns = row.time_ns;
        put_value(&mut out, &row.value);
    }
    out
}

/// How many rows a payload holds, without reading them.
pub(crate) fn row_count(payload: &[u8]) -> Result<u32, WireError> {
    head(&mut Reader::new(payload)).map(|(_, rows)| rows)
}

/// Reads a payload whole. An error after the checksum was right: it was written by another version, or by a defect.
pub(crate) fn decode(payload: &[u8]) -> Result<Batch, WireError> {
    let mut reader = Reader::new(payload);
    let (tries, row_count) = head(&mut reader)?;
    let series = read_series(&mut reader)?;
    // The count is checked against what is there before anything is reserved.
    let needed = u64::from(row_count) * ROW_BYTES_MIN;
    if needed > reader.left() as u64 {
        return Err(WireError::Truncated { part: "rows", at: reader.at(), needed, left: reader.left() });
    }
    let mut rows = Vec::with_capacity(row_count as usize);
    let mut before_ns = 0_i64;
    for _ in 0..row_count {
        let at = reader.at();
        let number = reader.varint_u32("row.series")?;
        if number as usize >= series.len() {
            return Err(WireError::BadValue { part: "row.series", at, found: number.into(), expected: "a series that is listed" });
        }
        let time_ns = before_ns.wrapping_add(unzigzag(reader.varint("row.time")?));
        before_ns = time_ns;
        rows.push(Row { series: number, time_ns, value: read_value(&mut reader)? });
    }
    reader.end("rows")?;
    Ok(Batch { tries, series, rows })
}

/// Strings first, each once, then the series as numbers of strings: devices, units and label names repeat.
fn put_series(out: &mut Vec<u8>, series: &[SeriesNames]) {
    let mut strings: Vec<&str> = Vec::new();
    let mut numbers: HashMap<&str, u64> = HashMap::new();
    let mut number_of = |text| {
        *numbers.entry(text).or_insert_with(|| {
            strings.push(text);
            strings.len() as u64
        })
    };
    let mut table = Vec::new();
    for names in series {
        put_varint(&mut table, number_of(&names.device));
        put_varint(&mut table, number_of(&names.metric));
        put_varint(&mut table, names.labels.len() as u64);
        for (name, value) in &names.labels {
            put_varint(&mut table, number_of(name));
            put_varint(&mut table, number_of(value));
        }
        put_varint(&mut table, names.unit.as_deref().map_or(NO_STRING, &mut number_of));
        table.push(kind_byte(names.kind));
    }
    put_varint(out, strings.len() as u64);
    for text in strings {
        put_text(out, text);
    }
    put_varint(out, series.len() as u64);
    out.extend_from_slice(&table);
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Bool(false) => out.push(0),
        Value::Bool(true) => out.push(1),
        Value::Int(int) => {
            out.push(2);
            put_varint(out, zigzag(*int));
        }
        Value::Float(float) => {
            out.push(3);
            out.extend_from_slice(&float.to_le_bytes());
        }
        Value::Text(text) => {
            out.push(4);
            put_text(out, text);
        }
    }
}

fn kind_byte(kind: Option<Kind>) -> u8 {
    match kind {
        None => 0,
        Some(Kind::Gauge) => 1,
        Some(Kind::Counter) => 2,
        Some(Kind::State) => 3,
        Some(Kind::Text) => 4,
    }
}

/// Tries and rows.
fn head(reader: &mut Reader<'_>) -> Result<(u8, u32), WireError> {
    let version = reader.u8("version")?;
    if version != VERSION {
        return Err(WireError::BadValue { part: "version", at: 0, found: version.into(), expected: "1" });
    }
    Ok((reader.u8("tries")?, reader.varint_u32("row count")?))
}

fn read_series(reader: &mut Reader<'_>) -> Result<Vec<SeriesNames>, WireError> {
    let count = reader.count("strings", TEXT_BYTES_MIN)?;
    let strings = (0..count).map(|_| reader.text("string")).collect::<Result<Vec<_>, _>>()?;
    let count = reader.count("series", SERIES_BYTES_MIN)?;
    let mut series = Vec::with_capacity(count);
    for _ in 0..count {
        let device = string(reader, &strings)?;
        let metric = string(reader, &strings)?;
        let mut labels = Vec::new();
        for _ in 0..reader.count("labels", LABEL_BYTES_MIN)? {
            labels.push((string(reader, &strings)?, string(reader, &strings)?));
        }
        let unit = string_or_none(reader, &strings)?;
        series.push(SeriesNames { device, metric, labels, unit, kind: read_kind(reader)? });
    }
    Ok(series)
}

fn string(reader: &mut Reader<'_>, strings: &[&str]) -> Result<String, WireError> {
    let at = reader.at();
    string_or_none(reader, strings)?.ok_or_else(|| not_listed(at, NO_STRING))
}

fn string_or_none(reader: &mut Reader<'_>, strings: &[&str]) -> Result<Option<String>, WireError> {
    let at = reader.at();
    let number = reader.varint("string number")?;
    if number == NO_STRING {
        return Ok(None);
    }
    let listed = usize::try_from(number - 1).ok().and_then(|index| strings.get(index));
    listed.map(|text| Some((*text).to_owned())).ok_or_else(|| not_listed(at, number))
}

fn not_listed(at: usize, found: u64) -> WireError {
    WireError::BadValue { part: "string number", at, found, expected: "a string that is listed" }
}

fn read_kind(reader: &mut Reader<'_>) -> Result<Option<Kind>, WireError> {
    let at = reader.at();
    Ok(match reader.u8("kind")? {
        0 => None,
        1 => Some(Kind::Gauge),
        2 => Some(Kind::Counter),
        3 => Some(Kind::State),
        4 => Some(Kind::Text),
        found => return Err(WireError::BadValue { part: "kind", at, found: found.into(), expected: "0-4" }),
    })
}

fn read_value(reader: &mut Reader<'_>) -> Result<Value, WireError> {
    let at = reader.at();
    Ok(match reader.u8("value type")? {
        0 => Value::Bool(false),
        1 => Value::Bool(true),
        2 => Value::Int(unzigzag(reader.varint("int")?)),
        3 => Value::Float(reader.f64("float")?),
        4 => Value::Text(reader.text("text")?.to_owned()),
        found => return Err(WireError::BadValue { part: "value type", at, found: found.into(), expected: "0-4" }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Batch {
        let day = 1_795_396_030_000_000_000;
        Batch::from_readings(
            vec![
                Reading::new("pump-1", "temperature", 21.5).label("z", "1").label("a", "2").unit("°C"),
                Reading::new("pump-1", "temperature", f64::MIN_POSITIVE).label("a", "2").label("z", "1").unit("°C").at(day),
                Reading::new("pump-1", "turns", i64::MIN).kind(Kind::Counter).at(i64::MAX),
                Reading::new("pump-2", "turns", i64::MAX).kind(Kind::Counter).at(i64::MIN),
                Reading::new("pump-2", "open", true).kind(Kind::State),
                Reading::new("pump-2", "mode", "größer").kind(Kind::Text).at(-1),
            ],
            day + 7,
        )
    }

    #[test]
    fn a_batch_comes_back_as_it_went_in() {
        let batch = sample();
        assert_eq!(batch.series.len(), 5, "label order makes no second series");
        assert_eq!(batch.rows[0].time_ns, 1_795_396_030_000_000_007, "the time of the push where none was given");
        let bytes = encode(&batch);
        assert_eq!(decode(&bytes).unwrap(), batch);
        assert_eq!(row_count(&bytes).unwrap(), 6);
        assert_eq!(decode(&encode(&Batch::default())).unwrap(), Batch::default());
    }

    #[test]
    fn selected_rows_keep_their_names() {
        let batch = sample();
        let chosen = batch.select([5, 2, 99].into_iter(), 3);
        assert_eq!(chosen.tries, 3);
        let names = |row: &Row| chosen.series[row.series as usize].clone();
        assert_eq!(chosen.rows.iter().map(|row| names(row).metric).collect::<Vec<_>>(), ["mode", "turns"]);
        assert_eq!(chosen.rows[1].value, Value::Int(i64::MIN));
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_an_error_or_another_batch_never_a_panic() {
        let bytes = encode(&sample());
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "cut at {end}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut wrong = bytes.clone();
                wrong[at] ^= 1 << bit;
                drop(decode(&wrong));
            }
        }
    }

    #[test]
    fn a_count_beyond_the_bytes_is_refused_before_memory_is_taken() {
        let mut bytes = vec![VERSION, 0];
        put_varint(&mut bytes, u64::from(u32::MAX));
        put_varint(&mut bytes, 0);
        put_varint(&mut bytes, 0);
        assert!(matches!(decode(&bytes).unwrap_err(), WireError::Truncated { part: "rows", needed, left: 0, .. } if needed > 1 << 32));
    }

    #[test]
    fn ten_readings_of_one_device_take_less_than_their_json() {
        let readings: Vec<Reading> =
            (0..10).map(|n| Reading::new("gateway-17", format!("temperature.{n}"), 20.0 + f64::from(n)).unit("°C").at(n.into())).collect();
        let bytes = encode(&Batch::from_readings(readings, 0));
        assert!(bytes.len() < 400, "{} bytes", bytes.len());
    }
}
