//! What an SD card bears: 20 gateways with a row of ten values each second, for some minutes; bytes written a day.

use std::time::{Duration, Instant};

use crate::compact::{Compact, Pace};
use crate::hub::{Hub, data_dir};
use crate::sensors::{Body, Shape};

const GATEWAYS: usize = 20;
const SECONDS: usize = 300;
const SHAPE: Shape =
    Shape { devices: 1, metrics: 10, rows: SECONDS, rows_per_batch: 1, devices_per_batch: 1, step_ns: 1_000_000_000, jitter_ms: 0 };

pub(crate) fn card() {
    println!("SD card: {GATEWAYS} gateways, a row of {} values a second each, {SECONDS} s, both at the same time:", SHAPE.metrics);
    std::thread::scope(|scope| {
        for delay in ["0", "1000"] {
            scope.spawn(move || with_delay(delay));
        }
    });
}

fn with_delay(delay: &str) {
    let hub = Hub::start_in(data_dir(), &[("LOG__COMMIT_DELAY_MS", delay)]);
    let token = hub.token("agent");
    let gateways: Vec<(Compact, Vec<Body>)> = (0..GATEWAYS)
        .map(|n| {
            let agent = Compact::connect(&hub.address, &token, &format!("bench-{n}"), &SHAPE.definitions(n..n + 1));
            (agent, SHAPE.bodies(n..n + 1))
        })
        .collect();
    let (written, cpu, commits) = (hub.written_bytes(), hub.cpu_s(), hub.metric("commits_total"));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for (n, (mut agent, bodies)) in gateways.into_iter().enumerate() {
            scope.spawn(move || {
                // Gateways are not in step.
                std::thread::sleep(Duration::from_millis(n as u64 * 1000 / GATEWAYS as u64));
                let now = jiff::Timestamp::now().as_nanosecond() as i64;
                agent.send(&bodies, now, Pace::Readings(SHAPE.metrics as f64), || true, |_| ())
            });
        }
    });
    let seconds = begun.elapsed().as_secs_f64();
    let (written, cpu, commits) = (hub.written_bytes() - written, hub.cpu_s() - cpu, hub.metric("commits_total") - commits);
    let readings = (GATEWAYS * SHAPE.readings()) as f64;
    println!(
        "  commit_delay_ms {delay}: {:.2} GB a day for the log ({:.0} B a reading, {:.1} commits/s, {:.1} kB each), CPU {:.2} %",
        written as f64 / seconds * 86_400.0 / 1e9,
        written as f64 / readings,
        commits as f64 / seconds,
        written as f64 / commits as f64 / 1e3,
        cpu / seconds * 100.0,
    );
}
