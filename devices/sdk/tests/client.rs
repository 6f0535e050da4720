//! The client against a hub that breaks off, forgets, refuses and asks again: every pushed reading arrives.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod certificates;
mod fake_hub;

use std::env;
use std::fs::File;
use std::process::Command;
use std::time::{Duration, Instant};

use fake_hub::{FakeHub, Key, Mood};
use telltale_sdk::{Client, Config, Kind, Reading, Stats};
use telltale_wire::Limits;

const LONG: Duration = Duration::from_secs(60);

fn config(hub: &FakeHub, dir: &tempfile::TempDir) -> Config {
    let mut config = Config::new(hub.url(), "agent", dir.path().join("spool"));
    config.seed = Some(11);
    config
}

/// Waits until the client's books satisfy the condition.
async fn eventually(client: &Client, what: &str, condition: impl Fn(&Stats) -> bool) {
    let deadline = Instant::now() + LONG;
    while !condition(&client.stats()) {
        assert!(Instant::now() < deadline, "{what} did not come: {:?}", client.stats());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Ten readings of several series and types at one time.
fn readings(time: i64) -> Vec<Reading> {
    let mut readings: Vec<Reading> = (0..7)
        .map(|n| Reading::new(format!("dev-{}", n % 3), "temperature", 20.0 + time as f64 / 10.0).label("at", n.to_string()).at(time))
        .collect();
    readings.push(Reading::new("dev-0", "turns", time).kind(Kind::Counter).at(time));
    readings.push(Reading::new("dev-0", "open", time % 2 == 0).kind(Kind::State).at(time));
    readings.push(Reading::new("dev-1", "mode", format!("mode {time}")).at(time));
    readings
}

/// What the hub's map must hold after these were pushed.
fn expected(times: impl Iterator<Item = i64>) -> Vec<(Key, String)> {
    let mut all: Vec<(Key, String)> = times
        .flat_map(readings)
        .map(|reading| {
            let key = (reading.device, reading.metric, reading.labels, reading.time.unwrap());
            (key, format!("{:?}", reading.value))
        })
        .collect();
    all.sort();
    all
}

fn stored(hub: &FakeHub) -> Vec<(Key, String)> {
    hub.books().stored.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[tokio::test]
async fn readings_arrive_as_they_were_pushed() {
    let hub = FakeHub::start(Limits::default(), || Mood::Ack).await;
    let dir = tempfile::tempdir().unwrap();
    let client = Client::open(config(&hub, &dir)).unwrap();
    for time in 1..=50 {
        client.push(readings(time)).unwrap();
    }
    eventually(&client, "all acks", |stats| stats.unsent == 0).await;
    let stats = client.stats();
    assert_eq!((stats.pushed, stats.stored, stats.duplicate, stats.connects), (500, 500, 0, 1));
    assert!(stats.connected);
    assert_eq!(client.close(LONG).await.unsent, 0);
    assert_eq!(stored(&hub), expected(1..=50));
    assert_eq!(hub.books().batches.len(), 50, "one batch each push");
    let segments = std::fs::read_dir(dir.path().join("spool"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "seg"));
    assert_eq!(segments.count(), 0, "acked means deleted");
}

#[tokio::test]
async fn nothing_is_lost_whatever_the_hub_does() {
    for seed in [1, 2, 3] {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut cuts_left = 8;
        let hub = FakeHub::start(Limits::default(), move || match random.u32(..100) {
            0..40 => Mood::Ack,
            40..70 => Mood::Later,
            70..80 => Mood::Retry,
            80..86 => Mood::SlowDown,
            86..90 => Mood::Close,
            other if cuts_left > 0 => {
                cuts_left -= 1;
                if other < 95 { Mood::StoreAndCut } else { Mood::Cut }
            }
            _ => Mood::Ack,
        })
        .await;
        let dir = tempfile::tempdir().unwrap();
        let mut next = 1;
        // Three lives on one spool; the first two end with much unsent.
        for life in 1..=3 {
            let client = Client::open(config(&hub, &dir)).unwrap();
            for _ in 0..100 {
                client.push(readings(next)).unwrap();
                next += 1;
                tokio::task::yield_now().await;
            }
            let wait = if life < 3 { Duration::from_millis(30) } else { LONG };
            let closed = client.close(wait).await;
            assert!(life < 3 || closed.unsent == 0, "seed {seed}: {} left", closed.unsent);
        }
        assert_eq!(stored(&hub), expected(1..next), "seed {seed}");
        let books = hub.books();
        assert!(books.connections > 3, "seed {seed}: the hub was kind");
        assert_eq!(books.durable.len(), 1, "one spool, one boot id");
    }
}

#[tokio::test]
async fn what_was_pushed_without_a_hub_is_sent_by_the_next_process() {
    let hub = FakeHub::start(Limits::default(), || Mood::Ack).await;
    let dir = tempfile::tempdir().unwrap();
    let mut nowhere = config(&hub, &dir);
    nowhere.url = "ws://127.0.0.1:1".to_owned();
    let client = Client::open(nowhere).unwrap();
    for time in 1..=20 {
        client.push(readings(time)).unwrap();
    }
    eventually(&client, "the error", |stats| stats.last_error.is_some()).await;
    let error = client.stats().last_error.unwrap();
    assert!(error.contains("connection refused"), "{error}");
    assert_eq!(client.close(Duration::ZERO).await.unsent, 200);

    let client = Client::open(config(&hub, &dir)).unwrap();
    assert_eq!(client.stats().unsent, 200);
    assert_eq!(client.close(LONG).await.unsent, 0);
    assert_eq!(stored(&hub), expected(1..=20));
    let batches = hub.books().batches.clone();
    assert!(batches.is_sorted(), "the backlog goes out in its order: {batches:?}");
}

#[tokio::test]
async fn refused_readings_are_counted_and_those_for_later_are_kept() {
    let mut moods = [Mood::RefuseEvenAndCut, Mood::RefuseEven].into_iter();
    let hub = FakeHub::start(Limits::default(), move || moods.next().unwrap_or(Mood::Ack)).await;
    let dir = tempfile::tempdir().unwrap();
    let client = Client::open(config(&hub, &dir)).unwrap();
    client.push((1..=4).flat_map(readings).collect()).unwrap();
    eventually(&client, "the refusal", |stats| stats.kept == 20).await;
    eventually(&client, "the ack", |stats| stats.duplicate == 20).await;
    assert_eq!(client.stats().unsent, 20, "the refused ones wait in the spool");
    assert_eq!(stored(&hub), expected([1, 3].into_iter()));
    assert_eq!(client.close(LONG).await.unsent, 20, "closing does not wait for them");
    // The next process sends them at once.
    let client = Client::open(config(&hub, &dir)).unwrap();
    assert_eq!(client.close(LONG).await.unsent, 0);
    assert_eq!(stored(&hub), expected(1..=4));
}

#[tokio::test]
async fn readings_refused_for_good_are_dropped_and_counted() {
    let hub = FakeHub::start(Limits::default(), || Mood::RefuseAll).await;
    let dir = tempfile::tempdir().unwrap();
    let client = Client::open(config(&hub, &dir)).unwrap();
    client.push(readings(1)).unwrap();
    eventually(&client, "the refusal", |stats| stats.rejected == 10).await;
    eventually(&client, "the ack", |stats| stats.unsent == 0).await;
    assert_eq!(client.close(LONG).await.unsent, 0);
}

#[tokio::test]
async fn the_limits_of_a_small_hub_are_kept() {
    let limits = Limits { batch_readings: 16, aliases: 8, frame_bytes: 2048, ..Limits::default() };
    let hub = FakeHub::start(limits, || Mood::Ack).await;
    let dir = tempfile::tempdir().unwrap();
    let client = Client::open(config(&hub, &dir)).unwrap();
    client.push((1..=20).flat_map(readings).collect()).unwrap();
    client.push(vec![Reading::new("dev", "text", "x".repeat(3000)).at(1)]).unwrap();
    client.push(readings(21)).unwrap();
    eventually(&client, "all acks", |stats| stats.unsent == 0).await;
    assert_eq!(client.stats().rejected, 1, "the text that no frame can hold");
    assert_eq!(client.close(LONG).await.unsent, 0);
    assert_eq!(stored(&hub), expected(1..=21));
}

#[tokio::test]
async fn live_readings_do_not_wait_for_the_backlog() {
    let hub = FakeHub::start(Limits::default(), || Mood::Ack).await;
    let dir = tempfile::tempdir().unwrap();
    let mut nowhere = config(&hub, &dir);
    nowhere.url = "ws://127.0.0.1:1".to_owned();
    let client = Client::open(nowhere).unwrap();
    for time in 1..=2000 {
        client.push(vec![Reading::new("dev", "m", time).at(time)]).unwrap();
    }
    client.close(Duration::ZERO).await;
    let client = Client::open(config(&hub, &dir)).unwrap();
    client.push(vec![Reading::new("dev", "m", 5000_i64).at(5000)]).unwrap();
    assert_eq!(client.close(LONG).await.unsent, 0);
    let place = hub.books().batches.iter().position(|(_, time)| *time == 5000).unwrap();
    assert!(place < 5, "the live batch came as number {place}");
    assert_eq!(hub.books().stored.len(), 2001);
}

#[tokio::test]
async fn a_spool_synced_at_each_push_works_the_same() {
    let hub = FakeHub::start(Limits::default(), || Mood::Ack).await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&hub, &dir);
    config.sync_every = Duration::ZERO;
    let client = Client::open(config).unwrap();
    for time in 1..=5 {
        client.push(readings(time)).unwrap();
    }
    assert_eq!(client.close(LONG).await.unsent, 0);
    assert_eq!(stored(&hub), expected(1..=5));
}

#[tokio::test]
async fn over_tls_with_a_certificate_of_our_own() {
    let hub = FakeHub::start(Limits::default(), || Mood::Ack).await;
    let ca = certificates::ca("ours");
    let acceptor = certificates::acceptor(&ca, "localhost", (2020, 2090));
    let front = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = front.local_addr().unwrap().port();
    let behind = hub.address;
    tokio::spawn(async move {
        while let Ok((tcp, _)) = front.accept().await {
            let mut tls = acceptor.accept(tcp).await.unwrap();
            let mut plain = tokio::net::TcpStream::connect(behind).await.unwrap();
            drop(tokio::io::copy_bidirectional(&mut tls, &mut plain).await);
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&hub, &dir);
    config.url = format!("wss://localhost:{port}");
    config.ca_file = Some(ca.file.path().to_owned());
    let client = Client::open(config).unwrap();
    for time in 1..=30 {
        client.push(readings(time)).unwrap();
    }
    assert_eq!(client.close(LONG).await.unsent, 0);
    assert_eq!(stored(&hub), expected(1..=30));
}

/// A program may have all the files open that it may have. That passes; what is in the spool is whole.
#[tokio::test]
async fn what_cannot_be_read_for_want_of_files_is_sent_when_there_are_some() {
    const ALONE: &str = "TELLTALE_ALONE";
    if env::var_os(ALONE).is_none() {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n 100 && exec \"$0\" --exact what_cannot_be_read_for_want_of_files_is_sent_when_there_are_some"]);
        let output = command.arg(env::current_exe().unwrap()).env(ALONE, "").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
        return;
    }
    let hub = FakeHub::start(Limits::default(), || Mood::Ack).await;
    let dir = tempfile::tempdir().unwrap();
    let client = Client::open(config(&hub, &dir)).unwrap();
    client.push(readings(1)).unwrap();
    eventually(&client, "the first ack", |stats| stats.unsent == 0).await;
    let taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(!taken.is_empty());
    client.push(readings(2)).unwrap();
    eventually(&client, "an attempt", |stats| !stats.connected || stats.unreadable > 0).await;
    drop(taken);
    eventually(&client, "the second ack", |stats| stats.unsent == 0).await;
    assert_eq!((client.stats().unreadable, stored(&hub)), (0, expected(1..=2)));
}
