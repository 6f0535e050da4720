//! What a full disk costs a card. A seal that fails has written some of its pieces, and the next try writes them again: so tries become
//! rare. But when there is room again, the next one is not waited for.

use std::path::Path;
use std::time::{Duration, Instant};

use super::event::Event;
use super::record::shim;
use super::scratch;
use crate::agent::Agent;
use crate::full::{Small, send};

const PATIENCE: Duration = Duration::from_secs(30);
/// Of readings, more than `[log] unsealed_bytes`, and pages enough that each try meets a write that fails.
const BATCHES: usize = 32;
/// Three tries again: after 0.5, 1 and 2 s. The next would be after 4 s.
const TRIES: usize = 4;

/// Bytes that went to the files of the store so far.
fn written(record: &Path) -> u64 {
    let bytes = std::fs::read(record).unwrap();
    let (mut sum, mut at) = (0, 0);
    while let Some((event, took)) = Event::decode(&bytes[at..]) {
        if let Event::Write { path, bytes, .. } = event
            && path.starts_with("store/")
        {
            sum += bytes.len() as u64;
        }
        at += took;
    }
    sum
}

/// When seals failed, as the log says, once there are so many.
async fn failed(dir: &Path, count: usize) -> Vec<jiff::Timestamp> {
    let began = Instant::now();
    loop {
        let log = std::fs::read_to_string(dir.join("hub.log")).unwrap();
        let lines = log.lines().filter(|line| line.contains("the head could not be sealed"));
        let times: Vec<_> = lines.map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect();
        if times.len() >= count {
            return times;
        }
        assert!(began.elapsed() < PATIENCE, "no {count} seals that failed: {log}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_a_full_disk_stops_is_tried_ever_more_rarely_and_at_once_when_there_is_room() {
    let dir = scratch();
    let record = dir.path().join("record");
    // Each try writes some pages of its day before one does not fit.
    let fail = format!("nth=24,op=write,errno=ENOSPC,every=1,times={},path=store/2*", u64::MAX);
    let data = dir.path().join("data");
    let shim =
        [("LD_PRELOAD", shim()), ("TELLTALE_SHIM_DIR", &data), ("TELLTALE_SHIM_RECORD", &record), ("TELLTALE_SHIM_FAIL", Path::new(&fail))];
    let hub = Small::start_with(dir.path(), "0", &shim);
    std::fs::write(hub.data.join("filler"), vec![0; 8 << 20]).unwrap();
    let mut agent = Agent::connect(&hub.address, &hub.admin).await.unwrap();
    for number in 0..BATCHES {
        assert!(send(&mut agent, number, usize::MAX).await);
    }
    failed(dir.path(), 1).await;
    let before = written(&record);
    let times = failed(dir.path(), TRIES).await;
    let each = (written(&record) - before) / (TRIES as u64 - 1);
    println!("tries at {times:?}, each wrote about {each} bytes");
    assert!(each > 16 << 10, "a try that writes nothing wears nothing: {each}");
    let took = times[TRIES - 1].duration_since(times[0]);
    assert!(took >= jiff::SignedDuration::from_secs(3), "{TRIES} tries in {took:?}");
    std::fs::remove_file(hub.data.join("filler")).unwrap();
    let room = Instant::now();
    failed(dir.path(), TRIES + 1).await;
    assert!(room.elapsed() < Duration::from_secs(2), "there is room, and it was tried {:?} later", room.elapsed());
}
