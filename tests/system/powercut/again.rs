//! A commit that was written and not synced is in the page cache of a hub that starts again, as if it was on disk. It counts only when
//! it is.

use telltale::model::{TimeNs, Value};

use super::disk::Disk;
use super::load::{Batch, Reading};
use super::record::{Place, Recording};
use super::{check, scratch, seed};
use crate::agent::{Agent, Answer, Sent, batch};
use crate::hub::Hub;

/// The commit whose sync fails.
const FAILS: usize = 5;
/// Cuts, each with another mood.
const STATES: u64 = 40;
/// 2026-01-01T00:00:00Z
const START: TimeNs = 1_767_225_600_000_000_000;

fn reading(number: usize) -> Sent {
    Sent { device: "d".to_owned(), metric: format!("m{number}"), time: START + number as TimeNs, value: number as f64 }
}

/// Sends the batches 1 to `FAILS`, a reading each, one after the other. What came of each, and how long the record was then.
async fn send(place: &Place, hub: &Hub) -> Vec<(Answer, usize)> {
    let mut agent = Agent::connect(&hub.address, &place.agent).await.unwrap();
    let mut answers = Vec::new();
    for number in 1..=FAILS {
        agent.send(batch(number as u64, &[reading(number)])).await.unwrap();
        let answer = agent.answer().await.unwrap();
        answers.push((answer, usize::try_from(std::fs::metadata(&place.record).unwrap().len()).unwrap()));
    }
    answers
}

#[tokio::test]
async fn the_last_commit_is_written_again_before_it_counts() {
    let seed = seed();
    let dir = scratch();
    let place = Place::new(dir.path());
    let before = Disk::of(&place.data);
    // Its sync fails: the batch is not acked, and Linux takes the pages for clean.
    let hub = place.start(&[("TELLTALE_SHIM_FAIL", &format!("nth={FAILS},op=fdatasync,errno=EIO,times=1000"))]).expect("it starts");
    let answers = send(&place, &hub).await;
    assert!(answers[..FAILS - 1].iter().all(|(answer, _)| matches!(answer, Answer::Ack { stored: 1, .. })), "{answers:?}");
    assert!(matches!(&answers[FAILS - 1].0, Answer::Retry { code, .. } if code == "store_failed"), "{answers:?}");
    place.kill(hub);
    // The next hub finds it in the page cache, says that it is a duplicate, and acks it.
    let hub = place.start(&[]).expect("it starts");
    let answers = send(&place, &hub).await;
    assert!(answers.iter().all(|(answer, _)| matches!(answer, Answer::Ack { duplicate: 1, .. })), "{answers:?}");
    place.kill(hub);
    let batches = answers.into_iter().zip(1..).map(|((_, acked), number)| {
        let Sent { device, metric, time, value } = reading(number);
        Batch { readings: vec![Reading { device, metric, time, value: Value::Float(value) }], acked: Some(acked) }
    });
    let recording = Recording::new(before, &place.record, batches.collect());
    let states = scratch();
    for number in 0..STATES {
        let mut disk = recording.disk();
        disk.drops_what_failed = number % 2 == 0;
        disk.advance(&recording.events, recording.events.len());
        let state = states.path().join(format!("state-{number}"));
        disk.after_a_cut(&mut fastrand::Rng::with_seed(seed ^ number)).write(&state);
        let checked =
            std::thread::scope(|scope| scope.spawn(|| check::state(&state, &recording.batches, usize::MAX, false)).join().unwrap());
        if let Err(finding) = checked {
            panic!("TELLTALE_SEED={seed}, state {number}: {finding}");
        }
    }
}
