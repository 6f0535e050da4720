//! The readings: random walks in tenths. The hub lives through them with a clock that is told; what it is asked afterwards is sealed and
//! merged. The peers get the same readings 400 days earlier, since VictoriaMetrics takes nothing of a future.

use std::ops::Range;
use std::sync::Arc;

use tempfile::TempDir;

use crate::compact::{Compact, Pace};
use crate::hub::{self, Hub};
use crate::past::{self, Told};
use crate::rest::{HOUR, midnight};
use crate::sensors::Shape;

pub(super) const SECOND: i64 = crate::rest::SECOND;
const DAY: i64 = 24 * HOUR;
pub(super) const COLUMNS: i64 = 2000;
const COLUMN: i64 = 500 * SECOND;
/// Series whose last values are asked.
pub(super) const MANY: usize = 28_000;
/// How much earlier the readings of the peers are: whole days, and whole columns.
const EARLIER: i64 = 400 * DAY;

const ONE: Shape =
    Shape { devices: 1, metrics: 1, rows: 10_005_000, rows_per_batch: 100, devices_per_batch: 1, step_ns: SECOND / 10, jitter_ms: 0 };
const FLEET: Shape =
    Shape { devices: 100, metrics: 1, rows: 12 * 1440, rows_per_batch: 1, devices_per_batch: 100, step_ns: 60 * SECOND, jitter_ms: 0 };
const LAST: Shape =
    Shape { devices: MANY / 100, metrics: 100, rows: 3, rows_per_batch: 3, devices_per_batch: 10, step_ns: SECOND, jitter_ms: 0 };
const YEAR: Shape = Shape { rows: 25_000_000, rows_per_batch: 50, step_ns: 365 * DAY / 25_000_000, ..ONE };

/// Some devices of one shape.
#[derive(Clone, Debug)]
struct Part {
    shape: Shape,
    devices: Range<usize>,
    /// Its first reading.
    start: i64,
    /// Batches under way: no more than ten minutes of readings, since the clock follows the acks.
    under_way: usize,
}

/// What is lived through, and what of it is asked.
#[derive(Clone, Debug)]
pub(super) struct Past {
    parts: Vec<Part>,
    asked: (i64, i64),
    end: i64,
}

/// Since 1970, in nanoseconds: [from, to).
pub(super) type Span = (i64, i64);

impl Past {
    pub(super) fn regular() -> Self {
        Self::one(ONE, 90_001)
    }

    pub(super) fn jittered() -> Self {
        Self::one(Shape { jitter_ms: 20, ..ONE }, 90_002)
    }

    fn one(shape: Shape, device: usize) -> Self {
        let start = midnight();
        let from = (start + COLUMN - 1) / COLUMN * COLUMN;
        let part = Part { shape, devices: device..device + 1, start, under_way: 16 };
        Self { parts: vec![part], asked: (from, from + COLUMNS * COLUMN), end: start + shape.rows as i64 * shape.step_ns }
    }

    pub(super) fn year() -> Self {
        let start = midnight();
        let end = start + YEAR.rows as i64 * YEAR.step_ns;
        Self { parts: vec![Part { shape: YEAR, devices: 90_003..90_004, start, under_way: 4 }], asked: (start, end), end }
    }

    /// A hundred series of twelve days, then many series of a few seconds.
    pub(super) fn fleet() -> Self {
        let start = midnight();
        let last = start + FLEET.rows as i64 * FLEET.step_ns;
        let parts = vec![
            Part { shape: FLEET, devices: 1000..1000 + FLEET.devices, start, under_way: 4 },
            Part { shape: LAST, devices: 0..LAST.devices, start: last, under_way: 16 },
        ];
        Self { parts, asked: (start, start + 11 * DAY), end: last + 3 * SECOND }
    }

    pub(super) fn asked(&self) -> Span {
        self.asked
    }

    /// The end of everything: what is asked of last values.
    pub(super) fn end(&self) -> i64 {
        self.end
    }

    /// As many columns, each of eight minutes.
    pub(super) fn whole_minutes(&self) -> Span {
        let start = self.parts[0].start;
        (start, start + COLUMNS * 480 * SECOND)
    }

    /// Other edges through what is summed up.
    pub(super) fn a_little_later(&self) -> Span {
        (self.asked.0 + 7 * SECOND, self.asked.1 + 7 * SECOND)
    }

    pub(super) fn an_hour_later(&self) -> Span {
        (self.asked.0 + HOUR, self.asked.1 + HOUR)
    }

    /// As many columns of a year, each of whole hours (`dashboards/src/chart/older.ts`).
    pub(super) fn whole_hours(&self) -> Span {
        (self.asked.0, self.asked.0 + COLUMNS * 4 * HOUR)
    }

    pub(super) fn around_the_middle(&self, length: i64) -> Span {
        let middle = (self.asked.0 + self.asked.1) / 2;
        (middle, middle + length)
    }

    pub(super) fn column_ms(&self) -> i64 {
        COLUMN / 1_000_000
    }

    /// In the range asked, of the first part.
    pub(super) fn points_asked(&self) -> usize {
        let Part { shape, .. } = self.parts[0];
        shape.devices * usize::try_from((self.asked.1 - self.asked.0) / shape.step_ns).expect("a range goes forward")
    }

    /// The device of one series.
    pub(super) fn device(&self) -> String {
        format!("device-{:05}", self.parts[0].devices.start)
    }

    /// A hub lives through it: sealed and merged; where it lies.
    pub(super) fn live_through(&self) -> Arc<TempDir> {
        let (hub, mut told) = past::start(self.parts[0].start, hub::data_dir(), &[("LOG__KEEP_BYTES", "0")]);
        let token = hub.token("agent");
        let mut readings = 0;
        for (n, part) in self.parts.iter().enumerate() {
            let Part { shape, devices, start, under_way } = part;
            let bodies = shape.bodies(devices.clone());
            let mut agent = Compact::connect(&hub.address, &token, &format!("bench-{n}"), &shape.definitions(devices.clone()));
            readings += agent.send(&bodies, *start, Pace::Full(*under_way), || true, |time| told.tell(time)).readings;
        }
        assert_eq!(readings, self.parts.iter().map(|part| part.shape.readings()).sum::<usize>(), "all is acked");
        let (hub, _told) = past::start(self.end + 27 * HOUR, hub.stop(), &[("LOG__KEEP_BYTES", "0")]);
        hub.wait_until_idle();
        hub.stop()
    }

    /// The hub after all of it, to be asked.
    pub(super) fn open(&self, data: Arc<TempDir>) -> (Hub, Told) {
        past::start(self.end + 27 * HOUR, data, &[("LOG__KEEP_BYTES", "0")])
    }

    /// Line protocol for the peers, a connection's bodies each.
    pub(super) fn lines(&self) -> impl Iterator<Item = Vec<(String, usize)>> {
        self.parts.iter().map(|part| part.shape.lines(part.devices.clone(), earlier(part.start)))
    }
}

/// When a peer has it.
pub(super) fn earlier(time: i64) -> i64 {
    time - EARLIER
}

/// When the hub has what a peer has.
pub(super) fn later_ms(time_ms: i64) -> i64 {
    time_ms + EARLIER / 1_000_000
}

/// As if they had never been made: the day files say that they were, so they are not made anew.
pub(super) fn drop_rollups(data: &TempDir) {
    for entry in std::fs::read_dir(data.path().join("store")).expect("the store is there").flatten() {
        if entry.file_name().to_string_lossy().contains(".rollup.") {
            std::fs::remove_file(entry.path()).expect("a file can be removed");
        }
    }
}
