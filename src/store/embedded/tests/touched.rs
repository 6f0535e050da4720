//! Days whose readings are gone, and for which something lies in the head that is not sealed yet.

use super::*;
use crate::head::Head;
use crate::model::{BatchPart, Commit, Reading};
use crate::query::source::{self, Part, Past};
use crate::store::Coarse;

const FIRST: i64 = 20_000 * DAY;

/// Hours of the first day that are told, and the readings in them.
fn told(store: &EmbeddedStore, head: &Head, series: u32, coarse: Coarse<'_>) -> (usize, u64) {
    let (series, range) = (SeriesId(series), TimeRange { from: FIRST, to: FIRST + DAY });
    let (view, pin) = (head.view(&[series], range).columns.remove(0), head.pins().pin(store.sealed()));
    let (mut hours, mut readings) = (std::collections::BTreeSet::new(), 0);
    let mut sink = |part: Part<'_>| {
        let (first, count) = match part {
            Part::Run(run) => (run.time(0), run.len() as u64),
            Part::Summary { summary, .. } => (summary.start, summary.count),
            Part::Totals(totals) => (totals.start, totals.count),
        };
        hours.insert(first.div_euclid(HOUR));
        readings += count;
        true
    };
    source::scan_coarse(&view, Some(Past { store, pin: &pin }), series, range, coarse, &mut sink).unwrap();
    (hours.len(), readings)
}

#[test]
fn what_is_gone_is_told_beside_what_is_not_sealed_yet() {
    let (dir, head) = (tempfile::tempdir().unwrap(), Head::default());
    let store = open(dir.path(), Position(0), head.pins(), &Arc::new(Info::default()));
    store.seal(&super::broken::given(0..4, FIRST, 60_000).handover(Position(1))).unwrap();
    store.set_sealed(Position(1));
    while store.tend(FIRST + 3 * DAY, Duration::from_secs(1)).unwrap() {}
    let first: Vec<_> = store.files.all().iter().map(|file| file.key).filter(|key| key.kind == FileKind::Raw).collect();
    first.into_iter().for_each(|key| store.files.unlink(key).unwrap());
    // Of one series a reading came, of another an hour and a bit was deleted, of a third all.
    let delete = |series, from, to| Delete { series: SeriesId(series), from, to };
    let deletes = vec![delete(1, FIRST + HOUR, FIRST + 2 * HOUR + 1), delete(2, FIRST, FIRST + DAY)];
    let readings = vec![Reading { series: SeriesId(0), time: FIRST + HOUR + 1, value: Value::Float(1.0) }];
    let parts = vec![BatchPart { agent: None, received: 0, end: 1 }];
    head.apply(&Commit { position: Position(2), deletes, parts, readings, ..Commit::default() }, &[], || ());

    let (hours, all) = (17, 60_000);
    let buckets = Coarse::Buckets { grid: &Grid::Fixed(HOUR), aggs: &Agg::OF_TOTALS };
    for coarse in [buckets, Coarse::WhereGone] {
        assert_eq!(told(&store, &head, 0, coarse), (hours, all), "what is gone lies over what came since");
        let (left, readings) = told(&store, &head, 1, coarse);
        assert!((hours - 2..hours).contains(&left) && readings < all, "{left} of {hours} hours, {readings} of {all} readings");
        assert_eq!(told(&store, &head, 2, coarse), (0, 0));
        assert_eq!(told(&store, &head, 3, coarse), (hours, all), "nothing came for it");
    }
    let quantiles = Coarse::Buckets { grid: &Grid::Fixed(HOUR), aggs: &[Agg::P50] };
    assert_eq!(told(&store, &head, 0, quantiles), (1, 1), "what needs readings gets no summaries");
}
