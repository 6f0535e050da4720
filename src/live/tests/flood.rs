//! Far more than a viewer takes: 10,000 readings a second, and a viewer that reads once a second.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::protocol::Encoding;
use super::client::Client;
use super::rules::MS;
use super::{NOW, World};
use crate::auth::access::Scope;
use crate::limits::MAILBOX_BYTES;
use crate::model::{BatchPart, Commit, Position, Reading, SeriesId, TimeNs, Value};

const SERIES: usize = 10;
const A_SECOND: i64 = 10_000;

/// What one column holds: smallest, largest, last.
type Column = (i64, i64, i64);

struct Flood {
    world: World,
    ids: Vec<SeriesId>,
    sent: i64,
}

impl Flood {
    fn new() -> Self {
        let mut world = World::with_tail(1 << 20);
        let ids: Vec<SeriesId> = (0..SERIES).map(|i| world.id("d", &format!("m{i}"))).collect();
        let first: Vec<_> = ids.iter().map(|id| (*id, NOW - 100_000 * MS, Value::Int(0))).collect();
        world.commit(&[], &first);
        Self { world, ids, sent: 0 }
    }

    /// One tick's readings, 100 of each series a second and ten at a time; says what they were.
    fn tenth(&mut self, each: &mut dyn FnMut(usize, TimeNs, i64)) {
        let now = self.world.clock.now();
        let per_series = A_SECOND / 10 / SERIES as i64;
        let mut readings = Vec::new();
        for (index, series) in self.ids.iter().enumerate() {
            for k in 0..per_series {
                self.sent += 1;
                let (time, value) = (now + (k + 1) * 100 * MS / per_series, (self.sent * 7_919 + index as i64) % 100_003);
                each(index, time, value);
                readings.push(Reading { series: *series, time, value: Value::Int(value) });
            }
        }
        let position = Position(self.world.truth.len() as u64);
        self.world.truth.push(Arc::clone(&self.world.truth[0]));
        let parts = vec![BatchPart { agent: None, received: now, end: readings.len() }];
        let commit = Arc::new(Commit { position, wall: now, parts, readings, ..Commit::default() });
        self.world.head.apply(&commit, &[], || drop(self.world.tail.push(Arc::clone(&commit))));
        self.world.advance(100);
    }
}

/// Ten minutes for a viewer of 300 pixels, and one for a viewer of every reading; both hold what the contract promises.
#[test]
fn a_viewer_that_reads_once_a_second_has_each_column_s_extremes_and_the_newest_value() {
    for (pixels, seconds) in [(None, 60), (Some(300), 600)] {
        let mut flood = Flood::new();
        let mut client = Client::new(flood.world.open(Encoding::MsgPack, MAILBOX_BYTES));
        let points = pixels.map_or(String::new(), |pixels| format!(r#","history":"10m","points":{pixels}"#));
        let text = format!(r#"{{"type":"subscribe","id":"s","select":["*/*"]{points}}}"#);
        flood.world.turn();
        flood.world.send(client.outbox.viewer, Scope::default(), &text);
        flood.world.turn();
        let width = pixels.map_or(1_000 * MS, |pixels| 600_000 * MS / pixels);
        let (mut raw, mut last) = (BTreeMap::<(usize, i64), Column>::new(), [0; SERIES]);
        let mut most = 0;
        for second in 0..seconds {
            for _ in 0..10 {
                flood.tenth(&mut |series, time, value| {
                    let column = raw.entry((series, time.div_euclid(width))).or_insert((value, value, value));
                    *column = (column.0.min(value), column.1.max(value), value);
                    last[series] = value;
                });
            }
            flood.world.run_jobs();
            most = most.max(client.outbox.weight());
            while let Some(message) = client.next() {
                client.apply(&message);
            }
            for (series, last) in last.iter().enumerate() {
                let held = &client.points[&format!("d/m{series}")];
                assert_eq!(held.last_key_value().map(|(_, value)| value), Some(&Value::Int(*last)), "second {second}");
            }
            // The hub keeps no more of the past than it needs for this viewer.
            if second % 60 == 59 {
                flood.world.seal();
            }
        }
        assert!(most <= MAILBOX_BYTES + (256 << 10), "{most} bytes waited, pixels {pixels:?}");
        check(&client, &raw, width, pixels.is_some());
        let held: usize = client.points.values().map(BTreeMap::len).sum();
        assert_eq!(held as u64 + client.merged, flood.sent as u64 + SERIES as u64, "pixels {pixels:?}");
    }
}

fn check(client: &Client, raw: &BTreeMap<(usize, i64), Column>, width: i64, exactly: bool) {
    let newest = raw.keys().map(|(_, column)| *column).max();
    let mut held: BTreeMap<(usize, i64), Vec<i64>> = BTreeMap::new();
    for series in 0..SERIES {
        for (time, value) in client.points[&format!("d/m{series}")].range(NOW + 1..) {
            let Value::Int(value) = value else { panic!("integers") };
            held.entry((series, time.div_euclid(width))).or_default().push(*value);
        }
    }
    for (key, (least, greatest, last)) in raw {
        let held = &held[key];
        let found = (held.iter().min().copied(), held.iter().max().copied(), held.last().copied());
        assert_eq!(found, (Some(*least), Some(*greatest), Some(*last)), "{key:?}");
        assert!(!exactly || Some(key.1) == newest || held.len() <= 4, "{key:?}: {} readings", held.len());
    }
}
