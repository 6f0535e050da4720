//! How many rows of an export of ours have gone by, told by the headers of its pages while its bytes pass: its footer, which says it,
//! comes last. For a progress bar, so what it does not understand it leaves uncounted.

use super::pages::Page;
use super::thrift::{ThriftError, walk};

/// Of the file, before its first page: `PAR1`.
const MAGIC: u64 = 4;
/// Columns of an export; each has a value, or a place for one, in every row.
const COLUMNS: u64 = 10;
/// Of a header looked at in one go, and at most.
const STEP: usize = 256;
const HEADER: usize = 64 << 10;

#[derive(Debug)]
pub struct Passing {
    /// Bytes to the next header.
    left: u64,
    /// Of a header, what came of it.
    header: Vec<u8>,
    values: u64,
    /// No page begins here: the footer, or another's file.
    is_over: bool,
}

impl Default for Passing {
    fn default() -> Self {
        Self { left: MAGIC, header: Vec::new(), values: 0, is_over: false }
    }
}

impl Passing {
    /// The next bytes of the file.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while !self.is_over {
            let passed = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            self.left -= passed as u64;
            bytes = &bytes[passed..];
            if bytes.is_empty() {
                return;
            }
            let (had, step) = (self.header.len(), bytes.len().min(STEP));
            self.header.extend_from_slice(&bytes[..step]);
            match walk(&self.header, &mut |_, _, _| ()) {
                Err(ThriftError::Short) if self.header.len() < HEADER => bytes = &bytes[step..],
                Ok(len) => {
                    bytes = &bytes[len.saturating_sub(had)..];
                    self.page();
                }
                Err(_) => self.is_over = true,
            }
        }
    }

    /// What begins with the header that is whole.
    fn page(&mut self) {
        match Page::read(&self.header) {
            Ok(page) => (self.left, self.values) = (page.compressed, self.values.saturating_add(page.values)),
            Err(_) => self.is_over = true,
        }
        self.header.clear();
    }

    #[must_use]
    pub fn rows(&self) -> u64 {
        self.values / COLUMNS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::PARQUET_GROUP_ROWS;
    use crate::model::{Labels, SeriesKey, Value};
    use crate::rows::RowFormat;
    use crate::rows::write::{Told, Writer};

    #[test]
    fn rows_are_counted_while_their_bytes_pass() {
        let mut writer = Writer::new(RowFormat::Parquet);
        let rows = 2 * PARQUET_GROUP_ROWS as i64 + 5;
        let text = |i: i64| Value::Text("x".repeat(usize::try_from(i % 5_000).unwrap()).into());
        for (metric, of, value) in [("a", rows, &Value::Int as &dyn Fn(i64) -> Value), ("b", 3_000, &text)] {
            let key = SeriesKey { device: "d".into(), metric: metric.into(), labels: Labels::default() };
            writer.series(&key, value(0).value_type(), Told::default());
            (0..of).for_each(|i| writer.point(i, &value(i)));
        }
        writer.finish();
        let bytes = writer.take(0).unwrap();
        for size in [1, 7, 1 << 16, bytes.len()] {
            let (mut passing, mut told) = (Passing::default(), Vec::new());
            for piece in bytes.chunks(size) {
                passing.pass(piece);
                told.push(passing.rows());
            }
            assert!(told.is_sorted() && told.last() == Some(&(rows as u64 + 3_000)), "{size}: {:?}", told.last());
            assert!(size == bytes.len() || told[told.len() / 2] > 1_000, "{size}: it moves before the end");
        }
    }

    #[test]
    fn what_is_no_export_is_not_counted() {
        for bytes in [&b"PAR1"[..], b"", b"PAR1 and more that is none", &[0xff; 100_000], &[0; 100_000], &[0x15; 100_000]] {
            let mut passing = Passing::default();
            bytes.chunks(1000).for_each(|piece| passing.pass(piece));
            assert_eq!(passing.rows(), 0);
            assert!(passing.header.len() <= HEADER + STEP);
        }
    }
}
