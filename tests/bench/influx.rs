//! The hub with InfluxDB as its store, beside the same line protocol written to influxd directly. Both answer 204 when the disk has
//! it. The hub writes each field as a line of its own, so rows of many fields cost influxd more through it.

use std::time::{Duration, Instant};

use crate::hub::{self, Hub, data_dir};
use crate::influxd::{Influxd, TOKEN};
use crate::sensors::Shape;
use crate::store::CONNECTIONS;

/// A thousand series, two million readings.
const SHAPES: [(&str, Shape); 2] =
    [("1 field a line", Shape { devices: 1000, metrics: 1, ..SHAPE }), ("10 fields a line", Shape { devices: 100, metrics: 10, ..SHAPE })];
const SHAPE: Shape =
    Shape { devices: 0, metrics: 0, rows: 2000, rows_per_batch: 10, devices_per_batch: 1, step_ns: 1_000_000_000, jitter_ms: 0 };
const HOURS_AGO_NS: i64 = 2 * 3_600_000_000_000;
const PATIENCE: Duration = Duration::from_secs(300);

/// Bodies of one connection, and how many readings are in each.
type Bodies = Vec<(String, usize)>;

pub(crate) fn beside() {
    println!("InfluxDB as the store, beside influxd alone: 1,000 series, bodies of 1 MB, {CONNECTIONS} connections");
    for (name, shape) in SHAPES {
        let start_ns = jiff::Timestamp::now().as_nanosecond() as i64 - HOURS_AGO_NS;
        let each = shape.devices / CONNECTIONS;
        let bodies: Vec<Bodies> = (0..CONNECTIONS).map(|n| shape.lines(n * each..(n + 1) * each, start_ns)).collect();
        let millions = shape.readings() as f64 / 1e6;
        println!("  {name}, {millions:.0} M readings:");
        let direct = directly(&bodies, millions);
        let forwarded = through_the_hub(&bodies, shape.readings(), millions);
        println!("    through the hub / directly: {:.2}", forwarded / direct);
    }
}

/// Millions of readings a second.
fn directly(bodies: &[Bodies], millions: f64) -> f64 {
    let dir = data_dir();
    let influxd = Influxd::start(dir.path());
    let url = format!("{}api/v2/write?org=o&bucket=b&precision=ms", influxd.config().url);
    let (cpu, begun) = (hub::cpu_s(influxd.pid()), Instant::now());
    post_all(&url, TOKEN, bodies);
    let took = begun.elapsed().as_secs_f64();
    let cpu_at_ack = (hub::cpu_s(influxd.pid()) - cpu) / millions;
    hub::wait_until_idle(influxd.pid());
    println!(
        "    influxd: {:.3} M readings/s ({took:.1} s), {cpu_at_ack:.2} CPU s per million, {:.2} when it rests",
        millions / took,
        (hub::cpu_s(influxd.pid()) - cpu) / millions,
    );
    millions / took
}

fn through_the_hub(bodies: &[Bodies], readings: usize, millions: f64) -> f64 {
    let dir = data_dir();
    let influxd = Influxd::start(dir.path());
    let url = influxd.config().url.to_string();
    let settings = [
        ("STORE__KIND", "influxdb"),
        ("STORE__INFLUXDB__URL", &url),
        ("STORE__INFLUXDB__ORG", "o"),
        ("STORE__INFLUXDB__BUCKET", "b"),
        ("STORE__INFLUXDB__TOKEN", TOKEN),
    ];
    let hub = Hub::start_in(data_dir(), &settings);
    let token = hub.token("agent");
    let (cpu, influxd_cpu, begun) = (hub.cpu_s(), hub::cpu_s(influxd.pid()), Instant::now());
    post_all(&format!("http://{}/api/v2/write?precision=ms", hub.address), &token, bodies);
    let acked = begun.elapsed().as_secs_f64();
    while hub.metric("influxdb_forwarded_total") < readings as u64 || hub.metric("influxdb_backlog_bytes") > 0 {
        assert!(begun.elapsed() < PATIENCE, "{} of {readings} forwarded", hub.metric("influxdb_forwarded_total"));
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = begun.elapsed().as_secs_f64();
    let (hub_at_end, influxd_at_end) = (hub.cpu_s() - cpu, hub::cpu_s(influxd.pid()) - influxd_cpu);
    assert_eq!(hub.metric("influxdb_refused_total"), 0, "InfluxDB takes all of it");
    hub.wait_until_idle();
    hub::wait_until_idle(influxd.pid());
    println!(
        "    hub: acked {:.3} M readings/s ({acked:.1} s), forwarded {:.3} ({took:.1} s); CPU s per million: hub {:.2}, influxd {:.2}; {:.2} \
         and {:.2} when they rest",
        millions / acked,
        millions / took,
        hub_at_end / millions,
        influxd_at_end / millions,
        (hub.cpu_s() - cpu) / millions,
        (hub::cpu_s(influxd.pid()) - influxd_cpu) / millions,
    );
    millions / took
}

/// Each list over a connection of its own, the next body when the one before is answered.
fn post_all(url: &str, token: &str, lists: &[Bodies]) {
    std::thread::scope(|scope| {
        for list in lists {
            scope.spawn(move || {
                let agent = ureq::Agent::new_with_defaults();
                for (body, _) in list.iter().filter(|(_, readings)| *readings > 0) {
                    let request = agent.post(url).header("Authorization", format!("Token {token}"));
                    let answer = request.send(body.as_bytes()).expect("lines are taken");
                    assert_eq!(answer.status(), 204);
                }
            });
        }
    });
}
