//! What plain decoding costs without sockets and disk: frames to batches that are ready for the writer, on one core.

use std::sync::Arc;

use telltale::auth::access::{Access, Role, Scope};
use telltale::config::Config;
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
    measure("Telegraf maps of 10 fields", telegraf);
    measure("rows of 10 values", row);
    measure("readings one by one", reading);
}

fn measure(name: &str, map: fn(&mut Vec<u8>, usize)) {
    let mut frame = Vec::new();
    (0..MAPS).for_each(|n| map(&mut frame, n));
    let series = Arc::new(SeriesTable::new(1_000_000, 1_000_000));
    let retention = Arc::new(telltale::retention::Retention::none(Arc::clone(&series)));
    let door = Door::new(&Config::default(), series, Arc::default(), Arc::new(Metrics::default()), Arc::new(Without), retention);
    let (_token, ended) = tokio::sync::watch::channel(false);
    let access = Access::new(TokenId(1), "bench".to_owned(), Role::Agent, Scope::default(), ended);
    let (mut plain, mut session) = (Plain::default(), Session::new(Arc::new(door), access));
    let mut readings = 0;
    let began = cpu_s();
    for _ in 0..FRAMES {
        for step in plain.frame(&mut session, &frame, NOW + 1_000_000_000) {
            match step {
                Step::Submit { batch, .. } => readings += batch.readings.len(),
                Step::Settled(_) => panic!("the bench's frames are good"),
            }
        }
    }
    let took = cpu_s() - began;
    assert_eq!(readings % FRAMES, 0);
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
