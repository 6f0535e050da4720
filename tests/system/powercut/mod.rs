//! The promise of an ack, held against power cuts and failing disks. A real hub runs with a shim (`tests/shim`) that records every
//! call to its files. From the record come states of the disk that a power cut could have left at any instant: what was not synced is
//! lost, kept or torn. Each state is opened, and every reading acked by then must be there.

mod again;
mod backup;
mod check;
mod disk;
#[path = "../../shim/src/event.rs"]
#[expect(dead_code, reason = "writing events is the shim's part")]
mod event;
mod faults;
mod load;
mod pieces;
mod record;
mod slow;
mod wear;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use check::Finding;
use disk::Disk;
use load::Batch;
use record::{Place, Recording};

const STATES: usize = 1_000;
/// States that a recorded hub recovers from.
const RECOVERIES: usize = 25;
/// However many cores there are: a seed makes the same states everywhere. Even, as every other one drops what failed.
const THREADS: usize = 4;

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[expect(clippy::print_stdout, reason = "the seed of a run that fails must be known")]
fn seed() -> u64 {
    let seed = number("TELLTALE_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("TELLTALE_SEED={seed}");
    seed
}

/// In memory where that can be: thousands of states are written.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Opens `count` states of the recording, at random instants; `found` hears what is wrong with one, and says whether to go on.
fn try_states(recording: &Recording, seed: u64, count: usize, scratch: &Path, found: &(dyn Fn(usize, Finding) -> bool + Sync)) {
    let places = recording.places(&mut fastrand::Rng::with_seed(seed), count);
    let stop = AtomicUsize::new(0);
    let work = |thread: usize| {
        let mut disk = recording.disk();
        disk.drops_what_failed = thread.is_multiple_of(2);
        for (number, place) in places.iter().enumerate().skip(thread).step_by(THREADS) {
            disk.advance(&recording.events, *place);
            let mut rng = fastrand::Rng::with_seed(seed ^ number as u64);
            let dir = scratch.join(format!("state-{number}"));
            disk.after_a_cut(&mut rng).write(&dir);
            let twice = rng.u8(0..10) == 0;
            let result = check::state(&dir, &recording.batches, *place, twice);
            std::fs::remove_dir_all(&dir).unwrap();
            if result.is_err_and(|finding| !found(*place, finding)) {
                stop.store(1, Ordering::Relaxed);
            }
            if stop.load(Ordering::Relaxed) > 0 {
                return;
            }
        }
    };
    std::thread::scope(|scope| (0..THREADS).for_each(|thread| drop(scope.spawn(move || work(thread)))));
}

#[tokio::test]
async fn a_power_cut_loses_nothing_that_was_acked() {
    let (seed, began) = (seed(), Instant::now());
    let count = number("TELLTALE_POWERCUT_STATES").map_or(STATES, |count| usize::try_from(count).unwrap());
    let (dir, states) = (scratch(), scratch());
    let recording = record::record(dir.path(), None).await;
    recording.has_everything();
    println!("{} events, {} batches in {:?}", recording.events.len(), recording.batches.len(), began.elapsed());
    let broken = AtomicUsize::new(0);
    try_states(&recording, seed, count, states.path(), &|place, finding| {
        println!("cut after event {place}, {}: {finding}", recording.events[place.saturating_sub(1)].brief());
        broken.fetch_add(1, Ordering::Relaxed) < 20
    });
    println!("{count} states in {:?}", began.elapsed());
    assert_eq!(broken.into_inner(), 0, "TELLTALE_SEED={seed}: states that do not hold");
}

/// What recovery does can be cut off as well, and is done again.
#[tokio::test]
async fn a_power_cut_while_it_recovers_from_one_loses_nothing() {
    let seed = seed();
    let mut rng = fastrand::Rng::with_seed(seed);
    let (dir, states) = (scratch(), scratch());
    let recording = record::record(dir.path(), None).await;
    let mut disk = recording.disk();
    for place in recording.places(&mut rng, RECOVERIES) {
        disk.advance(&recording.events, place);
        let dir = scratch();
        let around = Place::around(dir.path(), &disk.after_a_cut(&mut rng));
        let before = Disk::of(&around.data);
        let hub = around.start(&[]).unwrap_or_else(|| panic!("TELLTALE_SEED={seed}: it does not start after event {place}"));
        around.kill(hub);
        let acked = |batch: &Batch| Batch { acked: batch.acked.filter(|acked| *acked <= place).map(|_| 0), ..batch.clone() };
        let again = Recording::new(before, &around.record, recording.batches.iter().map(acked).collect());
        try_states(&again, rng.u64(..), 10, states.path(), &|second, finding| {
            panic!("TELLTALE_SEED={seed}: cut after event {place}, then after {second} of {}: {finding}", again.events.len());
        });
    }
}

/// The test can see each missing sync: without it acked readings are lost.
#[expect(clippy::print_stdout, reason = "what was lost, and where")]
async fn loses_without(sync: &str) {
    let seed = seed();
    let (dir, states) = (scratch(), scratch());
    let recording = record::record(dir.path(), Some(sync)).await;
    let (began, lost) = (Instant::now(), AtomicUsize::new(0));
    try_states(&recording, seed, STATES, states.path(), &|place, finding| {
        let is_loss = matches!(finding, Finding::Lost(_));
        if is_loss {
            println!("without {sync}, cut after event {place} of {}, {:?}: {finding}", recording.events.len(), began.elapsed());
        }
        lost.fetch_add(usize::from(is_loss), Ordering::Relaxed);
        !is_loss
    });
    assert!(lost.into_inner() > 0, "TELLTALE_SEED={seed}: no state without {sync} lost anything");
}

macro_rules! loses_without {
    ($($name:ident: $sync:literal,)*) => { $(
        #[tokio::test]
        async fn $name() {
            loses_without($sync).await;
        }
    )* };
}

loses_without! {
    without_fdatasync_acked_readings_are_lost: "fdatasync",
    without_fsync_acked_readings_are_lost: "fsync",
    without_syncs_of_the_segments_acked_readings_are_lost: "fsync,fdatasync@log/*",
    without_syncs_of_the_log_directory_acked_readings_are_lost: "fsync@log",
    without_syncs_of_the_data_directory_acked_readings_are_lost: "fsync@",
    without_syncs_of_the_catalog_acked_readings_are_lost: "fsync,fdatasync@catalog.sqlite*",
    without_syncs_of_the_store_acked_readings_are_lost: "fsync,fdatasync@store/*",
    without_syncs_of_the_store_directory_acked_readings_are_lost: "fsync,fdatasync@store",
}
