//! CSV as RFC 4180 has it. The first line names the columns, in any order; `type` tells texts, bools and numbers apart, and without
//! it what looks like a number is one.

use csv_core::{ReadRecordResult, Reader};
use memchr::memchr_iter;

use super::take::{BOM, Row, bad_value, number, take};
use super::write::COLUMNS;
use crate::ingest::session::{Deciding, Session};
use crate::ingest::{Refusal, shown};
use crate::model::{Value, ValueType};

/// More columns than a line may have.
const MOST: usize = 32;

/// Records told apart, without a memory between them: what is not whole yet is read again with what follows.
#[derive(Debug)]
pub(super) struct Records {
    /// Set back for each record. (A clone of it would know no CSV: csv-core 0.1.13 clones its tables as empty ones.)
    reader: Reader,
    text: Vec<u8>,
    ends: [usize; MOST],
    fields: usize,
    is_too_wide: bool,
    newlines: usize,
}

impl Records {
    pub(super) fn new() -> Self {
        Self { reader: Reader::new(), text: vec![0; 1 << 10], ends: [0; MOST], fields: 0, is_too_wide: false, newlines: 0 }
    }

    /// Reads the record at the start of `buf`, after blank lines. Gives its line, from 1, and how many bytes they were. None: more
    /// are to come, or there is none.
    pub(super) fn next(&mut self, buf: &[u8], is_last: bool) -> Option<(usize, usize)> {
        let blank = buf.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if blank == buf.len() {
            return None;
        }
        let (mut read, mut filled) = (blank, 0);
        (self.fields, self.is_too_wide) = (0, false);
        self.reader.reset();
        // A blank line first: at its own beginning it would take a byte order mark for none of the text.
        self.reader.read_record(b"\n", &mut [0], &mut [0]);
        loop {
            let (result, n, out, ended) = self.reader.read_record(&buf[read..], &mut self.text[filled..], &mut self.ends[self.fields..]);
            (read, filled, self.fields) = (read + n, filled + out, self.fields + ended);
            match result {
                ReadRecordResult::InputEmpty if is_last => {}
                ReadRecordResult::InputEmpty => return None,
                ReadRecordResult::OutputFull => self.text.resize(2 * self.text.len(), 0),
                ReadRecordResult::OutputEndsFull => (self.fields, self.is_too_wide) = (0, true),
                ReadRecordResult::Record | ReadRecordResult::End => break,
            }
        }
        let line = self.newlines + memchr_iter(b'\n', &buf[..blank]).count() + 1;
        self.newlines += memchr_iter(b'\n', &buf[..read]).count();
        Some((line, read))
    }

    fn field(&self, i: usize) -> &[u8] {
        let from = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.text[from..self.ends[i]]
    }
}

/// Where each of `COLUMNS` stands.
type Columns = [Option<usize>; COLUMNS.len()];

#[derive(Debug)]
pub struct Csv {
    records: Records,
    columns: Option<(Columns, usize)>,
    raw: Vec<u8>,
}

impl Csv {
    pub(super) fn new() -> Self {
        Self { records: Records::new(), columns: None, raw: Vec::new() }
    }

    /// Err: the columns cannot be read, and so nothing can.
    pub(super) fn decide(&mut self, session: &mut Session, batch: &mut Deciding, buf: &[u8], is_last: bool) -> Result<usize, String> {
        let full = session.door().batch_readings;
        let mut at = 0;
        while at < buf.len() && batch.len() < full {
            let Some((line, read)) = self.records.next(&buf[at..], is_last) else {
                // What is left at the end are blank lines.
                return Ok(if is_last { buf.len() } else { at });
            };
            at += read;
            match self.columns {
                None => self.columns = Some(header(&self.records)?),
                Some((columns, count)) => {
                    self.record(session, batch, u32::try_from(line).unwrap_or(u32::MAX), &columns, count);
                }
            }
        }
        Ok(at)
    }

    fn record(&mut self, session: &mut Session, batch: &mut Deciding, line: u32, columns: &Columns, count: usize) {
        let records = &self.records;
        let mut texts = [""; COLUMNS.len()];
        let wrong = if records.is_too_wide || records.fields != count {
            let many = if records.is_too_wide { format!("more than {MOST}") } else { records.fields.to_string() };
            Some(format!("{many} columns, and the first line has {count}"))
        } else {
            let mut broken = None;
            for (text, (at, name)) in texts.iter_mut().zip(columns.iter().zip(COLUMNS)) {
                match at.map(|at| std::str::from_utf8(records.field(at))) {
                    None => {}
                    Some(Ok(told)) => *text = told,
                    Some(Err(_)) => broken = Some(format!("`{name}` is not UTF-8")),
                }
            }
            broken
        };
        if let Some(wrong) = wrong {
            return batch.refuse(line, &[], None, bad_value(wrong));
        }
        let [device, metric, labels, time, value, value_type, unit, kind] = texts;
        let [unit, kind] = [unit, kind].map(|text| Some(text).filter(|text| !text.is_empty()));
        let row = Row { device, metric, labels, time, value: typed(value_type, value), unit, kind };
        take(session, batch, &mut self.raw, line, row);
    }
}

fn header(records: &Records) -> Result<(Columns, usize), String> {
    let mut columns = [None; COLUMNS.len()];
    if records.is_too_wide {
        return Err(format!("the first line names more than {MOST} columns"));
    }
    for i in 0..records.fields {
        let name = records.field(i);
        let name = if i == 0 { name.strip_prefix(BOM).unwrap_or(name) } else { name };
        let place = COLUMNS.iter().position(|column| column.as_bytes() == name);
        let Some(place) = place else {
            return Err(format!("the first line names the column `{}`; there are {}", shown(name), COLUMNS.join(", ")));
        };
        if columns[place].replace(i).is_some() {
            return Err(format!("the first line names the column `{}` twice", COLUMNS[place]));
        }
    }
    for needed in ["device", "metric", "time", "value"] {
        if COLUMNS.iter().zip(columns).any(|(name, at)| *name == needed && at.is_none()) {
            return Err(format!("the first line names no column `{needed}`; there are {}", COLUMNS.join(", ")));
        }
    }
    Ok((columns, records.fields))
}

fn typed(value_type: &str, text: &str) -> Result<Value, Refusal> {
    let as_text = || Ok(Value::Text(text.into()));
    match (value_type, text) {
        ("" | "bool", "true") => Ok(Value::Bool(true)),
        ("" | "bool", "false") => Ok(Value::Bool(false)),
        ("bool", _) => Err(bad_value(format!("value `{}`, expected true or false", shown(text.as_bytes())))),
        ("number", _) => number(text),
        ("text", _) => as_text(),
        ("", "") => Err(bad_value("there is no value; an empty text needs the type `text`")),
        ("", _) if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') && text.parse::<f64>().is_ok() => number(text),
        ("", _) => as_text(),
        _ => {
            let types = [ValueType::Number, ValueType::Bool, ValueType::Text].map(ValueType::as_str).join(", ");
            Err(bad_value(format!("type `{}`, expected one of {types}", shown(value_type.as_bytes()))))
        }
    }
}
