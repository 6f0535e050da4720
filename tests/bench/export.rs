//! `make bench BENCH=export`: all readings of a hub as one export in each form: bytes, the hub's CPU, and the most memory it took meanwhile.
//! `TELLTALE_EXPORT_READINGS` says how many there are (millions; 20 by default).

use std::io::Read as _;
use std::time::Instant;

use crate::hub::Hub;
use crate::socket::{Socket, frame};

const DEVICES: usize = 100;
const METRICS: usize = 10;
/// Rows of a batch, each of all metrics of a device, a second apart.
const ROWS: usize = 50;
const NS: i64 = 1_000_000_000;
/// Batches under way.
const UNDER_WAY: usize = 16;

pub(crate) fn export() {
    let millions = std::env::var("TELLTALE_EXPORT_READINGS").map_or(20, |text| text.parse().expect("a whole number of millions"));
    let batches = millions * 1_000_000 / (ROWS * METRICS);
    let hub = Hub::start();
    let (agent, admin) = (hub.token("agent"), hub.token("admin"));
    fill(&hub, &agent, batches);
    hub.wait_until_idle();
    for form in ["csv", "ndjson", "lp", "parquet"] {
        measure(&hub, &admin, form, batches * ROWS * METRICS);
    }
}

fn fill(hub: &Hub, token: &str, batches: usize) {
    let mut socket = Socket::connect(&hub.address, "/api/v1/ingest", token);
    let (now, rounds) = (jiff::Timestamp::now().as_nanosecond() as i64, (batches / DEVICES + 1) as i64);
    let (mut under_way, mut answer) = (0, Vec::new());
    let mut take = |socket: &mut Socket| {
        socket.receive(&mut answer);
        assert!(answer.windows(3).any(|word| word == b"ack"), "{}", String::from_utf8_lossy(&answer));
    };
    for number in 0..batches {
        let first = now - (rounds - (number / DEVICES) as i64) * ROWS as i64 * NS;
        socket.send(&frame(2, &batch(number % DEVICES, first)));
        under_way += 1;
        if under_way == UNDER_WAY {
            take(&mut socket);
            under_way -= 1;
        }
    }
    (0..under_way).for_each(|_| take(&mut socket));
}

fn batch(device: usize, first: i64) -> Vec<u8> {
    const NEVER: &str = "a Vec takes all";
    let mut out = Vec::new();
    let text = |out: &mut Vec<u8>, text: &str| rmp::encode::write_str(out, text).expect(NEVER);
    rmp::encode::write_map_len(&mut out, 2).expect(NEVER);
    text(&mut out, "seq");
    rmp::encode::write_uint(&mut out, 1).expect(NEVER);
    text(&mut out, "readings");
    rmp::encode::write_array_len(&mut out, ROWS as u32).expect(NEVER);
    for row in 0..ROWS {
        rmp::encode::write_map_len(&mut out, 3).expect(NEVER);
        text(&mut out, "device");
        text(&mut out, &format!("device-{device}"));
        text(&mut out, "time");
        rmp::encode::write_i64(&mut out, first + row as i64 * NS).expect(NEVER);
        text(&mut out, "values");
        rmp::encode::write_map_len(&mut out, METRICS as u32).expect(NEVER);
        for metric in 0..METRICS {
            text(&mut out, &format!("metric_{metric}"));
            let tenths = 200 + (first / NS + (row * (metric + 3)) as i64) % 97;
            rmp::encode::write_f64(&mut out, tenths as f64 / 10.0).expect(NEVER);
        }
    }
    out
}

fn measure(hub: &Hub, token: &str, form: &str, readings: usize) {
    // The peak begins anew: what filling took is no matter here.
    std::fs::write(format!("/proc/{}/clear_refs", hub.process.id()), "5").expect("Linux forgets the peak when asked");
    let (rss, cpu, begun) = (hub.rss_mib(), hub.cpu_s(), Instant::now());
    let url = format!("http://{}/api/v1/export?select=*/*&format={form}", hub.address);
    let mut answer = ureq::get(url).header("Authorization", format!("Bearer {token}")).call().expect("the hub answers");
    let told = answer.headers().get("x-telltale-readings").and_then(|told| told.to_str().ok()?.parse().ok());
    assert_eq!(told, Some(readings), "all that was sent");
    let (mut body, mut buffer, mut bytes) = (answer.body_mut().as_reader(), vec![0; 1 << 16], 0_u64);
    loop {
        match body.read(&mut buffer).expect("the export is whole") {
            0 => break,
            read => bytes += read as u64,
        }
    }
    println!(
        "export of {:.1} M readings as {form}: {:.2} B and {:.0} ns of the hub's CPU a reading, {:.0} s, RSS {rss:.0} MiB before, at most {:.0} MiB",
        readings as f64 / 1e6,
        bytes as f64 / readings as f64,
        (hub.cpu_s() - cpu) * 1e9 / readings as f64,
        begun.elapsed().as_secs_f64(),
        hub.rss_peak_mib(),
    );
}
