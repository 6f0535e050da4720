//! A file that cannot be opened, read or written holds up no other work.

use super::broken::given;
use super::*;

const AFTER: TimeNs = 20_030 * DAY;

/// Four days, a file each.
fn filled(data: &Path, rules: &[RetentionRule], max_bytes: u64) -> (EmbeddedStore, Arc<Pins>, Arc<Info>) {
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open_with(data, (Position(0), 20_004 * DAY), &pins, &info, rules, max_bytes);
    for day in 0..4 {
        let up_to = Position(u64::try_from(day).unwrap() + 1);
        store.seal(&given(0..3, (20_000 + day) * DAY, 4000).handover(up_to)).unwrap();
        store.set_sealed(up_to);
    }
    (store, pins, info)
}

fn raw_of(store: &EmbeddedStore, day: i32) -> Arc<dayfile::DayFile> {
    store.files.all().into_iter().find(|file| file.key.day == day && file.key.kind == FileKind::Raw).unwrap()
}

/// Whatever opens the file fails, until it is put back.
fn take_away(file: &dayfile::DayFile) -> std::path::PathBuf {
    file.close_idle();
    let away = file.path.with_extension("away");
    std::fs::rename(&file.path, &away).unwrap();
    away
}

fn days_with(store: &EmbeddedStore, kind: FileKind) -> Vec<i32> {
    store.files.all().iter().filter(|file| file.key.kind == kind).map(|file| file.key.day - 20_000).collect()
}

fn rule(keep_days: u64) -> RetentionRule {
    let (select, text, keep) = (Selector::parse("a/*").unwrap(), "a/*".to_owned(), Duration::from_secs(keep_days * 86_400));
    RetentionRule { select, text, keep: Some(keep), keep_rollups: None, priority: 1 }
}

#[test]
fn a_file_whose_first_page_is_broken_is_named_and_the_others_are_tended() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins, info) = filled(dir.path(), &[], 0);
    while store.tend(20_000 * DAY + HOUR, Duration::from_secs(1)).unwrap() {}
    let path = raw_of(&store, 20_000).path.clone();
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[0..100].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let store = open(dir.path(), Position(4), &pins, &info);
    let ends = (0..1_000).any(|_| !store.tend(AFTER, Duration::ZERO).unwrap());
    assert!(ends, "what cannot be done is not tried over and over");
    assert_eq!(days_with(&store, FileKind::Rollup), [1, 2, 3], "the days that can be read are summed up");
    let written: Vec<_> = store.files.all().iter().filter(|file| file.is_written()).map(|file| file.key.day).collect();
    assert_eq!(written, [0; 0], "the WALs are in their files");
    assert_eq!(store.damages().iter().map(|damage| (damage.table, damage.row)).collect::<Vec<_>>(), [("file", 0)]);
}

#[test]
fn days_go_by_age_though_a_wal_cannot_be_moved_into_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info(AtomicU64::new(u64::MAX))));
    let store = open_with(dir.path(), (Position(0), 20_000 * DAY), &pins, &info, &[rule(3)], 0);
    for day in 0..4 {
        let up_to = Position(u64::try_from(day).unwrap() + 1);
        store.seal(&given(0..3, (20_000 + day) * DAY, 4000).handover(up_to)).unwrap();
        store.set_sealed(up_to);
        store.tending.lock().look_again();
        while store.tend((20_000 + day) * DAY + 5 * HOUR, Duration::from_secs(1)).unwrap() {}
    }
    let newest = raw_of(&store, 20_003);
    newest.write("seal into", |db| db.execute("UPDATE merged SET up_to = up_to", []).map(drop)).unwrap();
    take_away(&newest);
    for day in 4..7 {
        store.tending.lock().look_again();
        while store.tend((20_000 + day) * DAY + 5 * HOUR, Duration::from_secs(1)).is_ok_and(|more| more) {}
    }
    assert_eq!(days_with(&store, FileKind::Raw), [3]);
}

#[test]
fn room_is_made_for_a_seal_though_a_wal_cannot_be_moved_into_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins, info) = filled(dir.path(), &[], 0);
    while store.tend(20_004 * DAY + HOUR * 5, Duration::from_secs(1)).unwrap() {}
    let bytes = store.files.bytes();
    drop(store);
    let store = open_with(dir.path(), (Position(4), 20_030 * DAY), &pins, &info, &[], bytes);
    take_away(&raw_of(&store, 20_000));
    store.make_room_for_seal();
    let left = days_with(&store, FileKind::Raw);
    assert!(!left.contains(&1) && left.contains(&3), "{left:?}");
}

#[test]
fn a_day_that_fails_is_passed_over_and_looked_at_again() {
    let dir = tempfile::tempdir().unwrap();
    let (store, ..) = filled(dir.path(), &[], 0);
    while store.tend(20_000 * DAY + HOUR, Duration::from_secs(1)).unwrap() {}
    let first = raw_of(&store, 20_000);
    let away = take_away(&first);
    let ends = (0..1_000).any(|_| !store.tend(AFTER, Duration::ZERO).unwrap());
    assert!(ends, "what cannot be done is not tried over and over");
    assert_eq!(days_with(&store, FileKind::Rollup), [1, 2, 3]);
    std::fs::rename(away, &first.path).unwrap();
    store.tending.lock().look_again();
    while store.tend(AFTER, Duration::from_secs(1)).unwrap() {}
    assert_eq!(days_with(&store, FileKind::Rollup), [0, 1, 2, 3]);
    assert_eq!(store.damages(), []);
}

#[test]
fn a_merge_in_pieces_that_is_cut_off_has_taken_nothing_away() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let mut store = open(dir.path(), Position(0), &pins, &info);
    store.piece_bytes = 1;
    let (half, start) = (HOUR / 2, 20_000 * DAY);
    // Two pairs of chunks that overlap, at times that they do not share.
    for (at, from) in [(1, start), (2, start + half + 1), (3, start + 4 * half), (4, start + 5 * half + 1)] {
        store.seal(&given(0..1, from, 3600).handover(Position(at))).unwrap();
        store.set_sealed(Position(at));
    }
    let raw = raw_of(&store, 20_000);
    let (count, all) = (|| store.count(&pins.pin(Position(4)), SeriesId(0), TimeRange::ALL).unwrap(), 4 * 3600);
    assert_eq!(count(), all);
    let trigger = format!(
        "CREATE TRIGGER cut_off BEFORE INSERT ON chunks WHEN NEW.first >= {} BEGIN SELECT RAISE(ABORT, 'cut off'); END",
        start + half
    );
    raw.write("cut off merges of", |db| db.execute_batch(&trigger)).unwrap();
    while store.tend(AFTER, Duration::from_secs(1)).unwrap() {}
    let firsts = || {
        let all = raw.read("list chunks of", |db| db.all_own(SeriesId(0), Position(4), 100)).unwrap();
        all.iter().map(|entry| (entry.first - start) / half).collect::<Vec<_>>()
    };
    assert_eq!(firsts().iter().filter(|first| **first >= 4).count(), 2, "the second pair is as it was: {:?}", firsts());
    assert_eq!(count(), all);
    raw.write("let merges into", |db| db.execute_batch("DROP TRIGGER cut_off")).unwrap();
    store.tending.lock().look_again();
    while store.tend(AFTER, Duration::from_secs(1)).unwrap() {}
    assert_eq!((count(), store.is_dirty(&raw, Position(4)).unwrap()), (all, false));
}

#[test]
fn a_delete_that_one_file_keeps_from_being_done_writes_no_other_over_and_over() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins, info) = filled(dir.path(), &[], 0);
    while store.tend(AFTER, Duration::from_secs(1)).unwrap() {}
    let path = raw_of(&store, 20_000).path.clone();
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[0..100].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let store = open(dir.path(), Position(4), &pins, &info);
    let delete = Delete { series: SeriesId(1), from: 20_000 * DAY, to: 20_004 * DAY };
    let deletes = vec![PositionedDelete { position: Position(5), delete }];
    // It is left alone before the delete is there.
    while store.tend(AFTER, Duration::from_secs(1)).unwrap() {}
    store.seal(&Given { columns: BTreeMap::new(), deletes }.handover(Position(6))).unwrap();
    store.set_sealed(Position(6));
    while store.tend(AFTER, Duration::from_secs(1)).unwrap() {}
    assert!(store.tending.lock().stuck_for().unwrap() > Duration::from_secs(3600));
}

#[test]
fn a_day_that_cannot_be_removed_is_there_as_before_and_goes_later() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info(AtomicU64::new(u64::MAX))));
    let store = open_with(dir.path(), (Position(0), 20_000 * DAY), &pins, &info, &[rule(3)], 0);
    left::seal(&store, &given(0..3, 20_000 * DAY, 1000), 1);
    while store.tend(20_000 * DAY + 5 * HOUR, Duration::from_secs(1)).unwrap() {}
    let raw = raw_of(&store, 20_000);
    raw.close_idle();
    let in_its_way = files::with_suffix(&raw.path, "-shm");
    drop(std::fs::remove_file(&in_its_way));
    std::fs::create_dir(&in_its_way).unwrap();
    let look = |day: i64| {
        store.tending.lock().look_again();
        while store.tend((20_000 + day) * DAY, Duration::from_secs(1)).unwrap() {}
    };
    // In steps that are believed.
    for day in 1..6 {
        look(day);
    }
    assert_eq!(days_with(&store, FileKind::Raw), [0]);
    assert_eq!(points(&store, &pins.pin(Position(1)), SeriesId(1), TimeRange::ALL, false).len(), 1000);
    std::fs::remove_dir(&in_its_way).unwrap();
    look(6);
    assert_eq!(days_with(&store, FileKind::Raw), [0; 0]);
    assert!(!raw.path.exists());
}
