//! The readings of the store's scenarios: devices of many metrics with shared times, each a random walk in tenths. The same seed
//! gives the same readings, as frames of `telltale.v1` and as line protocol.

use std::fmt::Write;
use std::ops::Range;

use telltale_wire::{BatchBuilder, Definition, Limits, Value, ValueType, encode_define};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) devices: usize,
    pub(crate) metrics: usize,
    /// Rows of each device, and how many of them travel in one batch.
    pub(crate) rows: usize,
    pub(crate) rows_per_batch: usize,
    pub(crate) devices_per_batch: usize,
    pub(crate) step_ns: i64,
    /// A time is up to so much later than its step, in whole milliseconds.
    pub(crate) jitter_ms: i64,
}

/// Some rows of one device; times count from 0.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) device: usize,
    pub(crate) times: Vec<i64>,
    /// By row, then metric.
    pub(crate) tenths: Vec<i64>,
}

/// A batch without its number, ready to be sent at any time of day.
#[derive(Debug)]
pub(crate) struct Body {
    /// The frame behind the number.
    pub(crate) bytes: Vec<u8>,
    pub(crate) readings: usize,
}

impl Shape {
    pub(crate) const fn readings(&self) -> usize {
        self.devices * self.metrics * self.rows
    }

    /// All rows of some devices, as they would be measured: batch after batch, in time order over the devices.
    pub(crate) fn each(&self, devices: Range<usize>, mut take: impl FnMut(&[Rows])) {
        let mut random = fastrand::Rng::with_seed(devices.start as u64 + 1);
        let mut walks: Vec<i64> = devices.clone().flat_map(|_| 0..self.metrics).map(|_| random.i64(100..1000)).collect();
        for first in (0..self.rows).step_by(self.rows_per_batch) {
            let rows = first..self.rows.min(first + self.rows_per_batch);
            for start in devices.clone().step_by(self.devices_per_batch) {
                let batch = start..devices.end.min(start + self.devices_per_batch);
                let rows: Vec<Rows> = batch
                    .map(|device| {
                        let at = (device - devices.start) * self.metrics;
                        self.rows_of(device, rows.clone(), &mut walks[at..at + self.metrics], &mut random)
                    })
                    .collect();
                take(&rows);
            }
        }
    }

    fn rows_of(&self, device: usize, rows: Range<usize>, walk: &mut [i64], random: &mut fastrand::Rng) -> Rows {
        let mut made = Rows { device, times: Vec::new(), tenths: Vec::new() };
        for row in rows {
            let jitter = if self.jitter_ms > 0 { random.i64(0..self.jitter_ms) * 1_000_000 } else { 0 };
            made.times.push(row as i64 * self.step_ns + jitter);
            for value in &mut *walk {
                *value += random.i64(-1..=1);
                made.tenths.push(*value);
            }
        }
        made
    }

    /// The frames of some devices, whose aliases count from 0.
    pub(crate) fn bodies(&self, devices: Range<usize>) -> Vec<Body> {
        let mut builder = BatchBuilder::new(Limits::default());
        let mut bodies = Vec::new();
        self.each(devices.clone(), |batch| {
            builder.clear();
            for rows in batch {
                let alias = (rows.device - devices.start) * self.metrics;
                for (row, time) in rows.times.iter().enumerate() {
                    for metric in 0..self.metrics {
                        let value = Value::Float(rows.tenths[row * self.metrics + metric] as f64 / 10.0);
                        builder.push((alias + metric) as u32, *time, value).expect("a batch has room for it");
                    }
                }
            }
            let mut frame = Vec::new();
            builder.encode(0, &mut frame);
            frame.drain(..2); // the tag and the number 0
            bodies.push(Body { bytes: frame, readings: builder.len() });
        });
        bodies
    }

    /// The definitions of the aliases of some devices, split where a frame would be too large.
    pub(crate) fn definitions(&self, devices: Range<usize>) -> Vec<Vec<u8>> {
        let names: Vec<(String, String)> =
            devices.flat_map(|d| (0..self.metrics).map(move |m| (format!("device-{d:05}"), format!("metric_{m:02}")))).collect();
        let mut frames = Vec::new();
        for (part, names) in names.chunks(10_000).enumerate() {
            let definitions: Vec<Definition<'_>> = names
                .iter()
                .enumerate()
                .map(|(n, (device, metric))| Definition {
                    alias: (part * 10_000 + n) as u32,
                    device,
                    metric,
                    labels: Vec::new(),
                    value_type: ValueType::Number,
                    unit: None,
                    kind: None,
                })
                .collect();
            let mut frame = Vec::new();
            encode_define(&definitions, &mut frame);
            frames.push(frame);
        }
        frames
    }

    /// Bodies of `POST /write?precision=ms` of about a megabyte, and how many readings are in each.
    pub(crate) fn lines(&self, devices: Range<usize>, start_ns: i64) -> Vec<(String, usize)> {
        let (mut bodies, mut text, mut readings) = (Vec::new(), String::new(), 0);
        self.each(devices, |batch| {
            for rows in batch {
                for (row, time) in rows.times.iter().enumerate() {
                    write!(text, "m,device=device-{:05} ", rows.device).expect("a String takes all");
                    for (metric, tenths) in rows.tenths[row * self.metrics..][..self.metrics].iter().enumerate() {
                        let comma = if metric > 0 { "," } else { "" };
                        let sign = if *tenths < 0 { "-" } else { "" };
                        let (whole, tenth) = (tenths.abs() / 10, tenths.abs() % 10);
                        write!(text, "{comma}metric_{metric:02}={sign}{whole}.{tenth}").expect("a String takes all");
                    }
                    writeln!(text, " {}", (start_ns + time) / 1_000_000).expect("a String takes all");
                    readings += self.metrics;
                }
            }
            if text.len() > 1 << 20 {
                bodies.push((std::mem::take(&mut text), std::mem::take(&mut readings)));
            }
        });
        bodies.push((text, readings));
        bodies
    }
}
