//! Damage to files: what can be read is, what comes is kept, and the loss is named.

use std::path::PathBuf;

use super::*;

pub(super) fn given(series: std::ops::Range<u32>, from: TimeNs, points: i64) -> Given {
    let mut given = Given::default();
    for series in series {
        let mut block = Block::default();
        for i in 0..points {
            drop(block.put(from + i * 1_000_000_000, Value::Float(f64::from(u32::try_from(i).unwrap()).sin()), from));
        }
        given.columns.insert(SeriesId(series), vec![Arc::new(block)]);
    }
    given
}

#[test]
fn a_file_that_cannot_be_written_makes_way_and_is_still_read() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    let seal = |store: &EmbeddedStore, given: &Given, up_to: u64| {
        store.seal(&given.handover(Position(up_to))).unwrap();
        store.set_sealed(Position(up_to));
    };
    seal(&store, &given(0..40, 20_000 * DAY, 4000), 1);
    while store.tend(20_000 * DAY + HOUR, Duration::from_secs(1)).unwrap() {}
    drop(store);
    // The tables' roots are where every write begins; the rows lie behind them.
    let path = dir.path().join("store/2024-10-04.raw.0.sqlite");
    let mut bytes = std::fs::read(&path).unwrap();
    let page = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    let sequence =
        (1..8).find(|n| bytes[n * page..].starts_with(&[0x0d, 0, 0, 0, 2]) || bytes[n * page..].starts_with(&[0x0d, 0, 0, 0, 1]));
    let at = sequence.expect("the table of the numbers given is a small leaf") * page;
    bytes[at..at + 64].fill(0xff);
    std::fs::write(&path, bytes).unwrap();

    let store = open(dir.path(), Position(1), &pins, &info);
    seal(&store, &given(0..40, 20_000 * DAY + 2 * HOUR, 100), 2);
    let pin = pins.pin(Position(2));
    let counts: Vec<_> = (0..40).map(|series| points(&store, &pin, SeriesId(series), TimeRange::ALL, false).len()).collect();
    assert!(counts.iter().all(|count| *count >= 100), "what comes is kept: {counts:?}");
    assert!(counts.iter().filter(|count| **count == 4100).count() >= 30, "what can be read is: {counts:?}");
    assert_eq!(store.damages().len(), 1, "{:?}", store.damages());
    drop((pin, store));
    let store = open(dir.path(), Position(2), &pins, &info);
    let pin = pins.pin(Position(2));
    let again: Vec<_> = (0..40).map(|series| points(&store, &pin, SeriesId(series), TimeRange::ALL, false).len()).collect();
    assert_eq!(again, counts, "also after a restart");
}

#[test]
fn a_flipped_bit_costs_its_row_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    store.seal(&given(0..10, 20_000 * DAY, 4000).handover(Position(1))).unwrap();
    store.set_sealed(Position(1));
    while store.tend(20_000 * DAY + HOUR, Duration::from_secs(1)).unwrap() {}
    drop(store);
    let path = dir.path().join("store/2024-10-04.raw.0.sqlite");
    let db = rusqlite::Connection::open(&path).unwrap();
    let mut body: Vec<u8> = db.query_row("SELECT body FROM chunks WHERE series = 3", [], |row| row.get(0)).unwrap();
    let middle = body.len() / 2;
    body[middle] ^= 1;
    db.execute("UPDATE chunks SET body = ?1 WHERE series = 3", [body]).unwrap();
    drop(db);
    let store = open(dir.path(), Position(1), &pins, &info);
    let pin = pins.pin(Position(1));
    for series in 0..10 {
        let found = points(&store, &pin, SeriesId(series), TimeRange::ALL, false).len();
        assert_eq!(found, if series == 3 { 0 } else { 4000 }, "series {series}");
        assert_eq!(store.is_damaged(SeriesId(series), TimeRange::ALL), series == 3);
        assert_eq!(store.count(&pin, SeriesId(series), TimeRange::ALL).unwrap(), found as u64);
    }
    let damages = store.damages();
    assert_eq!(damages.iter().map(|d| (d.table, d.lo, d.hi)).collect::<Vec<_>>(), [("chunks", SeriesId(3), SeriesId(3))]);
    assert_eq!(std::fs::read_dir(dir.path().join("set-aside")).unwrap().count(), 1, "its bytes are kept");
    while store.tend(20_003 * DAY, Duration::from_secs(1)).unwrap() {}
    assert!(dir.path().join("store/2024-10-04.raw.0.sqlite").exists());
    assert_eq!(points(&store, &pins.pin(Position(1)), SeriesId(4), TimeRange::ALL, false).len(), 4000, "merges leave it alone");
}

/// Works until there is nothing to do, which must come.
fn tend_to_the_end(store: &EmbeddedStore) {
    let ends = (0..1_000).any(|_| !store.tend(20_003 * DAY, Duration::ZERO).unwrap());
    assert!(ends, "what cannot be done is not tried over and over");
}

fn erase(store: &EmbeddedStore, series: u32, up_to: u64) {
    let delete = Delete { series: SeriesId(series), from: 20_000 * DAY, to: 20_001 * DAY };
    let deletes = vec![PositionedDelete { position: Position(up_to - 1), delete }];
    store.seal(&Given { columns: BTreeMap::new(), deletes }.handover(Position(up_to))).unwrap();
    store.set_sealed(Position(up_to));
}

#[test]
fn a_delete_holds_in_what_is_only_read() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    store.seal(&given(0..3, 20_000 * DAY, 1000).handover(Position(1))).unwrap();
    store.set_sealed(Position(1));
    let key = store.files.all()[0].key;
    store.files.retire(key).unwrap();
    let found = |store: &EmbeddedStore, series, at| points(store, &pins.pin(Position(at)), SeriesId(series), TimeRange::ALL, false).len();
    assert_eq!(found(&store, 1, 1), 1000);
    erase(&store, 1, 3);
    tend_to_the_end(&store);
    assert_eq!((found(&store, 1, 3), found(&store, 2, 3)), (0, 1000));
    // What is deleted later is applied all the same, and the next start begins with both.
    erase(&store, 2, 5);
    tend_to_the_end(&store);
    drop(store);
    let store = open(dir.path(), Position(5), &pins, &info);
    tend_to_the_end(&store);
    assert_eq!([0, 1, 2].map(|series| found(&store, series, 5)), [1000, 0, 0]);
}

#[test]
fn a_delete_that_meets_damage_waits() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    store.seal(&given(0..3, 20_000 * DAY, 1000).handover(Position(1))).unwrap();
    store.set_sealed(Position(1));
    store.files.all()[0].write("damage", |db| db.execute("UPDATE chunks SET body = x'00' WHERE series = 1", []).map(drop)).unwrap();
    let found = |series, at| points(&store, &pins.pin(Position(at)), SeriesId(series), TimeRange::ALL, false).len();
    erase(&store, 1, 3);
    tend_to_the_end(&store);
    erase(&store, 2, 5);
    tend_to_the_end(&store);
    assert_eq!([0, 1, 2].map(|series| found(series, 5)), [1000, 0, 0]);
}

#[test]
fn rollups_that_cannot_be_read_are_made_anew_and_no_reading_is_called_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    left::seal(&store, &given(0..1, 20_000 * DAY, 4000), 1);
    tend_to_the_end(&store);
    let file = store.files.all().into_iter().find(|file| file.key.kind == FileKind::Rollup).unwrap();
    file.checkpoint().unwrap();
    drop(store);
    remade::spoil_index(&file.path, "rollups_mark");
    let store = open(dir.path(), Position(1), &pins, &info);
    left::seal(&store, &given(3..4, 20_000 * DAY, 4000), 2);
    tend_to_the_end(&store);
    assert_eq!([0, 3].map(|series| left::coarse(&store, &pins, series)), [(4000, 0); 2]);
    assert!([0, 3].iter().all(|series| !store.is_damaged(SeriesId(*series), TimeRange::ALL)));
    let damages = store.damages();
    assert!(damages.iter().all(|damage| !damage.loses) && damages.iter().any(|damage| damage.file.ends_with(".damaged-1")), "{damages:?}");
    // Nor is it when the readings are gone: what was made anew has all of them.
    let raw = store.files.all().iter().find(|file| file.key.kind == FileKind::Raw).unwrap().key;
    store.drop_until(raw, raw.last_time() + 1).unwrap();
    store.files.unlink(raw).unwrap();
    assert_eq!([0, 3].map(|series| left::coarse(&store, &pins, series)), [(4000, 0); 2]);
    assert!([0, 3].iter().all(|series| !store.is_damaged(SeriesId(*series), TimeRange::ALL)));
}

/// A day at rest: four series in chunks of three hours, the others slow ones in blocks. Its file, in which a page can be spoilt.
fn a_day_of(data: &Path, series: u32) -> (Arc<Pins>, Arc<Info>, PathBuf) {
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(data, Position(0), &pins, &info);
    let mut all = given(0..4, 20_000 * DAY, 80_000);
    all.columns.extend(given(4..series, 20_000 * DAY, 100).columns);
    left::seal(&store, &all, 1);
    tend_to_the_end(&store);
    (pins, info, data.join("store/2024-10-04.raw.0.sqlite"))
}

#[test]
fn an_index_that_cannot_be_read_costs_no_readings() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info, path) = a_day_of(dir.path(), 40);
    ["chunks_series", "blocks_metric"].iter().for_each(|index| remade::spoil_index(&path, index));
    let store = open(dir.path(), Position(1), &pins, &info);
    let expected: Vec<u64> = (0..40).map(|series| if series < 4 { 80_000 } else { 100 }).collect();
    let whole = |store: &EmbeddedStore, at| {
        let pin = pins.pin(Position(at));
        let read: Vec<_> = (0..40).map(|series| points(store, &pin, SeriesId(series), TimeRange::ALL, false).len() as u64).collect();
        let counted: Vec<_> = (0..40).map(|series| store.count(&pin, SeriesId(series), TimeRange::ALL).unwrap()).collect();
        let ids: Vec<_> = (0..40).map(SeriesId).collect();
        let extents: Vec<_> = store.extents(&pin, &ids).unwrap().unwrap().iter().map(|extent| extent.points).collect();
        assert_eq!((&read, &counted, &extents), (&expected, &expected, &expected), "as of {at}");
        let damaged: Vec<_> = (0..40).filter(|series| store.is_damaged(SeriesId(*series), TimeRange::ALL)).collect();
        assert_eq!(damaged, [0; 0], "{:?}", store.damages());
    };
    whole(&store, 1);
    assert!(store.damages().iter().any(|damage| damage.to_string().starts_with("2024-10-04.raw.0.sqlite: ")), "it is told");
    tend_to_the_end(&store);
    whole(&store, 1);
    let look = store.look_up(&pins.pin(Position(1)), SeriesId(7), &[20_000 * DAY + 99_000_000_000, 20_000 * DAY + 100_000_000_000]);
    assert!(matches!(look.unwrap()[..], [Some(Value::Float(_)), None]));
    // What comes late stands beside it.
    left::seal(&store, &given(50..51, 20_000 * DAY, 100), 2);
    whole(&store, 2);
    assert_eq!(points(&store, &pins.pin(Position(2)), SeriesId(50), TimeRange::ALL, false).len(), 100);
}

#[test]
fn where_an_index_and_a_page_cannot_be_read_the_rows_of_the_page_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info, path) = a_day_of(dir.path(), 4);
    let row: i64 = {
        let db = rusqlite::Connection::open(&path).unwrap();
        db.query_row("SELECT id FROM chunks WHERE series = 0 ORDER BY first LIMIT 1 OFFSET 2", [], |row| row.get(0)).unwrap()
    };
    spoil_leaf(&path, "chunks", row);
    remade::spoil_index(&path, "chunks_series");
    let store = open(dir.path(), Position(1), &pins, &info);
    let pin = pins.pin(Position(1));
    let counts: Vec<_> = (0..4).map(|series| points(&store, &pin, SeriesId(series), TimeRange::ALL, false).len()).collect();
    assert!(counts.iter().sum::<usize>() > 240_000 && counts[0] < 80_000, "{counts:?}");
    // Whose they were cannot be told.
    assert!((0..4).all(|series| store.is_damaged(SeriesId(series), TimeRange::ALL)));
    let told = store.damages().into_iter().find(|damage| damage.loses).unwrap();
    assert!(told.table == "chunks" && told.row <= row && told.what.contains("cannot be read"), "{told}");
}

#[test]
fn rows_that_are_numbered_far_up_are_found_behind_a_page_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let key = key::FileKey { day: 20_000, kind: FileKind::Raw, class: ClassId(0) };
    let file = dayfile::DayFile::made(dir.path(), key, 1);
    sql::create(&file.path).unwrap();
    file.prepare(true).unwrap();
    // As where nobody can say which numbers rollups name.
    let far = 1 << 40;
    file.number_behind(|| Ok(dayfile::Marks { own: far, many: 0 })).unwrap();
    let form = dayfile::Form::Own { series: SeriesId(0), times: None };
    let row = |i: u8| dayfile::NewRow { seal: Position(1), first: 0, last: 0, count: 1, form, body: vec![i; 300] };
    file.write("fill", |db| (1..=100).try_for_each(|i| dayfile::insert(db, &row(i), form))).unwrap();
    assert!(file.checkpoint().unwrap());
    file.close_idle();
    spoil_leaf(&file.path, "chunks", far + 1);
    let dayfile::Walked { rows, lost } = file.read("read one by one the rows of", |db| db.walk_own()).unwrap();
    let ids: Vec<_> = rows.iter().map(|entry| entry.id).collect();
    assert!((50..100).contains(&ids.len()), "{ids:?}");
    assert_eq!(ids, (ids[0]..=far + 100).collect::<Vec<_>>());
    assert_eq!(lost, [1..=ids[0] - 1]);
}

#[test]
fn a_page_that_cannot_be_read_costs_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info, path) = a_day_of(dir.path(), 40);
    let (row, first, count): (i64, i64, u32) = {
        let db = rusqlite::Connection::open(&path).unwrap();
        let sql = "SELECT id, first, count FROM chunks WHERE series = 0 ORDER BY first LIMIT 1 OFFSET 2";
        db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
    };
    spoil_leaf(&path, "chunks", row);
    let store = open(dir.path(), Position(1), &pins, &info);
    let pin = pins.pin(Position(1));
    let counts: Vec<_> = (0..40).map(|series| points(&store, &pin, SeriesId(series), TimeRange::ALL, false).len() as u64).collect();
    let lost: Vec<_> = (0..40).map(|series| if series < 4 { 80_000 } else { 100 } - counts[series]).collect();
    assert!(lost[0] >= u64::from(count) && lost.iter().sum::<u64>() < 80_000, "the rows of one page: {lost:?}");
    for series in 0..40 {
        let is_damaged = store.is_damaged(SeriesId(series), TimeRange::ALL);
        assert_eq!(is_damaged, lost[series as usize] > 0, "series {series}");
        assert_eq!(store.count(&pin, SeriesId(series), TimeRange::ALL).unwrap(), counts[series as usize]);
    }
    let found = store.unreadable(SeriesId(0), TimeRange { from: first, to: first + 1 });
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].why.starts_with(&format!("2024-10-04.raw.0.sqlite chunks row {row}: ")), "{found:?}");
    let whole = TimeRange { from: 20_000 * DAY, to: first - i64::from(8 * count) * 1_000_000_000 };
    assert_eq!(store.unreadable(SeriesId(0), whole), [], "what lies apart from it is whole");
}

/// What makes a page one of rows, of the page that a row is in.
pub(super) fn spoil_leaf(path: &Path, table: &str, row: i64) {
    let db = rusqlite::Connection::open(path).unwrap();
    let body: Vec<u8> = db.query_row(&format!("SELECT body FROM {table} WHERE id = ?1"), [row], |row| row.get(0)).unwrap();
    drop(db);
    let mut bytes = std::fs::read(path).unwrap();
    let page = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    let at = bytes.windows(body.len()).position(|window| window == body).expect("a body in one piece") / page * page;
    assert_eq!(bytes[at], 0x0d, "a leaf of a table");
    bytes[at] = 0xff;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn damage_is_told_of_the_series_and_the_time_it_lies_in() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    left::seal(&store, &left::of(&[0, 1, 2, 3, 4, 5], 20_000 * DAY, 60, 60 * left::SECOND), 1);
    tend_to_the_end(&store);
    let raw = store.files.all().into_iter().find(|file| file.key.kind == FileKind::Raw).unwrap();
    raw.write("damage", |db| db.execute("UPDATE blocks SET body = x'00' WHERE lo = 0", []).map(drop)).unwrap();
    let rollups = store.files.all().into_iter().find(|file| file.key.kind == FileKind::Rollup).unwrap();
    rollups.write("damage", |db| db.execute("UPDATE rollups SET body = x'00' WHERE lo = 2", []).map(drop)).unwrap();
    let raw = raw.key;
    drop((rollups, store));
    let store = open(dir.path(), Position(1), &pins, &info);
    let seen: Vec<_> = (0..6).map(|series| left::coarse(&store, &pins, series)).collect();
    assert_eq!(seen[1..], [(60, 0), (0, 60), (60, 0), (60, 0), (0, 60)], "readings answer for rollups");
    let read: Vec<_> = (0..6).map(|series| points(&store, &pins.pin(Position(1)), SeriesId(series), TimeRange::ALL, false).len()).collect();
    assert_eq!(read, [0, 60, 60, 0, 60, 60]);
    let damaged = |range| (0..6).filter(|series| store.is_damaged(SeriesId(*series), range)).collect::<Vec<_>>();
    assert_eq!(damaged(TimeRange::ALL), [0, 3], "series of another metric, or with rollups that are made anew, lack nothing");
    assert_eq!(damaged(TimeRange { from: 20_000 * DAY + HOUR, to: 20_001 * DAY }), [0; 0]);
    store.files.unlink(raw).unwrap();
    assert!(damaged(TimeRange::ALL).contains(&2), "when the readings are gone");
}
