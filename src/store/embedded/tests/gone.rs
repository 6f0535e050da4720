//! Days that expire: by age, for bytes, and what is answered then.

use super::left::grow_old;
use super::*;

pub(super) const NOW: TimeNs = 20_010 * DAY + 12 * HOUR;

pub(super) fn rule(keep_days: Option<u64>, keep_rollups_days: Option<u64>, priority: u64) -> RetentionRule {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let (select, text) = (Selector::parse("a/*").unwrap(), "a/*".to_owned());
    RetentionRule { select, text, keep: keep_days.map(days), keep_rollups: keep_rollups_days.map(days), priority }
}

/// Ten days of two series, one of each rule, a reading every ten seconds; sealed and merged.
pub(super) fn filled(data: &Path, rules: &[RetentionRule], max_bytes: u64) -> (EmbeddedStore, Arc<Pins>) {
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info(AtomicU64::new(1 << 1))));
    let store = open_with(data, (Position(0), NOW), &pins, &info, rules, max_bytes);
    let mut rng = fastrand::Rng::with_seed(7);
    for day in 0..10 {
        let mut given = Given::default();
        for series in [0, 1] {
            let mut block = Block::default();
            for i in 0..8640 {
                let time = (20_000 + day) * DAY + i * 10_000_000_000;
                drop(block.put(time, Value::Float(rng.f64()), time));
            }
            given.columns.insert(SeriesId(series), vec![Arc::new(block)]);
        }
        let up_to = Position(u64::try_from(day).unwrap() + 1);
        store.seal(&given.handover(up_to)).unwrap();
        store.set_sealed(up_to);
    }
    (store, pins)
}

fn tend(store: &EmbeddedStore) {
    while store.tend(NOW, Duration::from_secs(1)).unwrap() {}
}

/// Points as counted, readings in buckets of an hour, and how many of the buckets came from what is gone.
pub(super) fn seen(store: &EmbeddedStore, pins: &Arc<Pins>, series: u32) -> (u64, u64, usize) {
    let (pin, series, mut readings, mut gone) = (pins.pin(store.sealed()), SeriesId(series), 0, 0);
    let mut sink = |piece: Piece<'_>| {
        match piece {
            Piece::Points(block) => readings += block.len() as u64,
            Piece::Summary { summary, is_gone } => {
                readings += summary.count;
                gone += usize::from(is_gone);
            }
            Piece::Totals(totals) => readings += totals.count,
        }
        true
    };
    store
        .scan_coarse(&pin, series, TimeRange::ALL, Coarse::Buckets { grid: &Grid::Fixed(HOUR), aggs: &Agg::OF_TOTALS }, &mut sink)
        .unwrap();
    (store.count(&pin, series, TimeRange::ALL).unwrap(), readings, gone)
}

#[test]
fn by_age_whole_days_go_and_rollups_stay_as_long_as_they_are_asked_to() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins) = filled(dir.path(), &[rule(Some(4), Some(7), 0)], 0);
    tend(&store);
    // Expiry looks once a second; the merges came in between.
    grow_old(&store, NOW);
    assert_eq!(seen(&store, &pins, 0), (86_400, 86_400, 0), "no rule, no end");
    let (counted, readings, gone) = seen(&store, &pins, 1);
    assert_eq!(counted, 4 * 8640, "the day that the floor lies in is kept whole");
    assert_eq!((readings, gone), (7 * 8640, 3 * 24));
    let names: Vec<_> = store.files.all().iter().map(|file| file.key.file_name()).filter(|name| name.contains("raw.1")).collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[test]
fn for_bytes_the_oldest_readings_go_first_and_their_rollups_answer() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins) = filled(dir.path(), &[rule(None, None, 200)], 0);
    tend(&store);
    let before = store.files.bytes();
    drop(store);
    let info = Arc::new(Info(AtomicU64::new(1 << 1)));
    let max_bytes = before * 19 / 20;
    let store = open_with(dir.path(), (Position(10), NOW), &pins, &info, &[rule(None, None, 200)], max_bytes);
    tend(&store);
    // So small, a third of it are the indexes of WALs that come with each file that is opened: the next look sees them.
    grow_old(&store, NOW);
    let held = expire::disk_bytes(dir.path());
    assert!(held <= max_bytes, "{held} of {max_bytes}");
    let (counted, readings, gone) = seen(&store, &pins, 0);
    assert!(counted < 86_400 && gone > 0, "{counted} {gone}");
    assert_eq!(readings, 86_400, "all is summed up, though {counted} readings are left");
    assert_eq!(seen(&store, &pins, 1), (86_400, 86_400, 0), "a rule of higher priority");
    let floor = store.floors.of(RuleId(0)).unwrap();
    assert_eq!(floor % DAY, 0);
    assert_eq!(i64::try_from(counted).unwrap() / 8640, 20_010 - floor / DAY, "the floor is where readings begin");
    drop(store);
    let store = open_with(dir.path(), (Position(10), NOW), &pins, &info, &[rule(None, None, 200)], max_bytes);
    assert_eq!(store.floors.of(RuleId(0)), Some(floor), "remembered");
}

#[test]
fn for_bytes_a_file_that_is_only_read_goes_in_its_turn() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins) = filled(dir.path(), &[rule(None, None, 200)], 0);
    tend(&store);
    let [first, second] =
        [0, 1].map(|at| store.files.all().iter().filter(|file| file.key.file_name().contains("raw.0")).nth(at).unwrap().key);
    store.files.retire(first).unwrap();
    let before = store.files.bytes();
    drop(store);
    let info = Arc::new(Info(AtomicU64::new(1 << 1)));
    let store = open_with(dir.path(), (Position(10), NOW), &pins, &info, &[rule(None, None, 200)], before);
    tend(&store);
    assert_eq!((store.files.retired().len(), store.files.get(second).is_some()), (0, false), "the budget keeps an eighth free");
    assert_eq!(seen(&store, &pins, 1), (86_400, 86_400, 0), "a rule of higher priority");
    assert!(store.floors.of(RuleId(0)).unwrap() > 20_001 * DAY);
}

#[test]
fn a_delete_holds_in_rollups_too_when_the_readings_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins) = filled(dir.path(), &[rule(None, None, 0)], 0);
    tend(&store);
    let old = TimeRange { from: 20_000 * DAY, to: 20_001 * DAY };
    let raw: Vec<_> = store.files.all().iter().filter(|file| file.key.file_name().contains(".raw.1.")).map(|file| file.key).collect();
    raw.into_iter().for_each(|key| store.files.unlink(key).unwrap());
    let readings = |range: TimeRange| {
        let mut readings = 0;
        let mut sink = |piece: Piece<'_>| {
            readings += if let Piece::Summary { summary, .. } = piece { summary.count } else { 0 };
            true
        };
        let pin = pins.pin(store.sealed());
        store
            .scan_coarse(&pin, SeriesId(1), range, Coarse::Buckets { grid: &Grid::Fixed(HOUR), aggs: &Agg::OF_TOTALS }, &mut sink)
            .unwrap();
        readings
    };
    let before = readings(TimeRange::ALL);
    assert_eq!(before, 86_400);
    let of_day = readings(old);
    let key = store.files.all().iter().find(|file| file.key.file_name().contains("rollup.1")).unwrap().key;
    let metric = store.info.metric(SeriesId(1));
    let numbers = || {
        let rows = store.files.get(key).unwrap().read("list rollups of", |db| db.rollup_heads(metric, SeriesId(1)));
        rows.unwrap().iter().map(|row| row.id).collect::<Vec<_>>()
    };
    let there = numbers();
    let delete = Delete { series: SeriesId(1), from: old.from, to: old.from + 90 * 60_000_000_000 };
    let given = Given { columns: BTreeMap::new(), deletes: vec![PositionedDelete { position: Position(11), delete }] };
    store.seal(&given.handover(Position(12))).unwrap();
    store.set_sealed(Position(12));
    assert!(readings(old) < of_day, "hidden at once");
    tend(&store);
    assert_eq!(store.tombs.up_to(Position(100)), [], "the delete has nothing left to hide");
    assert_eq!(readings(old), of_day.saturating_sub(2 * 360), "two hours are gone, the second for a part of it");
    assert_eq!(readings(TimeRange::ALL), before - (of_day - readings(old)));
    assert!(numbers().iter().all(|number| !there.contains(number)), "a backup tells changed rows by their numbers");
}

/// Only rollups of an hour are left, and days begin at half past six: that hour is lacking, and nothing is told in a wrong day.
#[test]
fn a_day_that_begins_within_an_hour_takes_the_hours_around() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info(AtomicU64::new(1 << 1))));
    let store = open_with(dir.path(), (Position(0), NOW), &pins, &info, &[rule(None, None, 0)], 0);
    let (mut given, mut block) = (Given::default(), Block::default());
    for i in 0..3 * 216 {
        let time = 20_000 * DAY + i * 400_000_000_000;
        drop(block.put(time, Value::Int(1), time));
    }
    given.columns.insert(SeriesId(1), vec![Arc::new(block)]);
    store.seal(&given.handover(Position(1))).unwrap();
    store.set_sealed(Position(1));
    tend(&store);
    let grid = Grid::parse(&Params { every: Some("1d"), tz: Some("Asia/Kolkata"), ..Params::default() }).unwrap();
    let counts = || {
        let mut used = 0;
        let rows = buckets(&store, &pins.pin(store.sealed()), SeriesId(1), TimeRange::ALL, &grid, &mut used);
        let count = |row: &[f64]| row[AGGS.iter().position(|agg| *agg == Agg::Count).unwrap()];
        (rows.iter().map(|(start, row)| ((start - 20_000 * DAY) / (HOUR / 2), count(row))).collect::<Vec<_>>(), used)
    };
    let hours = 18 + 23 + 23 + 5;
    assert_eq!(counts(), (vec![(-11, 167.0), (37, 216.0), (85, 216.0), (133, 49.0)], hours), "the readings of that hour are read");
    let raw: Vec<_> = store.files.all().iter().filter(|file| file.key.file_name().contains(".raw.")).map(|file| file.key).collect();
    raw.into_iter().for_each(|key| store.files.unlink(key).unwrap());
    assert_eq!(counts(), (vec![(-11, 162.0), (37, 207.0), (85, 207.0), (133, 45.0)], hours));
}

/// Readings of the first day by what sums them up.
fn rolled_up(store: &EmbeddedStore, pins: &Arc<Pins>, series: u32) -> u64 {
    let mut readings = 0;
    let mut sink = |piece: Piece<'_>| {
        readings += if let Piece::Summary { summary, .. } = piece { summary.count } else { 0 };
        true
    };
    let day = TimeRange { from: 20_000 * DAY, to: 20_001 * DAY };
    store
        .scan_coarse(
            &pins.pin(store.sealed()),
            SeriesId(series),
            day,
            Coarse::Buckets { grid: &Grid::Fixed(HOUR), aggs: &Agg::OF_TOTALS },
            &mut sink,
        )
        .unwrap();
    readings
}

#[test]
fn what_comes_for_a_day_whose_readings_went_takes_no_other_rollups_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    let seal = |given: &Given, up_to: u64| {
        store.seal(&given.handover(Position(up_to))).unwrap();
        store.set_sealed(Position(up_to));
    };
    let mut both = super::broken::given(0..3, 20_000 * DAY, 4000);
    both.columns.extend(super::broken::given(3..40, 20_000 * DAY, 100).columns);
    seal(&both, 1);
    tend(&store);
    let before: Vec<_> = (0..40).map(|series| rolled_up(&store, &pins, series)).collect();
    assert!(before.iter().all(|count| *count >= 100), "{before:?}");
    let raw = store.files.all().iter().find(|file| file.key.kind == FileKind::Raw).unwrap().key;
    store.files.unlink(raw).unwrap();
    // It was taken before the floor moved, and is sealed after.
    seal(&super::broken::given(0..1, 20_000 * DAY + HOUR, 10), 2);
    store.tending.lock().look_again();
    tend(&store);
    let after: Vec<_> = (1..40).map(|series| rolled_up(&store, &pins, series)).collect();
    assert_eq!(after, before[1..]);
}

#[test]
fn a_day_that_is_summed_up_and_loses_its_oldest_readings_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    store.seal(&super::broken::given(0..8, 20_000 * DAY, 50_000).handover(Position(1))).unwrap();
    store.set_sealed(Position(1));
    tend(&store);
    let before: Vec<_> = (0..8).map(|series| rolled_up(&store, &pins, series)).collect();
    let bytes = store.files.bytes();
    drop(store);
    let store = open_with(dir.path(), (Position(1), NOW), &pins, &info, &[], bytes);
    tend(&store);
    let left = store.count(&pins.pin(Position(1)), SeriesId(0), TimeRange::ALL).unwrap();
    assert!(left > 0 && left < 50_000, "{left}");
    assert_eq!(store.floors.of(RuleId(0)), Some(20_001 * DAY), "what is late for it would take its rollups with it");
    assert_eq!((0..8).map(|series| rolled_up(&store, &pins, series)).collect::<Vec<_>>(), before);
}

/// Readings of the first day by what a line is drawn of: in summaries, of these in such whose readings are gone, and as points.
pub(super) fn in_line(store: &EmbeddedStore, pins: &Arc<Pins>, series: u32, range: TimeRange) -> (u64, u64, u64) {
    let (mut summed, mut gone, mut read) = (0, 0, 0);
    let mut sink = |piece: Piece<'_>| {
        match piece {
            Piece::Points(block) => read += block.len() as u64,
            Piece::Summary { summary, is_gone } => {
                summed += summary.count;
                gone += if is_gone { summary.count } else { 0 };
            }
            Piece::Totals(totals) => summed += totals.count,
        }
        true
    };
    store.scan_coarse(&pins.pin(store.sealed()), SeriesId(series), range, Coarse::WhereGone, &mut sink).unwrap();
    (summed, gone, read)
}

#[test]
fn a_line_over_a_day_that_lost_its_oldest_readings_has_no_hole() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    let mut given = super::broken::given(0..8, 20_000 * DAY + 500_000_000, 50_000);
    // A series that ended before what is left begins, one with few readings, and one that began after.
    given.columns.extend(super::broken::given(8..9, 20_000 * DAY, 2_000).columns);
    given.columns.extend(super::broken::given(9..10, 20_000 * DAY, 200).columns);
    given.columns.extend(super::broken::given(10..11, 20_000 * DAY + 16 * HOUR, 2_000).columns);
    store.seal(&given.handover(Position(1))).unwrap();
    store.set_sealed(Position(1));
    tend(&store);
    let bytes = store.files.bytes();
    let whole = |store: &EmbeddedStore| (0..11).map(|series| in_line(store, &pins, series, TimeRange::ALL)).collect::<Vec<_>>();
    assert!(whole(&store).iter().all(|(summed, ..)| *summed == 0), "nothing is gone");
    drop(store);
    let store = open_with(dir.path(), (Position(1), NOW), &pins, &info, &[], bytes);
    tend(&store);
    for (series, (summed, gone, read)) in whole(&store).into_iter().enumerate() {
        let expected = match series {
            0..=7 => 50_000,
            9 => 200,
            _ => 2_000,
        };
        assert_eq!(summed + read, expected, "series {series}: {summed} in summaries, {read} points");
        assert_eq!(gone, summed);
        assert!(series >= 8 || (summed > 0 && read > 0), "series {series}: {summed} in summaries, {read} points");
        assert_eq!(series == 10, summed == 0, "series {series}");
    }
    // Cut anywhere, a range has neither a hole nor a reading twice.
    for cut in [HOUR, 3 * HOUR + 7_000_000_000, 9 * HOUR + 1, 13 * HOUR] {
        let at = 20_000 * DAY + cut;
        let parts = [TimeRange { from: 20_000 * DAY, to: at }, TimeRange { from: at, to: 20_001 * DAY }];
        let sum: u64 = parts.iter().map(|part| in_line(&store, &pins, 0, *part)).map(|(summed, _, read)| summed + read).sum();
        assert!((50_000 - 60..=50_000).contains(&sum), "{sum} of 50000 when cut at {cut}");
    }
}

#[test]
fn a_line_over_a_day_whose_file_was_made_anew_has_the_rollups_of_all_others() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    store.seal(&super::broken::given(0..5, 20_000 * DAY, 4000).handover(Position(1))).unwrap();
    store.set_sealed(Position(1));
    tend(&store);
    let raw = store.files.all().iter().find(|file| file.key.kind == FileKind::Raw).unwrap().key;
    store.drop_until(raw, raw.last_time() + 1).unwrap();
    store.files.unlink(raw).unwrap();
    store.seal(&super::broken::given(0..1, 20_000 * DAY + HOUR, 10).handover(Position(2))).unwrap();
    store.set_sealed(Position(2));
    tend(&store);
    for series in 1..5 {
        assert_eq!(in_line(&store, &pins, series, TimeRange::ALL), (4000, 4000, 0), "series {series}");
    }
}

#[test]
fn a_day_that_expires_while_it_is_asked_for_fails_no_question() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    store.seal(&super::broken::given(0..1, 20_000 * DAY, 4000).handover(Position(1))).unwrap();
    store.set_sealed(Position(1));
    tend(&store);
    // As it is between the look for the day's files and the question to one of them.
    let raw = store.files.all().into_iter().find(|file| file.key.kind == FileKind::Raw).unwrap();
    raw.set_gone();
    raw.close_idle();
    std::fs::remove_file(&raw.path).unwrap();
    assert_eq!(in_line(&store, &pins, 0, TimeRange::ALL), (4000, 4000, 0));
    assert_eq!(rolled_up(&store, &pins, 0), 4000);
}

#[test]
fn a_clock_that_jumps_by_decades_while_it_runs_drops_nothing() {
    const YEARS: i64 = 72 * 365 * DAY;
    let dir = tempfile::tempdir().unwrap();
    let rules = [rule(Some(4), Some(7), 0)];
    let (store, pins) = filled(dir.path(), &rules, 0);
    let look = |store: &EmbeddedStore, now: TimeNs| {
        store.tending.lock().look_again();
        while store.tend(now, Duration::from_secs(1)).unwrap() {}
    };
    tend(&store);
    grow_old(&store, NOW);
    let (before, floor) = (seen(&store, &pins, 1), store.floors.of(RuleId(1)));
    for jump in [YEARS, 0, -YEARS, YEARS, YEARS, 0] {
        look(&store, NOW + jump);
        assert_eq!(seen(&store, &pins, 1), before, "after a jump of {jump} ns");
        assert!(store.floors.of(RuleId(1)) <= floor, "after a jump of {jump} ns");
    }
    // Sealed under such a clock, and started under it: what was sealed does not make it believed.
    let sealed_at = store.believed(NOW + YEARS);
    drop(store);
    let info = Arc::new(Info(AtomicU64::new(1 << 1)));
    let open = |now| open_at(dir.path(), (Position(10), sealed_at, now), &pins, &info, &rules, 0);
    let store = open(NOW + YEARS);
    look(&store, NOW + YEARS);
    assert_eq!(seen(&store, &pins, 1), before, "after a start");
    // A clock that was right all the time is believed, and goes on.
    drop(store);
    let store = open(NOW + 2 * DAY);
    grow_old(&store, NOW + 2 * DAY);
    assert_eq!(seen(&store, &pins, 1).0, 2 * 8640);
}
