//! The CSV that Flux answers with, read as it comes in: rows of `_time` and `_value`, or an error in the middle of it.

use csv_core::{ReadRecordResult, Reader};

use super::line;
use crate::model::{TimeNs, Value, ValueType};
use crate::store::StoreError;

/// A reader of one answer.
pub(super) struct Rows {
    csv: Reader,
    text: Vec<u8>,
    filled: usize,
    ends: Vec<usize>,
    ended: usize,
    /// None: no table has begun.
    columns: Option<Columns>,
}

/// Where the columns of the table at hand stand.
#[derive(Clone, Copy)]
struct Columns {
    time: Option<usize>,
    value: Option<usize>,
    error: Option<usize>,
}

/// One row of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    /// What the query calls this part of its answer.
    pub(super) result: &'a str,
    pub(super) time: Option<TimeNs>,
    value: &'a str,
}

impl Row<'_> {
    pub(super) fn value(&self, value_type: ValueType) -> Result<Value, StoreError> {
        value_of(self.value, value_type).ok_or_else(|| without("value"))
    }

    pub(super) fn count(&self) -> Result<u64, StoreError> {
        self.value.parse().map_err(|_| without("count"))
    }
}

/// Takes one row after the other.
pub(super) type RowSink<'a> = dyn FnMut(Row<'_>) -> Result<(), StoreError> + 'a;

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}

impl Rows {
    pub(super) fn new() -> Self {
        let (text, ends) = (vec![0; 4096], vec![0; 32]);
        Self { csv: Reader::new(), text, filled: 0, ends, ended: 0, columns: None }
    }

    /// Gives every row that is whole by now. An empty chunk is the end.
    pub(super) fn push(&mut self, mut chunk: &[u8], each: &mut RowSink<'_>) -> Result<(), StoreError> {
        let is_end = chunk.is_empty();
        loop {
            let (result, read, written, ended) = self.csv.read_record(chunk, &mut self.text[self.filled..], &mut self.ends[self.ended..]);
            chunk = &chunk[read..];
            self.filled += written;
            self.ended += ended;
            match result {
                ReadRecordResult::InputEmpty if !is_end => return Ok(()),
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => {
                    self.record(each)?;
                    (self.filled, self.ended) = (0, 0);
                }
                ReadRecordResult::End => return Ok(()),
            }
        }
    }

    fn record(&mut self, each: &mut RowSink<'_>) -> Result<(), StoreError> {
        let cell = |at: usize| {
            let from = if at == 0 { 0 } else { *self.ends.get(at - 1)? };
            let to = *self.ends[..self.ended].get(at)?;
            std::str::from_utf8(&self.text[from..to]).ok()
        };
        let cells = self.ended;
        // A table begins with its names; its rows have the name of the answer there, `_result` if the query gives none.
        let find = |name: &str| (0..cells).find(|at| cell(*at) == Some(name));
        let names = matches!(cell(1), Some("result" | "error"));
        let Some(columns) = self.columns.filter(|_| !names) else {
            self.columns = Some(Columns { time: find("_time"), value: find("_value"), error: find("error") });
            return Ok(());
        };
        if let Some(error) = columns.error.and_then(cell) {
            return Err(StoreError::Failed { reason: format!("InfluxDB broke off its answer: {error}") });
        }
        let time = match columns.time.and_then(cell) {
            Some(text) => Some(time_of(text).ok_or_else(|| without("time"))?),
            None => None,
        };
        let value = columns.value.and_then(cell).ok_or_else(|| without("value"))?;
        each(Row { result: cell(1).unwrap_or_default(), time, value })
    }
}

fn without(what: &str) -> StoreError {
    StoreError::Failed { reason: format!("InfluxDB answered a row without a {what} that can be read") }
}

fn time_of(text: &str) -> Option<TimeNs> {
    let time: jiff::Timestamp = text.parse().ok()?;
    TimeNs::try_from(time.as_nanosecond()).ok()
}

fn value_of(text: &str, value_type: ValueType) -> Option<Value> {
    match value_type {
        ValueType::Number => text.parse().ok().map(Value::Float),
        ValueType::Bool => text.parse().ok().map(Value::Bool),
        ValueType::Text => Some(Value::Text(line::text(text).into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, value_type: ValueType, step: usize) -> Result<Vec<(Option<TimeNs>, Value)>, String> {
        let (mut rows, mut found) = (Rows::new(), Vec::new());
        let mut each = |row: Row<'_>| {
            found.push((row.time, row.value(value_type)?));
            Ok(())
        };
        for chunk in text.as_bytes().chunks(step) {
            rows.push(chunk, &mut each).map_err(|error| error.to_string())?;
        }
        rows.push(&[], &mut each).map_err(|error| error.to_string())?;
        Ok(found)
    }

    #[test]
    fn tables_are_read_in_pieces_of_any_length() {
        let numbers =
            ",result,table,_time,_value\r\n,_result,0,2026-11-23T01:07:09.000000001Z,1.5\r\n,_result,0,2026-11-23T01:07:10Z,-0\r\n\r\n";
        let texts = ",result,table,_value,_time\r\n,_result,0,\"a\nb, \"\"q\"\"\",2026-11-23T01:07:09Z\r\n\r\n,result,table,_time,_value\r\n,_result,1,2026-11-23T01:07:11Z,\r\n";
        let at = 1_795_396_029_000_000_000;
        for step in 1..200 {
            let found = read(numbers, ValueType::Number, step).unwrap();
            assert_eq!(found, [(Some(at + 1), Value::Float(1.5)), (Some(at + 1_000_000_000), Value::Float(-0.0))], "{step}");
            let found = read(texts, ValueType::Text, step).unwrap();
            let expected = [(Some(at), Value::Text("a\nb, \"q\"".into())), (Some(at + 2_000_000_000), Value::Text("".into()))];
            assert_eq!(found, expected, "{step}");
        }
        let long = format!(",result,table,_value\n,_result,0,{}\n", "x".repeat(100_000));
        assert_eq!(read(&long, ValueType::Text, 1000).unwrap(), [(None, Value::Text("x".repeat(100_000).into()))]);
        assert_eq!(read("\r\n", ValueType::Bool, 9).unwrap(), []);
    }

    #[test]
    fn an_error_within_an_answer_is_one() {
        for (text, part) in [
            (
                ",result,table,_time,_value\n,_result,0,2026-11-23T01:07:09Z,1\n\n,error,reference\n,query terminated,897\n",
                "query terminated",
            ),
            (",result,table,_time,_value\n,_result,0,yesterday,1\n", "without a time"),
            (",result,table,_time,_value\n,_result,0,2026-11-23T01:07:09Z,\n", "without a value"),
        ] {
            let error = read(text, ValueType::Number, 7).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
