//! A disk that is full: a hub on a small tmpfs of its own (a mount namespace). Batches are refused with a hint, reads go on, and when
//! there is room again the hub goes on by itself.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use telltale::block::Block;
use telltale::model::{Position, SeriesId, TimeRange, Value};
use telltale::retention::{Floors, RuleId};
use telltale::store::embedded::{Budget, EmbeddedStore, Parts, SeriesInfo};
use telltale::store::{Handover, Pins, SeriesRun, Store, StoreError};

use crate::agent::{Agent, Answer, Sent, batch};
use crate::inside::SmallDisk;

const PATIENCE: Duration = Duration::from_secs(30);
/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600_000_000_000;
const BATCH: usize = 4_000;
/// From when there is room to readings being taken: the promise is a second.
const RECOVERS_WITHIN: Duration = Duration::from_secs(1);

/// A hub whose data directory is a tmpfs that goes with it.
pub struct Small {
    child: Child,
    pub address: String,
    pub admin: String,
    pub data: PathBuf,
}

impl Small {
    fn start(dir: &Path, reserve: &str) -> Self {
        Self::start_with(dir, reserve, &[])
    }

    /// The variables are for the hub alone.
    pub fn start_with(dir: &Path, reserve: &str, variables: &[(&str, &Path)]) -> Self {
        let config = format!(
            "[log]\nsegment_bytes = \"1MiB\"\nunsealed_bytes = \"512KiB\"\nkeep_bytes = 0\n[store]\nhead_bytes = \"8MiB\"\nreserve_bytes = {reserve}\n"
        );
        std::fs::write(dir.join("hub.toml"), config).unwrap();
        std::fs::create_dir(dir.join("data")).unwrap();
        let script = "mount -t tmpfs -o size=32m tmpfs data && \
                      \"$0\" token create --role admin --name test --data-dir data > admin && \
                      exec env $VARIABLES \"$0\" serve --listen 127.0.0.1:0 --config hub.toml --data-dir data";
        let variables: Vec<_> = variables.iter().map(|(name, value)| format!("{name}={}", value.display())).collect();
        let log = std::fs::File::create(dir.join("hub.log")).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_telltale")]);
        let mut child = command
            .current_dir(dir)
            .env("VARIABLES", variables.join(" "))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("unshare of util-linux is there");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap_or_else(|| panic!("{}", std::fs::read_to_string(dir.join("hub.log")).unwrap())).unwrap();
        let address = first.strip_prefix("listening on http://").expect(&first).to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        let admin = std::fs::read_to_string(dir.join("admin")).unwrap().trim().to_owned();
        // As the hub sees it: its mounts are not ours.
        let data = PathBuf::from(format!("/proc/{}/root", child.id())).join(dir.join("data").strip_prefix("/").unwrap());
        Self { child, address, admin, data }
    }

    fn ask(&self, path: &str) -> (u16, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = agent.get(format!("http://{}{path}", self.address)).header("Authorization", format!("Bearer {}", self.admin));
        let mut response = request.call().unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }

    /// Readings as history counts them.
    fn readings(&self) -> usize {
        let (status, text) = self.ask("/api/v1/history?select=*/*&from=0s&agg=count");
        assert_eq!(status, 200, "{text}");
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        let counts = answer["series"].as_array().unwrap().iter().map(|series| series["points"][0][1].as_u64().unwrap());
        usize::try_from(counts.sum::<u64>()).unwrap()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn readings(number: usize) -> Vec<Sent> {
    let mut rng = fastrand::Rng::with_seed(number as u64);
    let time = |i: usize| START + (number * BATCH + i) as i64 * 1_000_000;
    (0..BATCH).map(|i| Sent { device: format!("d{}", i % 10), metric: "m".to_owned(), time: time(i), value: rng.f64() }).collect()
}

/// Sends it until it is acked, or was refused so often because the disk is full. Says whether it was acked.
pub async fn send(agent: &mut Agent, number: usize, refusals_enough: usize) -> bool {
    let frame = batch(number as u64, &readings(number));
    let began = Instant::now();
    for refused in 0.. {
        agent.send(frame.clone()).await.unwrap();
        match agent.answer().await {
            Some(Answer::Ack { rejected: 0, .. }) => return true,
            Some(Answer::Retry { code, .. }) => assert_eq!(code, "disk_full"),
            other => panic!("{other:?}"),
        }
        if refused + 1 >= refusals_enough {
            return false;
        }
        assert!(began.elapsed() < PATIENCE, "batch {number} is refused for ever");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    unreachable!("the loop has no end")
}

async fn full(reserve: &str) {
    let dir = tempfile::tempdir().unwrap();
    let hub = Small::start(dir.path(), reserve);
    let mut agent = Agent::connect(&hub.address, &hub.admin).await.unwrap();
    std::fs::write(hub.data.join("filler"), vec![0; 20 << 20]).unwrap();
    let mut acked = 0;
    // Sealing makes room by itself for a while: a second of refusals is a full disk.
    while send(&mut agent, acked, 50).await {
        acked += 1;
        assert!(acked < 1_000, "the disk does not get full");
    }
    let (status, why) = hub.ask("/readyz");
    assert!(status == 503 && why.contains("disk"), "{status} {why}");
    assert_eq!(hub.readings(), acked * BATCH, "reads go on, and nothing is there that was refused");
    std::fs::remove_file(hub.data.join("filler")).unwrap();
    let room = Instant::now();
    send(&mut agent, acked, usize::MAX).await;
    let took = room.elapsed();
    assert!(took <= RECOVERS_WITHIN, "it took {took:?} to notice that there is room");
    for number in acked + 1..acked + 5 {
        assert!(send(&mut agent, number, usize::MAX).await);
    }
    assert_eq!(hub.readings(), (acked + 5) * BATCH);
    assert_eq!(hub.ask("/readyz").0, 200);
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_is_not_filled_and_room_is_noticed() {
    full("\"2MiB\"").await;
}

/// Nobody sends, so nobody makes the hub look.
#[tokio::test]
async fn room_is_noticed_within_a_second_though_nobody_sends() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Small::start(dir.path(), "\"2MiB\"");
    let mut agent = Agent::connect(&hub.address, &hub.admin).await.unwrap();
    std::fs::write(hub.data.join("filler"), vec![0; 20 << 20]).unwrap();
    let mut acked = 0;
    while send(&mut agent, acked, 50).await {
        acked += 1;
    }
    assert_eq!(hub.ask("/readyz").0, 503);
    std::fs::remove_file(hub.data.join("filler")).unwrap();
    let room = Instant::now();
    while hub.ask("/readyz").0 != 200 {
        assert!(room.elapsed() <= RECOVERS_WITHIN, "it is not noticed that there is room");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(hub.readings(), acked * BATCH);
}

/// Nothing is held back: SQLite and the log meet the end of the disk themselves.
#[tokio::test]
async fn a_disk_that_is_full_to_the_last_byte_loses_nothing() {
    full("0").await;
}

/// Set where a test runs anew within a small disk, and says where that is.
const INSIDE: &str = "TELLTALE_TEST_SMALL_DISK";
const DAY: i64 = 86_400_000_000_000;

#[derive(Debug)]
struct OneMetric;

impl SeriesInfo for OneMetric {
    fn metric(&self, _: SeriesId) -> u32 {
        1
    }

    fn rule(&self, _: SeriesId) -> RuleId {
        RuleId(0)
    }
}

fn open_store(data: &Path, pins: &Arc<Pins>, sealed: u64, max_bytes: u64) -> EmbeddedStore {
    let parts = Parts {
        dir: &data.join("store"),
        set_aside: &data.join("set-aside"),
        sealed: Position(sealed),
        sealed_at: START + DAY / 2,
        now: START + DAY / 2,
        pins: Arc::clone(pins),
        info: Arc::new(OneMetric),
        cache_bytes: 1 << 20,
        rules: &[],
        floors: Arc::new(Floors::new(&[])),
        budget: Budget { data: data.to_owned(), max_bytes },
    };
    EmbeddedStore::open(parts).unwrap()
}

fn seal_some(store: &EmbeddedStore, rng: &mut fastrand::Rng, number: u64) {
    try_to_seal(store, rng, number, 10).unwrap();
}

/// Floats without any order: about eight bytes each.
fn try_to_seal(store: &EmbeddedStore, rng: &mut fastrand::Rng, number: u64, series: usize) -> Result<(), StoreError> {
    let blocks: Vec<_> = (0..series)
        .map(|_| {
            let mut block = Block::default();
            for i in 0..5_000 {
                let time = START + (number as i64 * 5_000 + i) * 100_000_000;
                drop(block.put(time, Value::Float(rng.f64()), time));
            }
            [Arc::new(block)]
        })
        .collect();
    let runs = (0..).map(SeriesId).zip(&blocks).map(|(series, blocks)| SeriesRun { series, blocks }).collect();
    store.seal(&Handover { up_to: Position(number + 1), runs, deletes: &[] })?;
    store.set_sealed(Position(number + 1));
    Ok(())
}

fn allocated(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.metadata().map_or(0, |meta| meta.blocks() * 512));
    entries.sum()
}

/// The small disk that this test runs on. None: it ran anew there.
fn small_disk(test: &str) -> Option<PathBuf> {
    if let Some(disk) = std::env::var_os(INSIDE) {
        return Some(disk.into());
    }
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::make(&dir.path().join("disk"), 48);
    let mut command = disk.command(&std::env::current_exe().unwrap());
    let output = command.args(["--exact", &format!("full::{test}")]).env(INSIDE, &disk.at).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
    None
}

/// To the last byte.
fn fill(disk: &Path, name: &str) {
    let mut filler = std::fs::File::create(disk.join(name)).unwrap();
    while std::io::Write::write_all(&mut filler, &[0; 4096]).is_ok() {}
}

/// A seal met the end of the disk, and others took what room was left: the store opens, answers, and seals when there is room again.
#[test]
fn what_a_full_disk_cut_off_is_removed_when_there_is_room() {
    let Some(disk) = small_disk("what_a_full_disk_cut_off_is_removed_when_there_is_room") else { return };
    let (data, pins, mut rng) = (disk.join("data"), Arc::new(Pins::default()), fastrand::Rng::with_seed(3));
    std::fs::create_dir(&data).unwrap();
    let mut store = open_store(&data, &pins, 0, 0);
    for number in 0..5 {
        seal_some(&store, &mut rng, number);
    }
    while store.tend(START + DAY / 2, Duration::from_secs(1)).unwrap() {}
    let count = |store: &EmbeddedStore, at| store.count(&pins.pin(Position(at)), SeriesId(1), TimeRange::ALL).unwrap();
    // Room for some of its pieces.
    std::fs::write(disk.join("room"), vec![0; 3 << 20]).unwrap();
    fill(&disk, "filler");
    std::fs::remove_file(disk.join("room")).unwrap();
    let full = |sealed| assert!(matches!(sealed, Err(StoreError::DiskFull { .. })), "{sealed:?}");
    full(try_to_seal(&store, &mut rng, 5, 100));
    // Without the index of a WAL there is no room to make it, which is a full disk too for who writes.
    for has_index in [true, false] {
        // What its WALs took others have now.
        drop(store.tend(START + DAY / 2, Duration::from_secs(1)));
        drop(store);
        if !has_index {
            let entries = std::fs::read_dir(data.join("store")).unwrap().map(|entry| entry.unwrap().path());
            let indexes = entries.filter(|path| path.to_string_lossy().ends_with(".raw.0.sqlite-shm"));
            indexes.for_each(|path| std::fs::remove_file(path).unwrap());
        }
        fill(&disk, &format!("more-{has_index}"));
        store = open_store(&data, &pins, 5, 0);
        assert_eq!(count(&store, 5), 25_000, "reads go on; has_index: {has_index}");
        full(try_to_seal(&store, &mut rng, 5, 100));
    }
    for filler in ["filler", "more-true", "more-false"] {
        std::fs::remove_file(disk.join(filler)).unwrap();
    }
    try_to_seal(&store, &mut rng, 5, 100).unwrap();
    assert_eq!((count(&store, 5), count(&store, 6)), (25_000, 30_000));
    let checked = telltale::store::embedded::check(&data.join("store"), &mut |_, _| {}).unwrap();
    assert_eq!((checked.points, checked.bad), (5 * 50_000 + 500_000, vec![]));
}

/// Over the bound on bytes, and others filled the disk to the last byte: the oldest readings of the open day go all the same.
#[test]
fn on_a_full_disk_the_oldest_readings_go_so_that_the_bound_holds() {
    const BEFORE: u64 = 40 << 20;
    const BOUND: u64 = 8 << 20;
    let Some(disk) = small_disk("on_a_full_disk_the_oldest_readings_go_so_that_the_bound_holds") else { return };
    let (data, pins, mut rng) = (disk.join("data"), Arc::new(Pins::default()), fastrand::Rng::with_seed(3));
    let (now, second) = (START + DAY / 2, Duration::from_secs(1));
    std::fs::create_dir(&data).unwrap();
    let store = open_store(&data, &pins, 0, BEFORE);
    for number in 0..40 {
        seal_some(&store, &mut rng, number);
    }
    while store.tend(now, second).unwrap() {}
    let before = allocated(&data.join("store"));
    assert!(before > BOUND + (4 << 20) && data.join("store/reserve").exists(), "{before}");
    drop(store);
    let store = open_store(&data, &pins, 40, BOUND);
    // Readers hold files open, as at a hub.
    let count = |store: &EmbeddedStore| store.count(&pins.pin(Position(40)), SeriesId(1), TimeRange::ALL).unwrap();
    assert_eq!(count(&store), 200_000);
    fill(&disk, "filler");
    let began = Instant::now();
    while allocated(&data.join("store")) > BOUND {
        assert!(began.elapsed() < PATIENCE, "{} bytes are left of {before}", allocated(&data.join("store")));
        drop(store.tend(now, Duration::from_millis(100)));
        std::thread::sleep(Duration::from_millis(10));
    }
    let left = count(&store);
    assert!(left > 20_000 && left < 100_000, "{left} of 200000");
    let newest = store.look_up(&pins.pin(Position(40)), SeriesId(1), &[START + 199_999 * 100_000_000]).unwrap();
    assert!(newest[0].is_some(), "the newest is there");
}

/// Each try of a merge writes until the disk is full, which wears a card: it is not made with each look.
#[test]
fn a_merge_that_a_full_disk_stops_waits_and_goes_on_when_there_is_room() {
    let Some(disk) = small_disk("a_merge_that_a_full_disk_stops_waits_and_goes_on_when_there_is_room") else { return };
    let (data, pins, mut rng) = (disk.join("data"), Arc::new(Pins::default()), fastrand::Rng::with_seed(3));
    std::fs::create_dir(&data).unwrap();
    let store = open_store(&data, &pins, 0, 0);
    for number in 0..4 {
        seal_some(&store, &mut rng, number);
    }
    while store.tend(START + DAY / 2, Duration::from_secs(1)).unwrap() {}
    let is_rolled_up = || {
        let mut names = std::fs::read_dir(data.join("store")).unwrap().map(|entry| entry.unwrap().file_name());
        names.any(|name| name.to_string_lossy().ends_with(".rollup.0.sqlite"))
    };
    fill(&disk, "filler");
    // The day is over.
    let tend = || store.tend(START + 2 * DAY, Duration::from_secs(1));
    let first = tend();
    assert!(matches!(first, Err(StoreError::DiskFull { .. })), "{first:?}");
    for _ in 0..20 {
        let again = tend();
        assert!(matches!(again, Ok(false)), "nothing is tried yet: {again:?}");
    }
    std::fs::remove_file(disk.join("filler")).unwrap();
    let room = Instant::now();
    while !is_rolled_up() {
        assert!(room.elapsed() < Duration::from_secs(5), "there is room, and it is not noticed");
        drop(tend());
        std::thread::sleep(Duration::from_millis(10));
    }
    while tend().unwrap() {}
    assert_eq!(store.count(&pins.pin(Position(4)), SeriesId(1), TimeRange::ALL).unwrap(), 20_000);
}
