//! The promise of an ack: after kill -9 at any instant every acked reading is there exactly once, nothing is there that was not sent,
//! and sending everything again brings duplicates alone. The bounds are so small that the hub seals, merges and drops log all the time.
//! Some are killed while a backup is made of them, some while they start.

use std::collections::HashMap;
use std::time::Duration;

use crate::agent::{Agent, Answer, Sent, batch};
use crate::hub::Hub;

mod met;

use met::Met;

/// `make crash` asks for more.
const RUNS: u64 = 50;
const BOUNDS: &str = "[log]\nsegment_bytes = \"1MiB\"\nunsealed_bytes = \"64KiB\"\nkeep_bytes = 0\n[store]\nreserve_bytes = 0\n";
const AGENTS: u64 = 3;
/// Batches an agent has on the way.
const WINDOW: usize = 8;
/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600_000_000_000;

/// What one agent knows of its batches: sent, and whether it was acked.
#[derive(Default)]
struct Book {
    batches: Vec<(Vec<Sent>, bool)>,
}

#[tokio::test]
async fn fifty_kills_lose_nothing_and_double_nothing() {
    let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let runs = std::env::var("CRASH_RUNS").ok().map_or(RUNS, |runs| runs.parse().expect("CRASH_RUNS is a number"));
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("hub.toml");
    std::fs::write(&config, BOUNDS).unwrap();
    let start = || Hub::start_with(dir.path(), &["--config", config.to_str().unwrap()]);
    let mut books: Vec<Book> = (0..AGENTS).map(|_| Book::default()).collect();
    let mut met = Met::new(dir.path());
    for run in 0..runs {
        if run % 3 == 1 {
            // Some before they listen, others soon after.
            met.start(Duration::from_millis(rng.u64(if run % 2 == 0 { 0..15 } else { 0..300 })));
        }
        let hub = start();
        check(&hub, &books, run, seed);
        let token = hub.token(&["--role", "agent"]);
        let agents: Vec<_> = books
            .drain(..)
            .enumerate()
            .map(|(number, book)| tokio::spawn(load(hub.address.clone(), token.clone(), number, book, rng.fork())))
            .collect();
        let backup = if run % 3 == 2 { Some(met.begin_backup().await) } else { None };
        // Merges come when nothing is to be sealed: some live long enough for it.
        let longest = if run % 5 == 0 { 1_000 } else { 250 };
        tokio::time::sleep(Duration::from_millis(rng.u64(if backup.is_some() { 0..50 } else { 5..longest }))).await;
        hub.kill();
        for agent in agents {
            books.push(agent.await.unwrap());
        }
        met.look(backup, &format!("SEED={seed} run {run}"));
    }
    println!("{met:?}");
    met.has_everything(runs);
    let hub = start();
    check(&hub, &books, runs, seed);
    let stored = hub.get("/api/v1/status")["store"]["points"].as_u64().unwrap();
    assert!(stored > 1_000, "{stored} readings behind the head say little about seals");
    let acked: usize = books.iter().flat_map(|b| &b.batches).filter(|(_, acked)| *acked).count();
    assert!(acked > 100, "the load was too small to say anything: {acked} batches acked");
    retry_is_all_duplicates(&hub, &books).await;
    assert_eq!(hub.stop(), Some(0));
}

/// The same with InfluxDB behind the log: the hub is killed each time, and influxd every other, while both are at work.
#[cfg(feature = "influxdb")]
#[tokio::test]
async fn thirty_kills_with_influxdb_lose_nothing_and_double_nothing() {
    use crate::influxd::{Influxd, TOKEN};
    let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let runs = std::env::var("CRASH_RUNS").ok().map_or(30, |runs| runs.parse().expect("CRASH_RUNS is a number"));
    let dir = tempfile::tempdir().unwrap();
    let influx_dir = tempfile::tempdir().unwrap();
    let mut influxd = Influxd::start(influx_dir.path());
    let config = dir.path().join("hub.toml");
    let url = influxd.config().url;
    let store = format!("kind = \"influxdb\"\n[store.influxdb]\nurl = \"{url}\"\norg = \"o\"\nbucket = \"b\"\ntoken = \"{TOKEN}\"\n");
    std::fs::write(&config, format!("{BOUNDS}{store}")).unwrap();
    let mut books: Vec<Book> = (0..AGENTS).map(|_| Book::default()).collect();
    for run in 0..=runs {
        let hub = Hub::start_with(dir.path(), &["--config", config.to_str().unwrap()]);
        // What was acked before the kill may still be on its way, and that is told.
        let began = std::time::Instant::now();
        while hub.get("/api/v1/history?select=*/*&from=0s&agg=count").get("incomplete").is_some() {
            assert!(began.elapsed() < Duration::from_secs(60), "SEED={seed} run {run}: it does not catch up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        check_points(hub.history("*/*"), &books, run, seed);
        if run == runs {
            assert_eq!(hub.get("/api/v1/status")["store"]["influxdb"]["refused"], 0);
            break;
        }
        let token = hub.token(&["--role", "agent"]);
        let agents: Vec<_> = books
            .drain(..)
            .enumerate()
            .map(|(number, book)| tokio::spawn(load(hub.address.clone(), token.clone(), number, book, rng.fork())))
            .collect();
        tokio::time::sleep(Duration::from_millis(rng.u64(5..250))).await;
        let both = rng.bool();
        if both {
            influxd.kill();
            tokio::time::sleep(Duration::from_millis(rng.u64(0..100))).await;
        }
        hub.kill();
        if both {
            influxd.run();
        }
        for agent in agents {
            books.push(agent.await.unwrap());
        }
    }
    let acked: usize = books.iter().flat_map(|b| &b.batches).filter(|(_, acked)| *acked).count();
    assert!(acked > 100, "the load was too small to say anything: {acked} batches acked");
}

/// Sends batches until the connection breaks, then says what was acked. What was not is sent again on the next run.
async fn load(address: String, token: String, number: usize, mut book: Book, mut rng: fastrand::Rng) -> Book {
    let Ok(mut agent) = Agent::connect(&address, &token).await else { return book };
    let mut again: Vec<usize> = (0..book.batches.len()).filter(|i| !book.batches[*i].1).collect();
    let mut on_the_way = 0;
    loop {
        let next = again.pop().unwrap_or_else(|| {
            book.batches.push((readings(number, book.batches.len(), &mut rng), false));
            book.batches.len() - 1
        });
        if agent.send(batch(next as u64, &book.batches[next].0)).await.is_err() {
            return book;
        }
        on_the_way += 1;
        while on_the_way >= WINDOW {
            match agent.answer().await {
                Some(Answer::Ack { seq, stored, duplicate, rejected }) => {
                    let (readings, acked) = &mut book.batches[seq as usize];
                    assert_eq!((stored + duplicate, rejected), (readings.len() as u64, 0));
                    *acked = true;
                    on_the_way -= 1;
                }
                None => return book,
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Times of one agent never repeat, so every reading is one of a kind.
fn readings(agent: usize, batch: usize, rng: &mut fastrand::Rng) -> Vec<Sent> {
    let count = rng.usize(1..40);
    let reading = |i: usize| Sent {
        device: format!("gw{agent}"),
        metric: format!("m{}", i % 4),
        time: START + (batch * 1_000 + i) as i64 * 1_000_000,
        value: (batch * 1_000 + i) as f64 / 10.0,
    };
    (0..count).map(reading).collect()
}

fn check(hub: &Hub, books: &[Book], run: u64, seed: u64) {
    check_points(hub.history("*/*"), books, run, seed);
}

fn check_points(points: Vec<(String, i64, serde_json::Value)>, books: &[Book], run: u64, seed: u64) {
    let mut found = HashMap::new();
    for (series, time, value) in points {
        let twice = found.insert((series.clone(), time), value.as_f64().unwrap());
        assert!(twice.is_none(), "SEED={seed} run {run}: {series} has {time} twice");
    }
    let mut known = 0;
    for (readings, acked) in books.iter().flat_map(|book| &book.batches) {
        let stored = readings.iter().filter(|r| found.get(&(format!("{}/{}", r.device, r.metric), r.time)) == Some(&r.value)).count();
        assert!(stored == readings.len() || !acked, "SEED={seed} run {run}: {stored} of {} acked readings are there", readings.len());
        assert!(stored == readings.len() || stored == 0, "SEED={seed} run {run}: a batch is torn: {stored} of {}", readings.len());
        known += stored;
    }
    assert_eq!(known, found.len(), "SEED={seed} run {run}: something is stored that nobody sent");
}

async fn retry_is_all_duplicates(hub: &Hub, books: &[Book]) {
    let mut agent = Agent::connect(&hub.address, &hub.token(&["--role", "agent"])).await.unwrap();
    for (i, (readings, _)) in books.iter().flat_map(|b| &b.batches).filter(|(_, acked)| *acked).enumerate() {
        agent.send(batch(i as u64, readings)).await.unwrap();
        let duplicates = Answer::Ack { seq: i as u64, stored: 0, duplicate: readings.len() as u64, rejected: 0 };
        assert_eq!(agent.answer().await, Some(duplicates));
    }
}
