//! Disks that fail: one call, or a few, of a kind answer EIO or ENOSPC, or write half. The hub may refuse to start, refuse batches and
//! say why, or not mind; it does not panic, and what it acked is there after a restart, also after a power cut.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::disk::Disk;
use super::load::{Batch, Sent};
use super::record::{Place, Recording};
use super::{check, number, scratch, seed, try_states};
use crate::hub::Hub;

const CASES: usize = 60;
/// Power cuts in each case.
const STATES: usize = 6;
/// Of each agent; all of them are more than one seal takes.
const MOST: usize = 60;
const PATIENCE: Duration = Duration::from_secs(30);
const OPS: [&str; 9] = ["create", "write", "write", "truncate", "allocate", "fsync", "fdatasync", "rename", "unlink"];

/// How a case went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// It ended before or soon after it listened, and said why.
    DidNotStart,
    Refused,
    DidNotMind,
}

/// What `readyz` says.
#[derive(Debug, PartialEq)]
enum Ready {
    Yes,
    No(Json),
    Ended,
}

/// How many calls of each kind a run makes that nothing fails in.
async fn counts(dir: &Path) -> Vec<(String, u64)> {
    let place = Place::new(dir);
    let path = dir.join("counts");
    let hub = place.start(&[("TELLTALE_SHIM_COUNTS", path.to_str().unwrap())]).expect("it starts");
    run(&place, &hub).await;
    assert_eq!(tokio::task::spawn_blocking(|| hub.stop()).await.unwrap(), Some(0));
    let text = std::fs::read_to_string(path).unwrap();
    let line = |line: &str| line.split_once(' ').map(|(op, count)| (op.to_owned(), count.parse().unwrap())).unwrap();
    text.lines().map(line).collect()
}

fn case(rng: &mut fastrand::Rng, counts: &[(String, u64)]) -> String {
    let op = OPS[rng.usize(..OPS.len())];
    let count = counts.iter().find(|(name, _)| name == op).unwrap().1.max(1);
    // Half of them while the hub starts and soon after.
    let nth = if rng.bool() { rng.u64(1..=count) } else { rng.u64(1..=count.min(40)) };
    let (errno, times) = (["EIO", "ENOSPC"][rng.usize(..2)], [1, 1, 3, u64::MAX][rng.usize(..4)]);
    let short = if op == "write" && rng.bool() { ",short=1" } else { "" };
    format!("nth={nth},op={op},errno={errno},times={times}{short}")
}

/// Sends until all is sent or refused, and until a seal was done, with what follows it, or something is wrong. What was sent, and why
/// readings are not taken.
async fn run(place: &Place, hub: &Hub) -> (Vec<Sent>, Ready) {
    let mut sent = Vec::new();
    for agent in place.load(hub, 0, &place.shared(usize::MAX, MOST)) {
        sent.push(agent.await.unwrap());
    }
    let began = Instant::now();
    let mut sealed = None;
    loop {
        let ready = ready(&hub.address);
        if ready != Ready::Yes || sent.iter().any(|sent| sent.refused.is_some()) {
            return (sent, ready);
        }
        if sealed.is_none() && hub.ask("/metrics").1.lines().any(|line| line.starts_with("telltale_seals_total ") && !line.ends_with(" 0"))
        {
            sealed = Some(Instant::now());
        }
        // A segment that could not be removed stays; what else the hub does now is not waited for either.
        let is_trimmed = !place.data.join("log/00000000000000000001.seg").exists();
        if sealed.is_some_and(|at| is_trimmed || at.elapsed() > Duration::from_millis(500)) {
            return (sent, ready);
        }
        // A seal that a full disk stops is tried again; until memory is full readings are taken.
        if began.elapsed() > Duration::from_secs(2) && hub_log(&place.dir).contains("the head could not be sealed") {
            return (sent, ready);
        }
        assert!(began.elapsed() < PATIENCE, "neither sealed nor refused; see {}/hub.log", place.dir.display());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn ready(address: &str) -> Ready {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    // Nobody listens any more: it ended.
    let Ok(mut response) = agent.get(format!("http://{address}/readyz")).call() else { return Ready::Ended };
    let body: Json = serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap();
    assert_eq!(response.status().as_u16() == 200, body["ready"] == true, "{body}");
    if response.status().as_u16() == 503 { Ready::No(body["reasons"].clone()) } else { Ready::Yes }
}

fn hub_log(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("hub.log")).unwrap()
}

async fn try_case(case: &str) -> Outcome {
    let dir = scratch();
    let place = Place::new(dir.path());
    let before = Disk::of(&place.data);
    let mut batches: Vec<Batch> = Vec::new();
    let outcome = match place.start(&[("TELLTALE_SHIM_FAIL", case)]) {
        None => Outcome::DidNotStart,
        Some(hub) => {
            let (sent, ready) = run(&place, &hub).await;
            match ready {
                Ready::Ended => assert!(tokio::task::spawn_blocking(|| hub.ended()).await.unwrap().is_some_and(|code| code != 0), "{case}"),
                _ => place.kill(hub),
            }
            let outcome = judge(case, &sent, &ready);
            batches.extend(sent.into_iter().flat_map(|sent| sent.batches));
            outcome
        }
    };
    let log = hub_log(dir.path());
    assert!(!log.contains("panicked"), "{case}: {log}");
    assert!(outcome != Outcome::DidNotStart || log.contains("telltale: "), "{case}: it does not say why: {log}");
    let recording = Recording::new(before, &place.record, batches);
    // On a thread of its own: it blocks.
    let restarted =
        std::thread::scope(|scope| scope.spawn(|| check::state(&place.data, &recording.batches, usize::MAX, true)).join().unwrap());
    if let Err(finding) = restarted {
        panic!("{case}, {outcome:?}: {finding}\n{log}");
    }
    let states = scratch();
    try_states(&recording, 0, STATES, states.path(), &|at, finding| {
        panic!("{case}, {outcome:?}, cut after event {at} of {}: {finding}\n{log}", recording.events.len());
    });
    outcome
}

fn judge(case: &str, sent: &[Sent], ready: &Ready) -> Outcome {
    let refused: Vec<_> = sent.iter().filter_map(|sent| sent.refused.as_deref()).collect();
    assert!(refused.iter().all(|code| ["store_failed", "disk_full"].contains(code)), "{case}: {refused:?}");
    match ready {
        Ready::Ended => return Outcome::DidNotStart,
        Ready::No(reasons) => {
            let has_message = reasons[0]["message"].as_str().is_some_and(|why| !why.is_empty());
            assert!(has_message && (!refused.contains(&"store_failed") || reasons[0]["code"] == "store_failed"), "{case}: {reasons}");
        }
        // A disk that was full may have room again by now.
        Ready::Yes => assert!(!refused.contains(&"store_failed"), "{case}: batches are refused for good, and readyz does not say so"),
    }
    if refused.is_empty() && *ready == Ready::Yes { Outcome::DidNotMind } else { Outcome::Refused }
}

#[tokio::test]
async fn a_failing_disk_makes_no_ack_a_lie() {
    let seed = seed();
    let mut rng = fastrand::Rng::with_seed(seed);
    let dir = scratch();
    let counts = counts(dir.path()).await;
    let mut outcomes = std::collections::BTreeMap::new();
    for _ in 0..number("TELLTALE_FAULT_CASES").map_or(CASES, |count| usize::try_from(count).unwrap()) {
        let case = case(&mut rng, &counts);
        println!("{case}");
        let outcome = try_case(&case).await;
        println!("{outcome:?}");
        *outcomes.entry(outcome).or_insert(0) += 1;
    }
    println!("TELLTALE_SEED={seed}: {outcomes:?}");
    assert!([Outcome::DidNotStart, Outcome::Refused, Outcome::DidNotMind].iter().all(|one| outcomes.contains_key(one)), "{outcomes:?}");
}
