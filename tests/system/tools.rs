//! Commands over everything that is stored, as their users run them, with and without a running hub.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::agent::{Agent, Answer, Sent, batch};
use crate::hub::Hub;

/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600_000_000_000;
const MINUTE: i64 = 60_000_000_000;

/// Exit code, stdout and stderr of a command that ends by itself.
pub fn run(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_telltale"));
    let output = command.args(arguments).arg("--data-dir").arg(dir.join("data")).env_clear().output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().expect("it was not killed"), text(output.stdout), text(output.stderr))
}

/// Two fast series whose irregular times are the same, and a slow one.
pub fn readings(day: i64) -> Vec<Sent> {
    let mut sent = Vec::new();
    for i in 0..350 {
        let time = START + day * 1440 * MINUTE + i * MINUTE + i * i % 7 * 1_000_000;
        for (metric, of) in [("a", 91), ("b", 97)] {
            sent.push(Sent { device: "fast".to_owned(), metric: metric.to_owned(), time, value: (i * i % of) as f64 });
        }
        if i % 50 == 0 {
            sent.push(Sent { device: "slow".to_owned(), metric: "a".to_owned(), time, value: i as f64 });
        }
    }
    sent
}

pub async fn send(hub: &Hub, seq: u64, readings: &[Sent]) {
    let mut agent = Agent::connect(&hub.address, &hub.token(&["--role", "agent"])).await.unwrap();
    agent.send(batch(seq, readings)).await.unwrap();
    let Some(Answer::Ack { rejected: 0, .. }) = agent.answer().await else { panic!("not taken") };
}

pub fn store_file(dir: &Path) -> PathBuf {
    dir.join("data/store/2026-01-01.raw.0.sqlite")
}

fn log_file(dir: &Path, extension: &str) -> PathBuf {
    let mut files: Vec<_> = std::fs::read_dir(dir.join("data/log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().find(|path| path.extension().is_some_and(|e| e == extension)).expect(extension)
}

fn flip(path: &Path, at: usize) {
    if path.extension().is_some_and(|extension| extension == "sqlite") {
        // So that the file itself holds all of it.
        Connection::open(path).unwrap().query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).unwrap();
    }
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// Flips a bit in the body that the query gives.
fn flip_body(path: &Path, sql: &str) {
    let db = Connection::open(path).unwrap();
    let body: Vec<u8> = db.query_row(sql, [], |row| row.get(0)).unwrap();
    drop(db);
    let bytes = std::fs::read(path).unwrap();
    let at = bytes.windows(body.len()).position(|window| window == body).expect("a body in one piece");
    flip(path, at + body.len() / 2);
}

pub fn change(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_dir() {
            copy(&path, &to);
        } else if path.extension().is_none_or(|extension| extension != "sock") {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

/// What a row of damage does to a directory.
type Damage<'a> = &'a dyn Fn(&Path);

#[tokio::test]
async fn check_names_what_is_bad_and_the_rest_answers() {
    let good = tempfile::tempdir().unwrap();
    let hub = Hub::start(good.path());
    for day in 0..2 {
        send(&hub, day as u64, &readings(day)).await;
    }
    let (code, stdout, stderr) = run(good.path(), &["check"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.ends_with("nothing is damaged\n"), "{stdout}");
    assert_eq!(hub.stop(), Some(0));
    let (code, stdout, stderr) = run(good.path(), &["check"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.starts_with("1414 readings in 6 chunks of 3 files"), "{stdout}");
    let own = "SELECT body FROM chunks WHERE id = 1";
    let rows: &[(&str, Damage<'_>, usize)] = &[
        ("store/2026-01-01.raw.0.sqlite chunks row 1, fast/a, 2026-01-01T00:00:00Z", &|dir| flip_body(&store_file(dir), own), 1064),
        ("store/2026-01-01.raw.0.sqlite blocks row 1, slow/a", &|dir| flip_body(&store_file(dir), "SELECT body FROM blocks"), 1407),
        ("times row 1", &|dir| flip_body(&store_file(dir), "SELECT body FROM times"), 714),
        ("its row says 351", &|dir| change(&store_file(dir), "UPDATE chunks SET count = 351 WHERE id = 1"), 1414),
        ("its time column 1 is not there", &|dir| change(&store_file(dir), "DELETE FROM times"), 714),
        ("store/2026-01-01.raw.0.sqlite", &|dir| flip(&store_file(dir), 3), 707),
        ("is none; expected 1", &|dir| flip(&store_file(dir), 60), 707),
        ("its format 0 is none", &|dir| flip(&store_file(dir), 63), 707),
        ("log/00000000000000000001.seg offset 40: ", &|dir| flip(&log_file(dir, "seg"), 80), 1414),
        ("log/00000000000000000001.seg: the segment header", &|dir| flip(&log_file(dir, "seg"), 20), 1414),
        ("log/00000000000000000001.idx", &|dir| flip(&log_file(dir, "idx"), 20), 1414),
        ("store/2026-01-01.raw.0.sqlite-wal: frame ", &|dir| flip(&store_file(dir).with_extension("sqlite-wal"), 40_000), 707),
        (
            "catalog.sqlite: series row 0: one of its 10 values",
            &|dir| change(&dir.join("data/catalog.sqlite"), "UPDATE series SET device = 'fasu' WHERE id = 0"),
            1414,
        ),
        (
            "catalog.sqlite: last row 1: one of its 7 values",
            &|dir| change(&dir.join("data/catalog.sqlite"), "UPDATE last SET value = 1 WHERE series = 1"),
            1414,
        ),
        ("log/epoch", &|dir| std::fs::write(dir.join("data/log/epoch"), "?").unwrap(), 1414),
    ];
    for (named, damage, left) in rows {
        let dir = tempfile::tempdir().unwrap();
        copy(good.path(), dir.path());
        damage(dir.path());
        let (code, stdout, stderr) = run(dir.path(), &["check"]);
        assert_eq!(code, 1, "{named}: {stdout}{stderr}");
        assert!(stdout.contains(named), "{named}: {stdout}");
        let hub = Hub::start(dir.path());
        assert_eq!(hub.history("*/*").len(), *left, "{named}");
        hub.kill();
    }
    for (file, at) in [("store/state.sqlite", 100), ("catalog.sqlite", 100)] {
        let dir = tempfile::tempdir().unwrap();
        copy(good.path(), dir.path());
        flip(&dir.path().join("data").join(file), at);
        let (code, stdout, _) = run(dir.path(), &["check"]);
        assert!(code == 1 && stdout.contains(file), "{file}: {stdout}");
    }
}

#[tokio::test]
async fn check_after_a_kill_finds_nothing_and_reads_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    send(&hub, 1, &readings(0)).await;
    let (code, stdout, _) = run(dir.path(), &["check"]);
    assert_eq!(code, 0, "{stdout}");
    hub.kill();
    let (code, stdout, _) = run(dir.path(), &["check"]);
    assert_eq!(code, 0, "{stdout}");
    assert!(stdout.contains("1 commits in 1 segments"), "{stdout}");
    let empty = tempfile::tempdir().unwrap();
    let (code, _, stderr) = run(empty.path(), &["check"]);
    assert!(code == 1 && stderr.contains("there is no data directory"), "{stderr}");
    assert!(!empty.path().join("data").exists());
}

#[tokio::test]
async fn stats_sum_up() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    for day in 0..2 {
        send(&hub, day as u64, &readings(day)).await;
    }
    assert_eq!(hub.stop(), Some(0));
    let look = || -> serde_json::Value { serde_json::from_str(&run(dir.path(), &["stats", "--json"]).1).unwrap() };
    let offline = look();
    let sum = |rows: &serde_json::Value, name: &str| rows.as_array().unwrap().iter().map(|row| row[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((&offline["readings"], &offline["series"]), (&1414.into(), &3.into()));
    assert_eq!(sum(&offline["files"], "readings"), 1414);
    assert_eq!(sum(&offline["top"], "readings"), 1414);
    let levels: u64 = offline["files"].as_array().unwrap().iter().map(|file| sum(&file["levels"], "bytes")).sum();
    assert_eq!(sum(&offline["top"], "bytes"), levels, "bodies belong to series");
    let files = std::fs::read_dir(dir.path().join("data/store")).unwrap().map(|entry| entry.unwrap());
    let of_days = files.filter(|file| file.file_name().to_str().unwrap().starts_with("2026"));
    let on_disk: u64 =
        of_days.filter(|file| !file.file_name().to_str().unwrap().ends_with("-shm")).map(|file| file.metadata().unwrap().len()).sum();
    assert_eq!(offline["bytes"].as_u64(), Some(on_disk));
    let hub = Hub::start(dir.path());
    let (code, table, _) = run(dir.path(), &["stats", "--top", "1"]);
    assert!(code == 0 && table.starts_with("1414 readings of 3 series in "), "{table}");
    assert!(table.contains("fast/a") != table.contains("fast/b"), "one series: {table}");
    assert_eq!(hub.get("/api/v1/stats")["readings"], 1414);
    assert_eq!(hub.ask("/api/v1/stats?top=x").0, 400);
}

/// Waits until so many days are merged and summed up: the last that is written of a day says so.
pub fn summed_up(dir: &Path, days: i64) {
    let is_done = |day: i64| -> rusqlite::Result<bool> {
        let file = |kind: &str| dir.join(format!("data/store/2026-01-{:02}.{kind}.0.sqlite", day + 1));
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(file("raw"), flags)?;
        db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let newest = "max((SELECT coalesce(max(seal), 0) FROM chunks), (SELECT coalesce(max(seal), 0) FROM blocks))";
        let is_merged: bool = db.query_row(&format!("SELECT up_to >= {newest} FROM merged"), [], |row| row.get(0))?;
        Ok(is_merged && file("rollup").exists())
    };
    let began = Instant::now();
    while !(0..days).all(|day| is_done(day).unwrap_or(false)) {
        assert!(began.elapsed() < Duration::from_secs(60), "{days} days are not summed up");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn restored(dir: &Path, backup: &str, more: &[&str]) -> (tempfile::TempDir, String) {
    let to = tempfile::tempdir().unwrap();
    let arguments: Vec<_> = ["restore", backup, "--verify"].iter().chain(more).copied().collect();
    let (code, stdout, stderr) = run(to.path(), &arguments);
    assert_eq!(code, 0, "{stdout}{stderr} {}", dir.display());
    assert!(stdout.ends_with("everything is as the backup says\n"), "{stdout}");
    (to, stdout)
}

#[tokio::test]
async fn a_backup_beside_live_writes_is_restored_with_all_that_was_acked_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("backup").to_str().unwrap().to_owned();
    let config = dir.path().join("hub.toml");
    // Seals and merges all the time.
    std::fs::write(&config, "[log]\nsegment_bytes = \"1MiB\"\nunsealed_bytes = \"64KiB\"\n[store]\nreserve_bytes = 0\n").unwrap();
    let hub = Hub::start_with(dir.path(), &["--config", config.to_str().unwrap()]);
    let (address, token) = (hub.address.clone(), hub.token(&["--role", "agent"]));
    let acked = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(0));
    let told = std::sync::Arc::clone(&acked);
    let sender = tokio::spawn(async move {
        let mut agent = Agent::connect(&address, &token).await.unwrap();
        for day in 0.. {
            let mut sent = readings(day % 60);
            // Later rounds rewrite the days with other values.
            sent.iter_mut().for_each(|reading| reading.value += (day / 60) as f64);
            if agent.send(batch(day as u64, &sent)).await.is_err() || agent.answer().await.is_none() {
                return;
            }
            told.store(day + 1, std::sync::atomic::Ordering::SeqCst);
        }
    });
    let mut positions = Vec::new();
    for _ in 0..4 {
        while acked.load(std::sync::atomic::Ordering::SeqCst) < (positions.len() as i64 + 1) * 10 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let days = acked.load(std::sync::atomic::Ordering::SeqCst).min(60);
        let (from, to) = (dir.path().to_owned(), backup.clone());
        let (code, stdout, stderr) = tokio::task::spawn_blocking(move || run(&from, &["backup", &to])).await.unwrap();
        assert_eq!(code, 0, "{stdout}{stderr}");
        let (to, said) = restored(dir.path(), &backup, &[]);
        let found: u64 = said.split(' ').next().unwrap().parse().unwrap();
        assert!(found >= days as u64 * 707, "{found} readings of {days} days");
        let copy = Hub::start(to.path());
        assert_eq!(copy.history("*/*").len() as u64, found);
        assert_ne!(copy.get("/api/v1/status")["epoch"], hub.get("/api/v1/status")["epoch"]);
        positions.push(copy.get("/api/v1/status")["position"].as_u64().unwrap());
        // Positions go on, and what is sent again is known.
        send(&copy, 1, &readings(0)).await;
        send(&copy, 2, &readings(100)).await;
        assert_eq!(copy.history("*/*").len() as u64, found + 707);
        assert!(copy.get("/api/v1/status")["position"].as_u64() > positions.last().copied());
        copy.kill();
    }
    assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
    drop(hub);
    sender.await.unwrap();
}

#[tokio::test]
async fn a_second_backup_copies_what_changed_and_one_that_is_cut_off_leaves_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("backup");
    let to = backup.to_str().unwrap();
    let hub = Hub::start(dir.path());
    let token = hub.token(&["--role", "viewer"]);
    for day in 0..5 {
        send(&hub, day as u64, &readings(day)).await;
    }
    let copied = |stdout: &str| -> (u64, u64) {
        let words: Vec<_> = stdout.lines().nth(1).unwrap().split(' ').collect();
        (words[0].parse().unwrap(), words[2].parse().unwrap())
    };
    let (code, stdout, stderr) = run(dir.path(), &["backup", to]);
    assert_eq!(code, 0, "{stderr}");
    let (first, all) = copied(&stdout);
    assert!(first == all && all >= 7, "{stdout}");
    // Days that are over are merged and rolled up meanwhile; then nothing changes. The catalog and the state are always copied.
    let settled = |days| {
        summed_up(dir.path(), days);
        let _what_changed = run(dir.path(), &["backup", to]);
        let (changed, all) = copied(&run(dir.path(), &["backup", to]).1);
        assert_eq!(changed, 2, "of {all}");
        all
    };
    let all = settled(5);
    send(&hub, 9, &readings(5)).await;
    let (changed, now) = copied(&run(dir.path(), &["backup", to]).1);
    assert!((3..=4).contains(&changed) && now > all, "{changed} of {now}");
    settled(6);
    assert_eq!(hub.stop(), Some(0));
    settled(6);

    let hub = Hub::start(dir.path());
    send(&hub, 10, &readings(6)).await;
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(backup.join("backup.json")).unwrap()).unwrap();
    let obstacle = backup.join(format!("files/2026-01-07.raw.0.sqlite.{:06}", manifest["number"].as_u64().unwrap() + 1));
    std::fs::create_dir(&obstacle).unwrap();
    let (code, _, stderr) = run(dir.path(), &["backup", to]);
    assert!(code == 1 && stderr.contains("cannot make"), "{stderr}");
    let (old, said) = restored(dir.path(), to, &["--without-tokens"]);
    assert!(said.starts_with("4242 readings"), "the backup before: {said}");
    let copy = Hub::start(old.path());
    let answer = ureq::get(format!("http://{}/api/v1/session", copy.address)).header("Authorization", format!("Bearer {token}")).call();
    assert!(matches!(answer, Err(ureq::Error::StatusCode(401))), "the tokens have ended");
    copy.kill();
    std::fs::remove_dir(&obstacle).unwrap();
    let (copied, all) = copied(&run(dir.path(), &["backup", to]).1);
    assert!(copied >= 3, "{copied}");
    let (new, _) = restored(dir.path(), to, &[]);
    let copy = Hub::start(new.path());
    let answer = ureq::get(format!("http://{}/api/v1/session", copy.address)).header("Authorization", format!("Bearer {token}")).call();
    assert_eq!(answer.unwrap().status(), 200);
    copy.kill();
    let names: Vec<_> = std::fs::read_dir(backup.join("files")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len() as u64, all, "nothing is left over: {names:?}");
}

#[tokio::test]
async fn a_restore_takes_nothing_that_is_not_whole_and_nothing_that_is_not_empty() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("backup");
    let to = backup.to_str().unwrap();
    let hub = Hub::start(dir.path());
    send(&hub, 1, &readings(0)).await;
    assert_eq!(hub.ask("/api/v1/backup").0, 405);
    assert_eq!(run(dir.path(), &["backup", to]).0, 0);
    let (code, _, stderr) = run(dir.path(), &["backup", dir.path().to_str().unwrap()]);
    assert!(code == 1 && stderr.contains("is not empty and holds no backup"), "{stderr}");
    for within in ["data", "data/new/backup"] {
        let (code, _, stderr) = run(dir.path(), &["backup", dir.path().join(within).to_str().unwrap()]);
        assert!(code == 1 && stderr.contains("lies within the data directory"), "{stderr}");
        assert!(!dir.path().join("data/new").exists());
    }
    let (code, _, stderr) = run(dir.path(), &["restore", to]);
    assert!(code == 1 && stderr.contains("is not empty"), "{stderr}");
    let fresh = tempfile::tempdir().unwrap();
    let (code, _, stderr) = run(fresh.path(), &["restore", fresh.path().to_str().unwrap()]);
    assert!(code == 1 && stderr.contains("not a backup of telltale"), "{stderr}");
    assert!(!fresh.path().join("data").exists());

    let manifest = backup.join("backup.json");
    flip(&manifest, 40);
    let (code, _, stderr) = run(fresh.path(), &["restore", to]);
    assert!(code == 1 && stderr.contains("backup.json is damaged"), "{stderr}");
    flip(&manifest, 40);
    let day = backup.join("files/2026-01-01.raw.0.sqlite.000001");
    let whole = std::fs::read(&day).unwrap();
    flip(&day.with_extension("000001"), whole.len() / 2);
    let (code, _, stderr) = run(fresh.path(), &["restore", to]);
    assert!(code == 1 && stderr.contains("2026-01-01.raw.0.sqlite.000001 of the backup is damaged"), "{stderr}");
    let (code, _, stderr) = run(fresh.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(code == 1 && stderr.contains("holds a restore that was cut off"), "{stderr}");
    std::fs::write(&day, &whole).unwrap();
    let (code, stdout, stderr) = run(fresh.path(), &["restore", to, "--verify"]);
    assert_eq!(code, 0, "the same again: {stdout}{stderr}");
    let (code, stdout, _) = run(fresh.path(), &["check"]);
    assert_eq!(code, 0, "{stdout}");
}

/// Lines of an export of what a selection holds, and what was said beside.
fn exported(dir: &Path, arguments: &[&str]) -> (i32, usize, String) {
    let (code, stdout, stderr) = run(dir, &[&["export", "--format", "ndjson"], arguments].concat());
    (code, stdout.lines().count(), stderr)
}

#[tokio::test]
async fn damage_breaks_only_exports_that_meet_it_and_can_be_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    for day in 0..2 {
        send(&hub, day as u64, &readings(day)).await;
    }
    assert_eq!(hub.stop(), Some(0));
    flip_body(&store_file(dir.path()), "SELECT body FROM chunks WHERE id = 1");
    for is_running in [false, true] {
        let hub = is_running.then(|| Hub::start(dir.path()));
        let place =
            "fast/a from 2026-01-01T00:00:00Z to 2026-01-01T05:49:00.001Z could not be read (2026-01-01.raw.0.sqlite chunks row 1: ";
        for _ in 0..2 {
            let (code, _, stderr) = exported(dir.path(), &["--select", "*/*"]);
            assert!(code == 1 && stderr.contains(place) && stderr.contains("--skip-damaged"), "{is_running} {stderr}");
        }
        assert_eq!(exported(dir.path(), &["--select", "*/b", "--select", "slow/*"]), (0, 714, String::new()), "other series");
        assert_eq!(exported(dir.path(), &["--select", "*/*", "--from", "2026-01-02T00:00:00Z"]), (0, 707, String::new()), "another day");
        assert_eq!(exported(dir.path(), &["--select", "*/*", "--from", "2026-01-01T05:49:01Z"]), (0, 707, String::new()), "behind it");
        let (code, lines, stderr) = exported(dir.path(), &["--select", "*/*", "--skip-damaged"]);
        assert!((code, lines) == (0, 1064) && stderr.starts_with(&format!("left out: {place}")), "{lines} {stderr}");
        let Some(hub) = hub else { continue };
        let history = hub.get("/api/v1/history?select=*/*&from=0s");
        assert_eq!(history["incomplete"], true);
        assert!(history["incomplete_why"].as_str().unwrap().starts_with(place), "{}", history["incomplete_why"]);
        assert!(hub.get("/api/v1/history?select=*/b&from=0s")["incomplete"].is_null());
        assert_eq!(hub.get("/api/v1/status")["store"]["damaged"].as_array().unwrap().len(), 1);
        assert_eq!(hub.ask("/api/v1/export?select=*/*&skip_damaged=yes").0, 400);
        let (status, text) = hub.ask("/api/v1/export?select=*/*");
        assert!(status == 503 && text.contains("store_failed") && text.contains("chunks row 1"), "{status} {text}");
    }
}

#[tokio::test]
async fn a_day_file_of_a_newer_program_is_refused_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    send(&hub, 1, &readings(0)).await;
    assert_eq!(hub.stop(), Some(0));
    change(&store_file(dir.path()), "PRAGMA user_version = 2; PRAGMA wal_checkpoint(TRUNCATE)");
    let (code, _, stderr) = run(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(code == 78 && stderr.contains("2026-01-01.raw.0.sqlite: format 2 is newer"), "{code} {stderr}");
}
