//! A power cut while a backup is made: the backup before is whole, or the new one is. Once the command has ended it is the new one.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use telltale::tools::backup::Manifest;
use telltale::tools::restore::{self, Tokens};

use super::disk::Disk;
use super::load::Batch;
use super::record::{Place, Recording};
use super::{scratch, seed};
use crate::tools;

const STATES: usize = 300;
/// Batches of each agent before each backup.
const MOST: usize = 30;

/// Two backups, one over the other; after which event each had ended, and what it says of itself.
async fn record(place: &Place, skip: &[(&str, &str)]) -> (Recording, Vec<Manifest>) {
    let keep = place.dir.join("keep");
    std::fs::create_dir(&keep).unwrap();
    let backup = keep.join("backup");
    let variables = [&[("TELLTALE_SHIM_DIR", keep.to_str().unwrap())], skip].concat();
    let hub = place.start(&variables).expect("it starts");
    let (mut ends, mut manifests) = (Vec::new(), Vec::new());
    for run in 0..2 {
        for agent in place.load(&hub, run * 10_000, &place.shared(usize::MAX, MOST)) {
            agent.await.unwrap();
        }
        let (dir, to) = (place.dir.clone(), backup.clone());
        let (code, _, stderr) = tokio::task::spawn_blocking(move || tools::run(&dir, &["backup", to.to_str().unwrap()])).await.unwrap();
        assert_eq!(code, 0, "{stderr}");
        let length = std::fs::metadata(&place.record).unwrap().len();
        ends.push(Batch { readings: Vec::new(), acked: Some(usize::try_from(length).unwrap()) });
        manifests.push(Manifest::read(&backup).unwrap());
    }
    place.kill(hub);
    let recording = Recording::new(Disk::default(), &place.record, ends);
    (recording, manifests)
}

/// What a restore makes of a state; `ended`: how many backups had.
fn state(dir: &Path, ended: usize, manifests: &[Manifest]) -> Result<(), String> {
    let backup = dir.join("backup");
    let Some(found) = Manifest::find(&backup).map_err(|error| error.to_string())? else {
        return if ended == 0 { Ok(()) } else { Err(format!("there is none, where {ended} had ended")) };
    };
    let number = usize::try_from(found.number).unwrap();
    if number < ended || manifests.get(number - 1) != Some(&found) {
        return Err(format!("it is number {number}, where {ended} had ended"));
    }
    let data = dir.join("restored");
    std::fs::create_dir(&data).unwrap();
    restore::run(&backup, &data, Tokens::Kept, &mut |_, _| ()).map(drop).map_err(|error| format!("number {number}: {error}"))
}

fn try_states(recording: &Recording, manifests: &[Manifest], seed: u64, found: &dyn Fn(usize, String) -> bool) {
    let scratch = scratch();
    let (mut rng, mut disk) = (fastrand::Rng::with_seed(seed), recording.disk());
    for (number, place) in recording.places(&mut rng, STATES).into_iter().enumerate() {
        disk.advance(&recording.events, place);
        let dir = scratch.path().join(format!("state-{number}"));
        disk.after_a_cut(&mut rng).write(&dir);
        let ended = recording.batches.iter().filter(|end| end.acked.is_some_and(|end| end <= place)).count();
        let result = state(&dir, ended, manifests);
        std::fs::remove_dir_all(&dir).unwrap();
        if result.is_err_and(|what| !found(place, what)) {
            return;
        }
    }
}

#[tokio::test]
async fn a_power_cut_leaves_the_backup_before_or_the_new_one() {
    let (seed, dir) = (seed(), scratch());
    let (recording, manifests) = record(&Place::new(dir.path()), &[]).await;
    let broken = AtomicUsize::new(0);
    try_states(&recording, &manifests, seed, &|place, what| {
        println!("cut after event {place} of {}, {}: {what}", recording.events.len(), recording.events[place.saturating_sub(1)].brief());
        broken.fetch_add(1, Ordering::Relaxed) < 20
    });
    assert_eq!(broken.into_inner(), 0, "TELLTALE_SEED={seed}: states that do not hold");
}

/// The test can see each missing sync.
#[tokio::test]
async fn without_syncs_a_backup_is_not_whole() {
    for sync in ["fsync,fdatasync@backup/files/*", "fsync@backup/files", "fsync@backup/backup.json.new", "fsync@backup", "fsync@"] {
        let (seed, dir) = (seed(), scratch());
        let (recording, manifests) = record(&Place::new(dir.path()), &[("TELLTALE_SHIM_SKIP", sync)]).await;
        let broken = AtomicUsize::new(0);
        try_states(&recording, &manifests, seed, &|_, _| {
            broken.fetch_add(1, Ordering::Relaxed);
            false
        });
        assert!(broken.into_inner() > 0, "TELLTALE_SEED={seed}: each state without {sync} holds");
    }
}
