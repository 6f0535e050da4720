//! What decoding costs without sockets and disk: frames and bodies to batches that are ready for the writer, on one core.

use std::sync::Arc;

use telltale::auth::access::{Access, Role, Scope};
use telltale::config::Config;
use telltale::ingest::line_protocol::{Lines, Precision};
use telltale::ingest::plain::Plain;
use telltale::ingest::session::{Door, Session};
use telltale::ingest::way::{Step, Way};
use telltale::metrics::Metrics;
use telltale::model::TokenId;
use telltale::query::selector::Attributes;
use telltale::series::SeriesTable;

/// 2026-11-24, which is after the build date.
const NOW: i64 = 1_795_478_400_000_000_000;
const FRAMES: usize = 4000;
const MAPS: usize = 100;
const FIELDS: usize = 10;

struct Without;

impl Attributes for Without {
    fn with_value(&self, _: &str, _: &str, use_value: &mut dyn FnMut(&str)) {
        use_value("");
    }
}

pub(crate) fn decode() {
    measure("Telegraf maps of 10 fields", telegraf, plain);
    measure("rows of 10 values", row, plain);
    measure("readings one by one", reading, plain);
    measure("line protocol of 10 fields", line, lines);
    measure("line protocol of 10 fields, 17 digits", long_line, lines);
}

/// Counts the readings of a frame.
type Decoder = Box<dyn FnMut(&mut Session, &[u8]) -> usize>;

fn plain() -> Decoder {
    let mut plain = Plain::default();
    Box::new(move |session, frame| {
        let steps = plain.frame(session, frame, NOW + 1_000_000_000);
        let of = |step| if let Step::Submit { batch, .. } = step { batch.readings.len() } else { panic!("the bench's frames are good") };
        steps.into_iter().map(of).sum()
    })
}

fn lines() -> Decoder {
    let mut lines = Lines::new(Precision::parse("ns").expect("a precision"));
    Box::new(move |session, body| {
        session.begin_frame(NOW + 1_000_000_000).expect("the clock is set");
        let mut batch = session.begin_batch();
        assert_eq!(lines.decide(session, &mut batch, body, true), body.len());
        batch.finish(None).0.map_or(0, |(batch, _)| batch.readings.len())
    })
}

fn measure(name: &str, map: fn(&mut Vec<u8>, usize), decoder: fn() -> Decoder) {
    let mut frame = Vec::new();
    (0..MAPS).for_each(|n| map(&mut frame, n));
    let series = Arc::new(SeriesTable::new(1_000_000, 1_000_000));
    let retention = Arc::new(telltale::retention::Retention::none(Arc::clone(&series)));
    let door = Door::new(&Config::default(), series, Arc::default(), Arc::new(Metrics::default()), Arc::new(Without), retention);
    let (_token, ended) = tokio::sync::watch::channel(false);
    let access = Access::new(TokenId(1), "bench".to_owned(), Role::Agent, Scope::default(), ended);
    let (mut decode, mut session) = (decoder(), Session::new(Arc::new(door), access));
    let mut readings = 0;
    let began = cpu_s();
    for _ in 0..FRAMES {
        readings += decode(&mut session, &frame);
    }
    let took = cpu_s() - began;
    assert!(readings > 0 && readings % FRAMES == 0);
    let bytes = frame.len() as f64 * FRAMES as f64 / readings as f64;
    println!("decode, {name}: {:.2} M readings/s and core, {bytes:.0} B a reading", readings as f64 / took / 1e6);
}

/// CPU time of this thread: other work on the machine does not count.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells a thread's time");
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).expect("nanoseconds first") / 1e9
}

fn telegraf(out: &mut Vec<u8>, n: usize) {
    out.push(0x84);
    text(out, "name");
    text(out, "cpu");
    text(out, "time");
    time(out, n);
    text(out, "tags");
    out.push(0x82);
    text(out, "host");
    text(out, "gateway-01");
    text(out, "cpu");
    text(out, &format!("cpu{}", n % 8));
    text(out, "fields");
    values(out);
}

fn row(out: &mut Vec<u8>, n: usize) {
    out.push(0x83);
    text(out, "device");
    text(out, &format!("gateway-{:02}", n % 8));
    text(out, "time");
    time(out, n);
    text(out, "values");
    values(out);
}

fn reading(out: &mut Vec<u8>, n: usize) {
    out.push(0x84);
    text(out, "device");
    text(out, &format!("gateway-{:02}", n % 8));
    text(out, "metric");
    text(out, "usage_idle");
    text(out, "time");
    time(out, n);
    text(out, "value");
    float(out, n as f64);
}

fn line(out: &mut Vec<u8>, n: usize) {
    line_of(out, n, |field| format!("{}", field as f64 + 0.5));
}

fn long_line(out: &mut Vec<u8>, n: usize) {
    line_of(out, n, |field| format!("{}", (field as f64 + 0.5) / 97.0));
}

fn line_of(out: &mut Vec<u8>, n: usize, value: fn(usize) -> String) {
    let fields: Vec<String> = (0..FIELDS).map(|field| format!("usage_field_{field}={}", value(field))).collect();
    let line = format!("cpu,cpu=cpu{},host=gateway-01 {} {}\n", n % 8, fields.join(","), NOW + n as i64);
    out.extend_from_slice(line.as_bytes());
}

fn values(out: &mut Vec<u8>) {
    out.push(0x80 | FIELDS as u8);
    for field in 0..FIELDS {
        text(out, &format!("usage_field_{field}"));
        float(out, field as f64 + 0.5);
    }
}

fn time(out: &mut Vec<u8>, n: usize) {
    let (seconds, nanos) = (NOW / 1_000_000_000, n as u32);
    out.extend([0xc7, 12, 0xff]);
    out.extend(nanos.to_be_bytes());
    out.extend(seconds.to_be_bytes());
}

fn float(out: &mut Vec<u8>, value: f64) {
    out.push(0xcb);
    out.extend(value.to_be_bytes());
}

fn text(out: &mut Vec<u8>, text: &str) {
    assert!(text.len() < 32);
    out.push(0xa0 | text.len() as u8);
    out.extend(text.as_bytes());
}
