//! The hub with InfluxDB as its store, beside influxd alone, which gets the same line protocol twice: as it is posted to the hub, and
//! as the hub writes it, body for body: a line for each field, with the tag of its series. All answer 204 when the disk has it.

use std::time::{Duration, Instant};

use crate::hub::{self, Hub, data_dir};
use crate::influxd::{Influxd, TOKEN};
use crate::recorder::Recorder;
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
        let (readings, millions) = (shape.readings(), shape.readings() as f64 / 1e6);
        println!("  {name}, {millions:.0} M readings:");
        let written = recorded(&bodies, readings);
        let posted = directly("the lines that are posted", &bodies, millions);
        let as_written = directly("the lines that the hub writes", &written, millions);
        let through = through_the_hub(&bodies, readings, millions);
        for (what, directly) in [("the lines that are posted", posted), ("the lines that it writes", as_written)] {
            println!(
                "    through the hub / directly, {what}: {:.2} of the readings a second; {:.2} times the CPU of both",
                through.rate / directly.rate,
                through.cpu_s / directly.cpu_s
            );
        }
    }
}

/// Millions of readings a second, and the CPU seconds for a million of all servers that took them.
#[derive(Clone, Copy, Debug)]
struct Measured {
    rate: f64,
    cpu_s: f64,
}

/// What the hub writes for these, over as many connections.
fn recorded(bodies: &[Bodies], readings: usize) -> Vec<Bodies> {
    let recorder = Recorder::start();
    let hub = hub_before(&recorder.url);
    let cpu = hub.cpu_s();
    let token = hub.token("agent");
    let held = recorder.hold();
    post_all(&at_the_hub(&hub), &token, bodies);
    drop(held);
    wait_until_forwarded(&hub, readings);
    hub.wait_until_idle();
    let spent = (hub.cpu_s() - cpu) / (readings as f64 / 1e6);
    let mut lists = vec![Bodies::new(); CONNECTIONS];
    let (mut lines, mut bytes, written) = (0, 0, recorder.bodies());
    // The first is empty: whether the token may write.
    for (n, body) in written.into_iter().filter(|body| !body.is_empty()).enumerate() {
        let count = body.lines().count();
        (lines, bytes) = (lines + count, bytes + body.len());
        lists[n % CONNECTIONS].push((body, count));
    }
    assert_eq!(lines, readings, "a line for each reading");
    let sent: usize = lists.iter().map(Vec::len).sum();
    println!(
        "    hub alone, before a server that only answers: {spent:.2} CPU s per million; {} B a line, {} lines a body",
        bytes / lines,
        lines / sent
    );
    lists
}

fn directly(what: &str, bodies: &[Bodies], millions: f64) -> Measured {
    let dir = data_dir();
    let influxd = Influxd::start(dir.path());
    // Those of the hub have nanoseconds.
    let precision = if bodies[0][0].0.contains(",id:=") { "ns" } else { "ms" };
    let url = format!("{}api/v2/write?org=o&bucket=b&precision={precision}", influxd.config().url);
    let (cpu, begun) = (hub::cpu_s(influxd.pid()), Instant::now());
    post_all(&url, TOKEN, bodies);
    let took = begun.elapsed().as_secs_f64();
    let cpu_at_ack = (hub::cpu_s(influxd.pid()) - cpu) / millions;
    hub::wait_until_idle(influxd.pid());
    let measured = Measured { rate: millions / took, cpu_s: (hub::cpu_s(influxd.pid()) - cpu) / millions };
    let Measured { rate, cpu_s } = measured;
    println!("    influxd, {what}: {rate:.3} M readings/s ({took:.1} s), {cpu_at_ack:.2} CPU s per million, {cpu_s:.2} when it rests");
    measured
}

fn hub_before(url: &str) -> Hub {
    let settings = [
        ("STORE__KIND", "influxdb"),
        ("STORE__INFLUXDB__URL", url),
        ("STORE__INFLUXDB__ORG", "o"),
        ("STORE__INFLUXDB__BUCKET", "b"),
        ("STORE__INFLUXDB__TOKEN", TOKEN),
    ];
    Hub::start_in(data_dir(), &settings)
}

fn at_the_hub(hub: &Hub) -> String {
    format!("http://{}/api/v2/write?precision=ms", hub.address)
}

fn wait_until_forwarded(hub: &Hub, readings: usize) {
    let begun = Instant::now();
    while hub.metric("influxdb_forwarded_total") < readings as u64 || hub.metric("influxdb_backlog_bytes") > 0 {
        assert!(begun.elapsed() < PATIENCE, "{} of {readings} forwarded", hub.metric("influxdb_forwarded_total"));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn through_the_hub(bodies: &[Bodies], readings: usize, millions: f64) -> Measured {
    let dir = data_dir();
    let influxd = Influxd::start(dir.path());
    let hub = hub_before(influxd.config().url.as_str());
    let token = hub.token("agent");
    let (cpu, influxd_cpu, begun) = (hub.cpu_s(), hub::cpu_s(influxd.pid()), Instant::now());
    post_all(&at_the_hub(&hub), &token, bodies);
    let acked = begun.elapsed().as_secs_f64();
    wait_until_forwarded(&hub, readings);
    let took = begun.elapsed().as_secs_f64();
    let (hub_at_end, influxd_at_end) = (hub.cpu_s() - cpu, hub::cpu_s(influxd.pid()) - influxd_cpu);
    assert_eq!(hub.metric("influxdb_refused_total"), 0, "InfluxDB takes all of it");
    hub.wait_until_idle();
    hub::wait_until_idle(influxd.pid());
    let (hub_cpu, influxd_cpu) = ((hub.cpu_s() - cpu) / millions, (hub::cpu_s(influxd.pid()) - influxd_cpu) / millions);
    println!(
        "    hub: acked {:.3} M readings/s ({acked:.1} s), forwarded {:.3} ({took:.1} s); CPU s per million: hub {:.2}, influxd {:.2}; {hub_cpu:.2} \
         and {influxd_cpu:.2} when they rest",
        millions / acked,
        millions / took,
        hub_at_end / millions,
        influxd_at_end / millions,
    );
    Measured { rate: millions / took, cpu_s: hub_cpu + influxd_cpu }
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
