//! A backlog of old readings beside a stream in order: rows a second of both, and how long the acks of the stream take.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::compact::{Compact, Pace, Sent};
use crate::hub::{Hub, data_dir};
use crate::sensors::{Body, Shape};
use crate::store::at;

const RUN_FOR: Duration = Duration::from_secs(10);
const SECOND: i64 = 1_000_000_000;
/// What is in the store before: 100 devices of 10 metrics, four hours of seconds.
const STORED: Shape =
    Shape { devices: 100, metrics: 10, rows: 4 * 3600, rows_per_batch: 60, devices_per_batch: 1, step_ns: SECOND, jitter_ms: 0 };
/// In order: the same devices, 1,000 rows a second each, paced.
const LIVE: Shape =
    Shape { devices: 100, metrics: 10, rows: 20_000, rows_per_batch: 10, devices_per_batch: 1, step_ns: 500_000, jitter_ms: 0 };
const LIVE_A_SECOND: f64 = 200_000.0;

pub(crate) fn late() {
    println!(
        "late: a backlog at full speed beside {} k readings/s in order ({} devices of {} metrics, 4 h of seconds in the store)",
        LIVE_A_SECOND / 1000.0,
        STORED.devices,
        STORED.metrics
    );
    run("no backlog", None);
    run("an outage of a day: nothing is stored at those times", Some(-30 * 3600 * SECOND));
    run("between stored times", Some(-5 * 3600 * SECOND + SECOND / 2));
    run("a retry: the same readings again", Some(-5 * 3600 * SECOND));
}

/// `offset`: where the backlog begins, from now.
fn run(name: &str, offset: Option<i64>) {
    let now = jiff::Timestamp::now().as_nanosecond() as i64 / SECOND * SECOND;
    let data = data_dir();
    let hub = Hub::start_in(data, &[]);
    let token = hub.token("agent");
    let stored = STORED.bodies(0..STORED.devices);
    connect(&hub, &token, "first", STORED).send(&stored, now - 5 * 3600 * SECOND, Pace::Full(16), || true, |_| ());
    let hub = Hub::start_in(hub.stop(), &[]);
    hub.wait_until_idle();
    let live = LIVE.bodies(0..LIVE.devices);
    let ended = AtomicBool::new(false);
    let (cpu, written) = (hub.cpu_s(), hub.written_bytes());
    let begun = Instant::now();
    let (mut in_order, late, took) = std::thread::scope(|scope| {
        let in_order = scope.spawn(|| {
            let mut agent = connect(&hub, &token, "live", LIVE);
            let sent = agent.send(&live, now, Pace::Readings(LIVE_A_SECOND), || begun.elapsed() < RUN_FOR, |_| ());
            ended.store(true, Ordering::Relaxed);
            sent
        });
        let start = offset.map(|offset| now + offset);
        let late = start.map(|start| {
            let (hub, token, stored, ended) = (&hub, &token, &stored, &ended);
            scope.spawn(move || backlog(hub, token, stored, start, ended))
        });
        let in_order = in_order.join().expect("the stream ends well");
        (in_order, late.map(|late| late.join().expect("the backlog ends well")), begun.elapsed().as_secs_f64())
    });
    let (mut late, late_took) = late.unwrap_or((Sent::default(), took));
    let all = (in_order.readings + late.readings) as f64;
    println!(
        "  {name}: late {:.3} M readings/s ({:.3} M rows of 10; ack p50 {:.0} p99 {:.0} ms), in order {:.3} M/s with ack p50 {:.2} p99 {:.1} max \
         {:.0} ms; {:.2} CPU s per million, {:.1} B written a reading, {} looked up, {} by the writer",
        late.readings as f64 / late_took / 1e6,
        late.readings as f64 / 10.0 / late_took / 1e6,
        at(&mut late.acks, 0.5),
        at(&mut late.acks, 0.99),
        in_order.readings as f64 / took / 1e6,
        at(&mut in_order.acks, 0.5),
        at(&mut in_order.acks, 0.99),
        at(&mut in_order.acks, 1.0),
        (hub.cpu_s() - cpu) / (all / 1e6),
        (hub.written_bytes() - written) as f64 / all,
        hub.metric("late_looked_up_total"),
        hub.metric("late_looked_up_by_writer_total"),
    );
}

fn connect(hub: &Hub, token: &str, agent: &str, shape: Shape) -> Compact {
    Compact::connect(&hub.address, token, agent, &shape.definitions(0..shape.devices))
}

fn backlog(hub: &Hub, token: &str, bodies: &[Body], start: i64, ended: &AtomicBool) -> (Sent, f64) {
    let begun = Instant::now();
    let sent = connect(hub, token, "late", STORED).send(bodies, start, Pace::Full(16), || !ended.load(Ordering::Relaxed), |_| ());
    (sent, begun.elapsed().as_secs_f64())
}
