//! Random commits (in order, late, rewritten, deleted, new series), random ticks, breaks, resumes and slow readers: at every cursor
//! a viewer's map is what history answered at that commit, unless a frame said `merged`. Each case prints its seed when it fails.

use std::collections::BTreeMap;

use super::super::cursor::Cursor;
use super::super::engine::Input;
use super::super::protocol::Encoding;
use super::client::{Client, Step};
use super::{NOW, World};
use crate::auth::access::Scope;
use crate::model::{Delete, SeriesId, TimeNs, Value};

const MS: i64 = 1_000_000;

struct Viewer {
    client: Client,
    select: &'static str,
    history: Option<i64>,
    max_hz: f64,
    mailbox_bytes: usize,
    /// Reads nothing for so many rounds.
    asleep: u32,
    connected: bool,
    /// The clock when its first snapshot was made lies in here.
    subscribed_at: TimeNs,
}

struct Run {
    seed: u64,
    rng: fastrand::Rng,
    world: World,
    ids: Vec<SeriesId>,
    viewers: Vec<Viewer>,
    checked: usize,
    resumed: usize,
    merged: usize,
}

fn matches(select: &str, name: &str) -> bool {
    select == "*/*" || name.starts_with(select.trim_end_matches("*/*"))
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let world = World::with_tail(if rng.bool() { 64 << 20 } else { 4_000 });
        Self { seed, rng, world, ids: Vec::new(), viewers: Vec::new(), checked: 0, resumed: 0, merged: 0 }
    }

    fn value(&mut self, id: SeriesId) -> Value {
        match id.0 % 4 {
            0 => Value::Int(self.rng.i64(-3..3)),
            1 => Value::Float(f64::from(self.rng.i32(-8000..8000)) / 8.0),
            2 => Value::Bool(self.rng.bool()),
            _ => Value::Text(format!("t{}", self.rng.u8(0..4)).into()),
        }
    }

    fn commit(&mut self) {
        if self.ids.is_empty() || (self.ids.len() < 12 && self.rng.u8(0..20) == 0) {
            let n = self.ids.len();
            let id = self.world.id(["a", "b", "c"][n % 3], &format!("m{n}"));
            self.ids.push(id);
        }
        let mut readings = Vec::new();
        for _ in 0..self.rng.usize(1..8) {
            let id = self.ids[self.rng.usize(0..self.ids.len())];
            let time = match self.rng.u8(0..10) {
                0 => self.world.clock.now() - self.rng.i64(0..20_000) * MS,
                1 => NOW - self.rng.i64(0..5_000) * MS,
                _ => self.world.clock.now() - self.rng.i64(0..50) * MS,
            };
            let value = self.value(id);
            readings.push((id, time, value));
        }
        let mut deletes = Vec::new();
        if self.rng.u8(0..25) == 0 {
            let from = self.world.clock.now() - self.rng.i64(0..15_000) * MS;
            let series = self.ids[self.rng.usize(0..self.ids.len())];
            deletes.push(Delete { series, from, to: from + self.rng.i64(0..4_000) * MS });
        }
        self.world.commit(&deletes, &readings);
    }

    fn subscribe(&mut self, index: usize) {
        let (encoding, bytes) = (self.viewers[index].client.outbox.encoding, self.viewers[index].mailbox_bytes);
        let outbox = self.world.open(encoding, bytes);
        let viewer = &mut self.viewers[index];
        let cursor = viewer.client.cursor.clone().filter(|_| viewer.client.merged == 0);
        viewer.client.reconnect(outbox);
        let history = viewer.history.map_or(String::new(), |ms| format!(r#","history":"{ms}ms""#));
        let cursor = cursor.map_or(String::new(), |cursor| format!(r#","cursor":"{cursor}""#));
        let text = format!(r#"{{"type":"subscribe","id":"s","select":["{}"],"max_hz":{}{history}{cursor}}}"#, viewer.select, viewer.max_hz);
        (viewer.connected, viewer.subscribed_at) = (true, self.world.clock.now());
        let id = viewer.client.outbox.viewer;
        self.world.send(id, Scope::default(), &text);
    }

    fn disconnect(&mut self, index: usize) {
        self.viewers[index].connected = false;
        let viewer = self.viewers[index].client.outbox.viewer;
        self.world.engine.on_input(Input::Gone(viewer), self.world.now_ns);
    }

    /// Reads what has come; sometimes the line breaks between two messages.
    fn read(&mut self, index: usize, may_break: bool) {
        while let Some(message) = self.viewers[index].client.next() {
            let viewer = &mut self.viewers[index];
            let fresh = message["type"] == "snapshot" && message["recovered"] == false;
            if message["type"] == "snapshot" && message["recovered"] == true {
                self.resumed += 1;
            }
            let step = viewer.client.apply(&message);
            if fresh && let Some(history) = viewer.history {
                // The start is the same for all series of the snapshot, but its making is only known to within a tick:
                // the later bound is safe for the check.
                let latest = self.world.clock.now() - history * MS;
                for name in viewer.client.names.values() {
                    viewer.client.start.insert(name.clone(), latest);
                }
            }
            self.merged += usize::from(message["merged"].is_u64());
            if let Step::At(cursor) = step {
                self.check(index, cursor);
            }
            if may_break && self.rng.u8(0..60) == 0 {
                self.disconnect(index);
                return;
            }
        }
    }

    fn check(&mut self, index: usize, cursor: Cursor) {
        let client = &self.viewers[index].client;
        if client.merged > 0 {
            return;
        }
        self.checked += 1;
        let truth = &self.world.truth[usize::try_from(cursor.position.0).unwrap()];
        for id in &self.ids {
            let series = self.world.series.by_id(*id).unwrap();
            let name = format!("{}/{}", series.key.device, series.key.metric);
            if !matches(self.viewers[index].select, &name) {
                continue;
            }
            let start = client.start.get(&name).copied().unwrap_or(TimeNs::MIN);
            let from_start = |points: Option<&BTreeMap<TimeNs, Value>>| -> Vec<(TimeNs, Value)> {
                points.into_iter().flatten().filter(|(time, _)| **time >= start).map(|(t, v)| (*t, v.clone())).collect()
            };
            let (has, should) = (from_start(client.points.get(&name)), from_start(truth.get(id)));
            let differ = |a: &[(TimeNs, Value)], b: &[(TimeNs, Value)]| a.iter().filter(|p| !b.contains(p)).cloned().collect::<Vec<_>>();
            let (more, less) = (differ(&has, &should), differ(&should, &has));
            assert!(
                more.is_empty() && less.is_empty(),
                "seed {}, viewer {index}, {name} at {cursor}: has {more:?} instead of {less:?} since {start}; {:?}",
                self.seed,
                &client.log[client.log.len().saturating_sub(9)..]
            );
        }
    }

    fn round(&mut self) {
        for _ in 0..self.rng.usize(0..4) {
            self.commit();
        }
        match self.rng.u8(0..40) {
            0 if self.viewers.len() < 8 => self.newcomer(),
            1 if !self.viewers.is_empty() => {
                let index = self.rng.usize(0..self.viewers.len());
                self.viewers[index].asleep = self.rng.u32(5..60);
            }
            2 => {
                let newest = self.world.truth.len() as u64 - 1;
                let keep = self.rng.u64(0..30);
                self.world.log.oldest.store(newest.saturating_sub(keep), std::sync::atomic::Ordering::Relaxed);
            }
            3 | 4 => self.world.seal(),
            _ => {}
        }
        let ms = self.rng.u64(0..70);
        self.world.advance(ms);
        if self.rng.u8(0..3) > 0 {
            self.world.run_jobs();
        }
        for index in 0..self.viewers.len() {
            if !self.viewers[index].connected {
                if self.rng.u8(0..10) == 0 {
                    self.subscribe(index);
                }
            } else if self.viewers[index].asleep > 0 {
                self.viewers[index].asleep -= 1;
            } else {
                self.read(index, true);
            }
        }
    }

    fn newcomer(&mut self) {
        let encoding = [Encoding::Json, Encoding::MsgPack, Encoding::Events][self.rng.usize(0..3)];
        let mailbox_bytes = if self.rng.bool() { 1 << 20 } else { 3_000 };
        let outbox = self.world.open(encoding, mailbox_bytes);
        let viewer = Viewer {
            client: Client::new(outbox),
            select: ["*/*", "a*/*", "*/*"][self.rng.usize(0..3)],
            history: self.rng.bool().then(|| [3_000, 3_000, 60_000][self.rng.usize(0..3)]),
            max_hz: [0.5, 10.0, 10.0, 60.0][self.rng.usize(0..4)],
            mailbox_bytes,
            asleep: 0,
            connected: false,
            subscribed_at: 0,
        };
        self.viewers.push(viewer);
    }

    /// All quiet: everyone reads to the end and stands at the newest commit that concerns it.
    fn finish(&mut self) {
        for _ in 0..5 {
            self.world.advance(20_000);
            self.world.run_jobs();
        }
        let newest = Cursor { epoch: super::EPOCH, position: crate::model::Position(self.world.truth.len() as u64 - 1), attributes: None };
        for index in 0..self.viewers.len() {
            if self.viewers[index].connected {
                self.read(index, false);
                self.check(index, newest);
            }
        }
    }
}

#[test]
fn at_every_cursor_the_map_is_what_history_was() {
    let (mut checked, mut resumed, mut merged) = (0, 0, 0);
    for seed in 0..30 {
        let mut run = Run::new(seed);
        for _ in 0..250 {
            run.round();
        }
        run.finish();
        checked += run.checked;
        resumed += run.resumed;
        merged += run.merged;
    }
    // The run is worth something only if it went through all of these.
    assert!(checked > 3_000 && resumed > 20 && merged > 20, "{checked} cursors checked, {resumed} resumes, {merged} merged frames");
}
