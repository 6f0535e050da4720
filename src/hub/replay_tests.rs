//! A start leaves what each commit of the log would have left, whether its readings are shared out between threads or not.

use super::*;
use crate::model::{BatchPart, Delete, Reading, SeriesId, TimeNs, TimeRange, Value};
use crate::store::memory::MemoryStore;

const SERIES: u32 = 300;
const READINGS_A_COMMIT: u32 = 30;

/// Of some devices in turn, in order but for some. Those of `with_deletes` delete as well, also the newest reading.
fn commits(count: u64, with_deletes: std::ops::Range<u64>) -> Vec<Commit> {
    let mut rng = fastrand::Rng::with_seed(count);
    let mut now: TimeNs = 0;
    let make = |position: u64| {
        let first = rng.u32(0..=SERIES - READINGS_A_COMMIT);
        let readings: Vec<_> = (first..first + READINGS_A_COMMIT)
            .map(|id| {
                now += if rng.u8(..) < 5 { -rng.i64(0..50) } else { 1 };
                Reading { series: SeriesId(id), time: now, value: Value::Float(rng.f64().round()) }
            })
            .collect();
        let agent = AgentSeq { agent: "gw".into(), boot: 1, seq: position };
        let parts = vec![BatchPart { agent: Some(agent), received: now, end: readings.len() }];
        let deletes = if with_deletes.contains(&position) && rng.u8(..) < 20 {
            vec![Delete { series: SeriesId(rng.u32(0..SERIES)), from: now - rng.i64(0..9000), to: now + rng.i64(-5000..5) }]
        } else {
            Vec::new()
        };
        Commit { position: Position(position), readings, parts, deletes, ..Commit::default() }
    };
    (1..=count).map(make).collect()
}

#[test]
fn what_two_threads_fill_is_what_each_commit_leaves() {
    let (count, batch) = (14_000, 3_500);
    let commits = commits(count, 2 * batch..3 * batch);
    assert!(batch * u64::from(READINGS_A_COMMIT) >= SHARED_OUT as u64, "batches are worth a second thread");
    let (series, store, agents) = (SeriesTable::new(1000, 1000), MemoryStore::default(), Agents::default());
    let (replayed, one_by_one) = (Head::default(), Head::default());
    for commit in &commits {
        let repairs = last::repairs(&one_by_one, Some(&store), commit).unwrap();
        one_by_one.apply(commit, &repairs, || ());
    }
    let replay = Replay { series: &series, head: &replayed, store: &store, agents: &agents };
    let read = |each: &mut Each<'_>| {
        let mut read = Replayed::default();
        for commit in &commits {
            read.add(commit);
            each(&mut read, false);
        }
        each(&mut read, true);
        Ok(())
    };
    replay.run(read).unwrap();
    let ids: Vec<_> = (0..SERIES).map(SeriesId).collect();
    let points = |head: &Head| {
        let view = head.view(&ids, TimeRange::ALL);
        view.columns.iter().map(|column| format!("{:?}", column.iter().collect::<Vec<_>>())).collect::<Vec<_>>()
    };
    assert_eq!(points(&replayed), points(&one_by_one));
    assert_eq!(replayed.last(&ids), one_by_one.last(&ids));
    assert_eq!((replayed.points(), replayed.position()), (one_by_one.points(), one_by_one.position()));
    assert_eq!(series.len(), SERIES as usize, "each has a name, though no commit defines it");
}
