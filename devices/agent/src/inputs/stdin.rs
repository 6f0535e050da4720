//! JSON lines on standard input: on each line a reading, a row, or an array of them, in the shapes of the hub's plain way
//! (`lines.rs`). A bad line is an error in the log with its number; the others are sent. Ends with the input.

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

use super::{Sink, Stop, stopped};
use crate::lines;

/// What is read at once becomes one batch: a line now and then goes out at once, a fast pipe in big batches.
const CHUNK_BYTES: usize = 64 << 10;
/// A longer line is refused.
const LINE_BYTES_MAX: usize = 1 << 20;

/// What came of the input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) lines: u64,
    pub(crate) bad_lines: u64,
    pub(crate) readings: u64,
}

/// Reads until the end of the input, or until told to stop.
pub(crate) async fn run(input: impl AsyncRead + Unpin, sink: Sink, mut stop: Stop) -> Summary {
    let mut input = BufReader::with_capacity(CHUNK_BYTES, input);
    let mut lines = Lines::default();
    loop {
        let chunk = tokio::select! {
            chunk = input.fill_buf() => chunk,
            () = stopped(&mut stop) => break,
        };
        let length = match chunk {
            Ok([]) => break,
            Ok(chunk) => {
                lines.feed(chunk, sink.now_ns());
                chunk.len()
            }
            Err(error) => {
                tracing::error!("standard input: {error}");
                break;
            }
        };
        input.consume(length);
        if !send(&mut lines, &sink).await {
            break;
        }
    }
    lines.end(sink.now_ns());
    send(&mut lines, &sink).await;
    let Summary { lines, bad_lines, readings } = lines.summary;
    tracing::info!(lines, bad_lines, readings, "standard input has ended");
    Summary { lines, bad_lines, readings }
}

async fn send(lines: &mut Lines, sink: &Sink) -> bool {
    let readings = std::mem::take(&mut lines.readings);
    if readings.is_empty() {
        return true;
    }
    match sink.push_or_wait(readings).await {
        Ok(()) => true,
        Err(error) => {
            tracing::error!("standard input: readings are lost: {error}");
            false
        }
    }
}

/// Cuts bytes into lines and lines into readings.
#[derive(Debug, Default)]
struct Lines {
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
    /// The line is too long; what comes of it is dropped up to its end.
    too_long: bool,
    readings: Vec<telltale_sdk::Reading>,
    summary: Summary,
}

impl Lines {
    fn feed(&mut self, mut bytes: &[u8], now_ns: i64) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.extend(&bytes[..end]);
            self.end_line(now_ns);
            bytes = &bytes[end + 1..];
        }
        self.extend(bytes);
    }

    fn end(&mut self, now_ns: i64) {
        if !self.begun.is_empty() || self.too_long {
            self.end_line(now_ns);
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.too_long |= self.begun.len() + bytes.len() > LINE_BYTES_MAX;
        if self.too_long {
            self.begun.clear();
        } else {
            self.begun.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self, now_ns: i64) {
        self.summary.lines += 1;
        let before = self.readings.len();
        let result = if std::mem::take(&mut self.too_long) {
            Err(format!("longer than {LINE_BYTES_MAX} bytes"))
        } else {
            lines::parse(&self.begun, now_ns, &mut self.readings)
        };
        self.begun.clear();
        // Also what is good of a bad line.
        self.summary.readings += (self.readings.len() - before) as u64;
        if let Err(reason) = result {
            self.summary.bad_lines += 1;
            tracing::error!("standard input, line {}: {reason}", self.summary.lines);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: i64) -> String {
        format!("{{\"device\":\"d\",\"metric\":\"m\",\"value\":{number}}}\n")
    }

    #[test]
    fn lines_may_be_cut_anywhere() {
        let text = line(1) + "\n  \r\nnonsense\n" + &line(2) + line(3).trim_end();
        for chunk in [1, 2, 7, 1000] {
            let mut lines = Lines::default();
            text.as_bytes().chunks(chunk).for_each(|bytes| lines.feed(bytes, 5));
            lines.end(5);
            assert_eq!(lines.summary, Summary { lines: 6, bad_lines: 1, readings: 3 }, "chunks of {chunk}");
            let values: Vec<_> = lines.readings.iter().map(|reading| reading.value.clone()).collect();
            assert_eq!(values, [1.into(), 2.into(), 3.into()]);
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_and_takes_no_memory() {
        let mut lines = Lines::default();
        for _ in 0..100 {
            lines.feed(&[b'x'; LINE_BYTES_MAX / 10], 0);
        }
        assert!(lines.begun.capacity() <= 2 * LINE_BYTES_MAX);
        lines.feed(b"\n", 0);
        lines.feed(line(1).as_bytes(), 0);
        assert_eq!(lines.summary, Summary { lines: 2, bad_lines: 1, readings: 1 });
    }
}
