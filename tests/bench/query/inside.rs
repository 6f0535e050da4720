//! What last known values take where they are kept, without HTTP and JSON.

use std::time::{Duration, Instant};

use telltale::head::Head;
use telltale::model::{BatchPart, Commit, Position, Reading, SeriesId, Value};
use telltale::query::last;

use super::data::MANY;

pub(super) fn last_of_many() {
    let head = Head::default();
    let ids: Vec<SeriesId> = (0..MANY).map(|id| SeriesId(u32::try_from(id).expect("few"))).collect();
    for round in 1..4 {
        let reading = |id: &SeriesId| Reading { series: *id, time: round, value: Value::Float(f64::from(id.0) / 10.0) };
        let readings: Vec<_> = ids.iter().map(reading).collect();
        let parts = vec![BatchPart { agent: None, received: round, end: readings.len() }];
        head.apply(&Commit { position: Position(round.cast_unsigned()), parts, readings, ..Commit::default() }, &[], || ());
    }
    let ask = || {
        let begun = Instant::now();
        let found = last::settled(&head, None, &ids).expect("no store is asked");
        let took = begun.elapsed();
        assert!(found.iter().flatten().all(|last| last.time == 3) && found.iter().flatten().count() == MANY, "each is known");
        took
    };
    let mut times: Vec<Duration> = (0..50).map(|_| ask()).collect();
    println!("  last values of {MANY} series in the store: {:.2} ms", crate::store::at(&mut times, 0.5));
}
