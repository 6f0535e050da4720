//! Twenty thousand viewers that come and go in every way there is, and nothing of them is left: no subscription, no group, no byte of a
//! mailbox or a snapshot, no connection, no thread, no file descriptor.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use serde_json::json;

use super::hub::Hub;
use super::viewer::Viewer;

const CONNECTS: usize = 20_000;
const THREADS: usize = 8;

/// The gauges of `/metrics` that must be back where they were.
const GAUGES: [&str; 6] =
    ["viewers_open", "live_subscriptions", "live_groups", "live_mailbox_bytes", "live_snapshot_bytes", "long_answers"];

fn gauges(hub: &Hub) -> BTreeMap<&'static str, u64> {
    let (status, text) = hub.ask("/metrics");
    assert_eq!(status, 200);
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("telltale_{name} "))).unwrap_or_else(|| panic!("no {name}"));
        line.parse().unwrap()
    };
    GAUGES.into_iter().map(|name| (name, value(name))).collect()
}

/// File descriptors and threads of the hub.
fn held(hub: &Hub) -> (usize, usize) {
    let count = |of: &str| std::fs::read_dir(format!("/proc/{}/{of}", hub.pid().as_raw_nonzero())).unwrap().count();
    (count("fd"), count("task"))
}

/// Has the connection reset when it is dropped: nothing waits for its last bytes, and no port is held for a minute.
fn abort(viewer: &Viewer) {
    socket2::SockRef::from(&viewer.0).set_linger(Some(Duration::ZERO)).unwrap();
}

fn subscribe(viewer: &mut Viewer, id: &str) {
    viewer.say(&json!({"type": "subscribe", "id": id, "select": ["*/*"], "history": "1h"}));
}

/// One viewer; `kind` is how it goes.
fn visit(address: &str, token: &str, kind: usize) {
    match kind % 9 {
        // Reads its snapshot and closes as it should.
        0 => {
            let mut viewer = Viewer::connect(address, token);
            subscribe(&mut viewer, "a");
            assert_eq!(viewer.next().unwrap()["type"], "snapshot");
            viewer.send(0x88, &1000_u16.to_be_bytes());
            while viewer.next().is_some() {}
            abort(&viewer);
        }
        // In the middle of the snapshot, of which it took a part.
        1 => {
            let mut viewer = Viewer::connect(address, token);
            subscribe(&mut viewer, "a");
            viewer.0.read_exact(&mut [0; 2_000]).unwrap();
            abort(&viewer);
        }
        // Before anything was answered.
        2 => {
            let mut viewer = Viewer::connect(address, token);
            (0..5).for_each(|id| subscribe(&mut viewer, &id.to_string()));
            abort(&viewer);
        }
        // Closes its half, and then the other.
        3 => {
            let mut viewer = Viewer::connect(address, token);
            subscribe(&mut viewer, "a");
            viewer.0.shutdown(Shutdown::Write).unwrap();
            let mut rest = Vec::new();
            let _reset = viewer.0.read_to_end(&mut rest);
            abort(&viewer);
        }
        // A message of which only a part came.
        4 => {
            let mut viewer = Viewer::connect(address, token);
            viewer.0.write_all(&[0x81, 0xfe, 0x10, 0, 0, 0, 0, 0, b'{']).unwrap();
            abort(&viewer);
        }
        // A handshake of which only a part came, and one whose answer nobody read.
        5 => {
            let mut viewer = Viewer::dial(address);
            viewer.0.write_all(b"GET /api/v1/live HTTP/1.1\r\nHost: x\r\nUpgra").unwrap();
            abort(&viewer);
        }
        6 => {
            let mut viewer = Viewer::dial(address);
            viewer.shake(address, token);
            abort(&viewer);
        }
        // Subscribes and unsubscribes, the same id again.
        7 => {
            let mut viewer = Viewer::connect(address, token);
            for _ in 0..3 {
                subscribe(&mut viewer, "a");
                viewer.say(&json!({"type": "unsubscribe", "id": "a"}));
            }
            subscribe(&mut viewer, "a");
            abort(&viewer);
        }
        // A stream of events, which the hub does not read from.
        _ => {
            let mut viewer = Viewer::dial(address);
            let request = format!("GET /api/v1/live/sse?select=*/* HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n");
            viewer.0.write_all(request.as_bytes()).unwrap();
            viewer.0.read_exact(&mut [0; 12]).unwrap();
            abort(&viewer);
        }
    }
}

#[test]
fn twenty_thousand_viewers_leave_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    // Enough that a snapshot comes in parts.
    let now = jiff::Timestamp::now().as_second();
    let lines: String = (0..20_000).map(|i| format!("m,device_id=d{} v={i} {}\n", i % 20, now - 1_800 + i / 20)).collect();
    let url = format!("http://{}/api/v2/write?precision=s", hub.address);
    ureq::post(url).header("Authorization", format!("Bearer {}", hub.admin)).send(lines).unwrap();
    // Whatever is made on first use is there before the count.
    (0..9).for_each(|kind| visit(&hub.address, &hub.admin, kind));
    let (before, (files, threads)) = settled(&hub, None);
    assert!(before.values().all(|value| *value == 0), "{before:?}");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let hub = &hub;
            scope.spawn(move || (0..CONNECTS / THREADS).for_each(|i| visit(&hub.address, &hub.admin, thread + i)));
        }
    });
    let (after, (files_after, threads_after)) = settled(&hub, Some(files));
    assert_eq!(after, before);
    // The thread pool may have grown to its bound; connections have none of their own.
    assert!(
        files_after <= files + 4 && threads_after <= threads + 8,
        "{files} -> {files_after} files, {threads} -> {threads_after} threads"
    );
}

/// The counts when the last visitor is noticed; on a stream of events that is when something is written.
fn settled(hub: &Hub, files: Option<usize>) -> (BTreeMap<&'static str, u64>, (usize, usize)) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (gauges, held) = (gauges(hub), held(hub));
        if gauges.values().all(|value| *value == 0) && files.is_none_or(|files| held.0 <= files + 4) {
            return (gauges, held);
        }
        assert!(Instant::now() < deadline, "still {gauges:?}, (files, threads) {held:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
