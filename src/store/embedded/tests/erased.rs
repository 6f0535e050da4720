//! Deletes of many series in rollups whose readings are gone.

use super::left::{SECOND, coarse, of, seal, tend};
use super::*;

const FIRST: TimeNs = 20_000 * DAY;
const CLOSED: TimeNs = FIRST + 5 * DAY;

/// They lie in the same rows: written for each delete anew, a day of a thousand series would be written a thousand times.
#[test]
fn a_delete_of_many_series_writes_each_row_once() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    let ids: Vec<u32> = (0..300).map(|i| i * 3).collect();
    seal(&store, &of(&ids, FIRST, 300, 120 * SECOND), 1);
    tend(&store, CLOSED);
    let key = |kind| store.files.all().iter().map(|file| file.key).find(|key| key.kind == kind).unwrap();
    let raw = key(FileKind::Raw);
    store.drop_until(raw, raw.last_time() + 1).unwrap();
    store.files.unlink(raw).unwrap();
    let rows = || {
        let walked = store.files.get(key(FileKind::Rollup)).unwrap().read("list rollups of", |db| db.walk_rollups()).unwrap();
        (walked.rows.len(), walked.rows.iter().map(|(_, head)| head.id).max().unwrap())
    };
    let (count, last) = rows();
    // All but two of them, and three hours; the rest of a row stays as it is.
    let delete = |id: &u32| Delete { series: SeriesId(*id), from: FIRST + HOUR, to: FIRST + 4 * HOUR - 1 };
    let deletes = ids[1..299].iter().map(|id| PositionedDelete { position: Position(2), delete: delete(id) }).collect();
    seal(&store, &Given { columns: BTreeMap::new(), deletes }, 3);
    tend(&store, CLOSED);
    assert_eq!(store.tombs.up_to(Position(100)), [], "they hide nothing any more");
    assert_eq!([ids[0], ids[1], ids[150], ids[299]].map(|id| coarse(&store, &pins, id).0), [300, 210, 210, 300]);
    assert_eq!((rows().0, rows().1 - last), (count, i64::try_from(count).unwrap()), "rows, and how many were written");
}
