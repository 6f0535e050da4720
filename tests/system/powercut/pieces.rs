//! Days that a seal and a merge write in several transactions: a cut or a kill between two of them loses nothing, and leaves nothing twice.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::check::{self, Finding};
use super::disk::Disk;
use super::event::Event;
use super::load::Batch;
use super::record::{Place, Recording};
use super::{number, scratch, seed, try_states};
use crate::tools;

const STATES: usize = 200;
/// Batches of each agent and run: about 4 MiB in the log, and in one day of the store.
const MOST: usize = 300;
const PATIENCE: Duration = Duration::from_secs(60);
const KILLS: usize = 8;
const RAW: &str = "store/2026-01-01.raw.0.sqlite";
const ROLLUP: &str = "store/2026-01-01.rollup.0.sqlite";

/// A hub that is killed twice, each time when the day that it sealed is merged and summed up.
async fn record(place: &Place, skip: Option<&str>) -> Recording {
    let before = Disk::of(&place.data);
    let skip: Vec<_> = skip.iter().map(|skip| ("TELLTALE_SHIM_SKIP", *skip)).collect();
    let mut batches = Vec::new();
    for run in 0..2 {
        let hub = place.start(&skip).expect("it starts");
        for agent in place.load(&hub, run * 10_000, &place.of_others(MOST)) {
            batches.extend(agent.await.unwrap().batches);
        }
        // It seals all there is.
        let (dir, to) = (place.dir.clone(), place.dir.join(format!("backup-{run}")));
        let (code, _, stderr) = tokio::task::spawn_blocking(move || tools::run(&dir, &["backup", to.to_str().unwrap()])).await.unwrap();
        assert_eq!(code, 0, "{stderr}");
        merged(place).await;
        place.kill(hub);
    }
    Recording::new(before, &place.record, batches)
}

/// Waits until nothing is written any more, and rollups are there.
async fn merged(place: &Place) {
    let length = || std::fs::metadata(&place.record).unwrap().len();
    let (began, mut seen, mut at) = (Instant::now(), length(), Instant::now());
    while !place.data.join(ROLLUP).exists() || at.elapsed() < Duration::from_millis(500) {
        assert!(began.elapsed() < PATIENCE, "it is not merged; see {}/hub.log", place.dir.display());
        tokio::time::sleep(Duration::from_millis(20)).await;
        if length() != seen {
            (seen, at) = (length(), Instant::now());
        }
    }
}

/// How often the day's WAL was moved into it while nothing else told of an end: transactions of one seal, and of one merge.
fn pieces(recording: &Recording) -> (usize, usize) {
    let (mut of_seal, mut of_merge, mut now) = (0, 0, 0);
    let wal = format!("{RAW}-wal");
    let mut is_written = false;
    for event in &recording.events {
        match event {
            Event::Write { path, .. } if *path == wal => is_written = true,
            Event::Sync { path, .. } if *path == RAW && std::mem::take(&mut is_written) => now += 1,
            // The end of a seal.
            Event::Sync { path, .. } if path == "catalog.sqlite-wal" => of_seal = of_seal.max(std::mem::take(&mut now)),
            Event::Write { path, .. } if path.starts_with(ROLLUP) => of_merge = of_merge.max(std::mem::take(&mut now)),
            _ => {}
        }
    }
    (of_seal, of_merge)
}

#[tokio::test]
async fn a_power_cut_between_two_pieces_loses_nothing_that_was_acked() {
    let (seed, began) = (seed(), Instant::now());
    let count = number("TELLTALE_PIECES_STATES").map_or(STATES, |count| usize::try_from(count).unwrap());
    let (dir, states) = (scratch(), scratch());
    let recording = record(&Place::for_pieces(dir.path()), None).await;
    let (of_seal, of_merge) = pieces(&recording);
    println!("{} events, {of_seal} pieces of a seal, {of_merge} of a merge, in {:?}", recording.events.len(), began.elapsed());
    assert!(of_seal >= 2 && of_merge >= 2, "{of_seal} and {of_merge}: too few to be cut between");
    let broken = AtomicUsize::new(0);
    try_states(&recording, seed, count, states.path(), &|place, finding| {
        println!("cut after event {place}, {}: {finding}", recording.events[place.saturating_sub(1)].brief());
        broken.fetch_add(1, Ordering::Relaxed) < 20
    });
    println!("{count} states in {:?}", began.elapsed());
    assert_eq!(broken.into_inner(), 0, "TELLTALE_SEED={seed}: states that do not hold");
}

/// The test can see a missing sync here too.
#[tokio::test]
async fn without_syncs_of_the_store_pieces_are_lost() {
    let seed = seed();
    let (dir, states) = (scratch(), scratch());
    let recording = record(&Place::for_pieces(dir.path()), Some("fsync,fdatasync@store/*")).await;
    let lost = AtomicUsize::new(0);
    try_states(&recording, seed, STATES, states.path(), &|_, finding| {
        lost.fetch_add(usize::from(matches!(finding, Finding::Lost(_))), Ordering::Relaxed);
        !matches!(finding, Finding::Lost(_))
    });
    assert!(lost.into_inner() > 0, "TELLTALE_SEED={seed}: no state without these syncs lost anything");
}

/// kill -9 at any instant, also between two pieces.
#[tokio::test]
async fn kills_while_days_are_written_in_pieces_lose_nothing() {
    let seed = seed();
    let mut rng = fastrand::Rng::with_seed(seed);
    let dir = scratch();
    let place = Place::for_pieces(dir.path());
    let mut batches: Vec<Batch> = Vec::new();
    // However fast it is: so much was done when it is killed.
    let written = || std::fs::metadata(&place.record).map_or(0, |meta| meta.len());
    for run in 0..KILLS {
        let hub = place.start(&[]).expect("it starts");
        let agents = place.load(&hub, run * 10_000, &place.of_others(MOST));
        let (began, until) = (Instant::now(), written() + rng.u64(1 << 19..10 << 20));
        while written() < until && !agents.iter().all(tokio::task::JoinHandle::is_finished) {
            assert!(began.elapsed() < PATIENCE, "the agents do nothing");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        hub.kill();
        for agent in agents {
            batches.extend(agent.await.unwrap().batches);
        }
        let checked = std::thread::scope(|scope| scope.spawn(|| check::state(&place.data, &batches, usize::MAX, false)).join().unwrap());
        if let Err(finding) = checked {
            panic!("TELLTALE_SEED={seed} run {run}: {finding}");
        }
    }
    let acked = batches.iter().filter(|batch| batch.acked.is_some()).count();
    let store = std::fs::metadata(place.data.join(RAW)).unwrap().len();
    assert!(acked > 300 && store > 4 << 20, "{acked} batches acked, {store} bytes in the store: too little to say anything");
}
