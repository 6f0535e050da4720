//! The payload of a batch record: names in full, once per batch, then the rows. The byte table is in `SPOOL.md`.
//!
//! Invariant: `decode(encode(batch)) == batch`, and no input makes `decode` panic or allocate more than a small multiple
//! of its length.

use std::collections::HashMap;

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

/// The payload passed its checksum and is still not a batch: written by another version, or a defect.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("batch payload: {what} at byte {at}")]
pub(crate) struct CodecError {
    what: &'static str,
    at: usize,
}

const VERSION: u8 = 1;
const NO_STRING: u64 = 0;

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
pub(crate) fn row_count(payload: &[u8]) -> Result<u32, CodecError> {
    let mut input = Input { bytes: payload, at: 0 };
    input.head().map(|(_, rows)| rows)
}

/// Reads a payload whole.
pub(crate) fn decode(payload: &[u8]) -> Result<Batch, CodecError> {
    let mut input = Input { bytes: payload, at: 0 };
    let (tries, row_count) = input.head()?;
    let series = input.series()?;
    // A row takes three bytes or more, so the count is checked against what is there before anything is reserved.
    if row_count as usize > input.left() / 3 {
        return Err(input.error("more rows than bytes"));
    }
    let mut rows = Vec::with_capacity(row_count as usize);
    let mut before_ns = 0_i64;
    for _ in 0..row_count {
        let number = input.varint()?;
        if number >= series.len() as u64 {
            return Err(input.error("a row of a series that is not listed"));
        }
        let time_ns = before_ns.wrapping_add(unzigzag(input.varint()?));
        before_ns = time_ns;
        let value = input.value()?;
        let series = u32::try_from(number).map_err(|_| input.error("series number"))?;
        rows.push(Row { series, time_ns, value });
    }
    if input.left() > 0 {
        return Err(input.error("bytes after the last row"));
    }
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

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
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

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn head(&mut self) -> Result<(u8, u32), CodecError> {
        if self.byte()? != VERSION {
            return Err(CodecError { what: "unknown version", at: 0 });
        }
        let tries = self.byte()?;
        let rows = u32::try_from(self.varint()?).map_err(|_| self.error("row count beyond 32 bits"))?;
        Ok((tries, rows))
    }

    fn series(&mut self) -> Result<Vec<SeriesNames>, CodecError> {
        let string_count = self.count(1)?;
        let mut strings = Vec::with_capacity(string_count);
        for _ in 0..string_count {
            strings.push(self.text()?);
        }
        let series_count = self.count(5)?;
        let mut series = Vec::with_capacity(series_count);
        for _ in 0..series_count {
            let device = self.string(&strings)?;
            let metric = self.string(&strings)?;
            let label_count = self.count(2)?;
            let mut labels = Vec::with_capacity(label_count);
            for _ in 0..label_count {
                labels.push((self.string(&strings)?.to_owned(), self.string(&strings)?.to_owned()));
            }
            let unit = match self.varint()? {
                NO_STRING => None,
                number => Some(self.listed(&strings, number)?.to_owned()),
            };
            let kind = self.kind()?;
            series.push(SeriesNames { device: device.to_owned(), metric: metric.to_owned(), labels, unit, kind });
        }
        Ok(series)
    }

    fn kind(&mut self) -> Result<Option<Kind>, CodecError> {
        Ok(match self.byte()? {
            0 => None,
            1 => Some(Kind::Gauge),
            2 => Some(Kind::Counter),
            3 => Some(Kind::State),
            4 => Some(Kind::Text),
            _ => return Err(self.error("unknown kind")),
        })
    }

    fn value(&mut self) -> Result<Value, CodecError> {
        Ok(match self.byte()? {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            2 => Value::Int(unzigzag(self.varint()?)),
            3 => Value::Float(f64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes were taken"))),
            4 => Value::Text(self.text()?.to_owned()),
            _ => return Err(self.error("unknown value type")),
        })
    }

    /// A count of things that take `width` bytes or more each.
    fn count(&mut self, width: usize) -> Result<usize, CodecError> {
        let count = self.varint()?;
        if count > (self.left() / width) as u64 {
            return Err(self.error("a count beyond the bytes that are left"));
        }
        Ok(count as usize)
    }

    fn string<'s>(&mut self, strings: &[&'s str]) -> Result<&'s str, CodecError> {
        let number = self.varint()?;
        self.listed(strings, number)
    }

    fn listed<'s>(&self, strings: &[&'s str], number: u64) -> Result<&'s str, CodecError> {
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        index.and_then(|index| strings.get(index)).copied().ok_or_else(|| self.error("a string that is not listed"))
    }

    fn text(&mut self) -> Result<&'a str, CodecError> {
        let length = self.varint()?;
        let length = usize::try_from(length).map_err(|_| self.error("text length"))?;
        let at = self.at;
        std::str::from_utf8(self.take(length)?).map_err(|_| CodecError { what: "text is not UTF-8", at })
    }

    fn varint(&mut self) -> Result<u64, CodecError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.error("number beyond 64 bits"))
    }

    fn byte(&mut self) -> Result<u8, CodecError> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else { return Err(self.error("unexpected end")) };
        let bytes = &self.bytes[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn error(&self, what: &'static str) -> CodecError {
        CodecError { what, at: self.at }
    }
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
        assert_eq!(decode(&bytes).unwrap_err().what, "more rows than bytes");
    }

    #[test]
    fn ten_readings_of_one_device_take_less_than_their_json() {
        let readings: Vec<Reading> =
            (0..10).map(|n| Reading::new("gateway-17", format!("temperature.{n}"), 20.0 + f64::from(n)).unit("°C").at(n.into())).collect();
        let bytes = encode(&Batch::from_readings(readings, 0));
        assert!(bytes.len() < 400, "{} bytes", bytes.len());
    }
}
