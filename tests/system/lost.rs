//! Commits that are lost to a bad disk: what they defined is not taken for something else, and what is left of it is shown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use telltale::clock::Clock;
use telltale::config::Config;
use telltale::hub::Hub as Opened;
use telltale::log::loss::Loss;
use telltale::model::SeriesId;

use crate::agent::{Agent, Answer, Sent, batch};
use crate::hub::Hub;

/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600_000_000_000;

/// A commit for each row, of one reading for each series in it; then kill -9.
async fn commits(dir: &Path, first: i64, rows: &[&[&str]]) {
    let hub = Hub::start(dir);
    send(&hub, first, rows).await;
    hub.kill();
}

async fn send(hub: &Hub, first: i64, rows: &[&[&str]]) {
    let mut agent = Agent::connect(&hub.address, &hub.token(&["--role", "agent"])).await.unwrap();
    for (seq, row) in (first..).zip(rows) {
        let of = |device: &&str| Sent { device: (*device).to_owned(), metric: "m".to_owned(), time: START + seq, value: seq as f64 };
        agent.send(batch(seq as u64, &row.iter().map(of).collect::<Vec<_>>())).await.unwrap();
        let stored = Answer::Ack { seq: seq as u64, stored: row.len() as u64, duplicate: 0, rejected: 0 };
        assert_eq!(agent.answer().await, Some(stored));
    }
}

fn segment(dir: &Path) -> PathBuf {
    let entries = std::fs::read_dir(dir.join("data/log")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "seg")).max().unwrap()
}

/// One bit in the body of the nth commit of the newest segment.
fn spoil(dir: &Path, nth: usize) {
    let path = segment(dir);
    let mut bytes = std::fs::read(&path).unwrap();
    let commit = (0..bytes.len()).step_by(8).filter(|at| bytes[*at..].starts_with(b"TTcm")).nth(nth).unwrap();
    bytes[commit + 30] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// What the hub has: by series, when and what, after the start of it.
fn points(hub: &Hub) -> BTreeMap<String, Vec<i64>> {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for (series, time, value) in hub.history("*/*") {
        assert_eq!(value.as_f64(), Some((time - START) as f64));
        found.entry(series).or_default().push(time - START);
    }
    found
}

fn expect(rows: &[(&str, &[i64])]) -> BTreeMap<String, Vec<i64>> {
    rows.iter().map(|(series, times)| ((*series).to_owned(), times.to_vec())).collect()
}

/// The ids of all series, by name, and what the start set aside.
fn ids(dir: &Path) -> (BTreeMap<String, u32>, Vec<Loss>) {
    let mut config = Config::default();
    config.data.dir = dir.join("data");
    let hub = Opened::open(config, Clock::system()).unwrap();
    let ids = (0..300_000).filter_map(|id| hub.series.by_id(SeriesId(id))).map(|series| (series.key.to_string(), series.id.0)).collect();
    (ids, hub.recovered.set_aside.iter().map(|aside| aside.loss).collect())
}

#[tokio::test]
async fn readings_of_a_series_whose_definition_is_lost_are_kept_and_are_nobody_elses() {
    let dir = tempfile::tempdir().unwrap();
    commits(dir.path(), 1, &[&["a"], &["b"], &["a", "b"], &["b"]]).await;
    spoil(dir.path(), 1);
    let left = [("a/m", &[1, 3][..]), ("unnamed/series-1", &[3, 4])];
    let hub = Hub::start(dir.path());
    assert_eq!(points(&hub), expect(&left));
    assert_eq!(hub.get("/api/v1/status")["recovered"]["set_aside"][0]["loss"], "damage");
    hub.kill();
    // Known again, and not told again.
    let hub = Hub::start(dir.path());
    assert_eq!(points(&hub), expect(&left));
    assert_eq!(hub.get("/api/v1/status")["recovered"]["set_aside"], serde_json::json!([]));
    send(&hub, 5, &[&["b"], &["c"]]).await;
    let all = [left[0], ("b/m", &[5]), ("c/m", &[6]), left[1]];
    assert_eq!(points(&hub), expect(&all));
    // The catalog knows it too when the log goes.
    assert_eq!(hub.stop(), Some(0));
    let hub = Hub::start(dir.path());
    assert_eq!(points(&hub), expect(&all));
    assert_eq!(hub.stop(), Some(0));
    std::fs::remove_dir_all(dir.path().join("data/log")).unwrap();
    let hub = Hub::start(dir.path());
    assert_eq!(points(&hub), expect(&all));
    hub.kill();
}

#[tokio::test]
async fn an_id_that_a_lost_commit_gave_is_not_given_again() {
    let dir = tempfile::tempdir().unwrap();
    commits(dir.path(), 1, &[&["a"], &["b"]]).await;
    spoil(dir.path(), 1);
    // A start that tells of it, and another kill before anything is committed.
    let hub = Hub::start(dir.path());
    assert_eq!(hub.get("/api/v1/status")["recovered"]["set_aside"][0]["loss"], "unclear");
    hub.kill();
    commits(dir.path(), 3, &[&["c"]]).await;
    let (found, losses) = ids(dir.path());
    assert_eq!((found["a/m"], losses), (0, vec![]));
    assert!(found["c/m"] > 1_000, "{found:?}");
    assert_eq!(found.len(), 2);
    commits(dir.path(), 4, &[&["d"]]).await;
    assert_eq!(ids(dir.path()).0["d/m"], found["c/m"] + 1, "once for each loss");
}
