//! The model by itself: which states a cut can leave, and which not.

use std::collections::BTreeSet;

use super::*;

fn path() -> String {
    "a".to_owned()
}

fn write(offset: u64, bytes: &[u8]) -> Event {
    Event::Write { inode: 1, path: path(), offset, bytes: bytes.to_vec() }
}

/// Every state of file `a` that ten thousand cuts leave, as its bytes; "-" where it is not there.
fn states(events: &[Event]) -> BTreeSet<String> {
    let mut disk = Disk::default();
    disk.advance(events, events.len());
    let mut rng = fastrand::Rng::with_seed(1);
    let text = |state: State| match state.0.get("a") {
        Some(Some(bytes)) => String::from_utf8_lossy(bytes).replace('\0', "0"),
        _ => "-".to_owned(),
    };
    (0..10_000).map(|_| text(disk.after_a_cut(&mut rng))).collect()
}

#[test]
fn what_is_not_synced_may_be_there_or_not() {
    let (create, sync) = (Event::Create { inode: 1, path: path() }, Event::Sync { inode: 1, path: path() });
    let dir = Event::SyncDir { path: String::new() };
    let rows: [(&[Event], &[&str]); 6] = [
        (std::slice::from_ref(&create), &["", "-"]),
        (&[create.clone(), dir.clone()], &[""]),
        (&[create.clone(), write(0, b"x"), sync.clone()], &["-", "x"]),
        (&[create.clone(), write(0, b"x"), sync.clone(), dir.clone(), write(0, b"y")], &["x", "y"]),
        (&[create.clone(), dir.clone(), sync.clone(), write(0, b"x"), write(1, b"y")], &["", "0", "00", "0y", "x", "x0", "xy"]),
        (&[create.clone(), dir, write(0, b"xy"), sync, Event::SetLen { inode: 1, path: path(), len: 1 }], &["x", "xy"]),
    ];
    for (events, expected) in rows {
        assert_eq!(states(events), expected.iter().map(|&text| text.to_owned()).collect(), "{events:?}");
    }
}

#[test]
fn a_rename_is_whole() {
    let create = |inode, path: &str| Event::Create { inode, path: path.to_owned() };
    let sync = |inode| Event::Sync { inode, path: String::new() };
    let new = Event::Write { inode: 2, path: "b".to_owned(), offset: 0, bytes: b"new".to_vec() };
    let rename = Event::Rename { from: "b".to_owned(), to: path() };
    let events = [create(1, "a"), write(0, b"old"), sync(1), create(2, "b"), new, sync(2), Event::SyncDir { path: String::new() }, rename];
    assert_eq!(states(&events), ["new".to_owned(), "old".to_owned()].into());
}

#[test]
fn a_write_is_torn_between_blocks() {
    let events = [
        Event::Create { inode: 1, path: path() },
        Event::SyncDir { path: String::new() },
        write(0, &[b'.'; 1024]),
        Event::Sync { inode: 1, path: path() },
        write(0, &[b'x'; 1024]),
    ];
    let halves = |state: &String| format!("{}{}", &state[..1], &state[512..513]);
    let found: BTreeSet<_> = states(&events).iter().map(halves).collect();
    assert_eq!(found, ["..", ".x", "x.", "xx"].map(str::to_owned).into());
}
