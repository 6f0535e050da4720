//! A thousand breaks of screens with several subscriptions, from none to two hours long, under load: late rows, rewrites, deletes, new
//! series, seals, a log that is trimmed by age and by bytes, hubs that start anew. Wherever a screen stands, what it holds is what an
//! export says of that commit, in the order of an export, unless it was told `recovered:false` or `merged`. Failures print their seed.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde_json::Value as Json;

use super::super::cursor::Cursor;
use super::super::engine::Input;
use super::super::protocol::Encoding;
use super::client::{Client, Step};
use super::rules::MS;
use super::{EPOCH, World};
use crate::auth::access::Scope;
use crate::model::{Delete, Position, SeriesId, TimeNs, Value};

const HOUR_MS: u64 = 3_600_000;

/// A selector, the part of names it means, and how far back its history goes in ms.
type Ask = (&'static str, &'static str, Option<i64>);

const ASKS: [Ask; 5] = [
    ("*/*", "", None),
    ("*/*", "", Some(900_000)),
    ("a*/*", "a", Some(3 * 3_600_000)),
    ("b*/*", "b", None),
    ("*/m1*", "/m1", Some(60_000)),
];

/// One connection with a subscription for each of its asks; `clients[i]` holds what the subscription `i` was sent.
struct Screen {
    clients: Vec<Client>,
    asks: Vec<Ask>,
    encoding: Encoding,
    mailbox_bytes: usize,
    /// The clock when it comes back. None: it is there.
    back_at: Option<TimeNs>,
    asleep: u32,
}

#[derive(Debug, Default)]
struct Counts {
    breaks: usize,
    checked: usize,
    recovered: usize,
    anew: usize,
    merged: usize,
    hours: u64,
}

struct Storm {
    seed: u64,
    rng: fastrand::Rng,
    world: World,
    ids: Vec<SeriesId>,
    screens: Vec<Screen>,
    /// Times are not whole microseconds, which only MessagePack carries.
    nanoseconds: bool,
    keep_commits: u64,
    /// When each position was committed.
    walls: Vec<TimeNs>,
    counts: Counts,
}

impl Storm {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let world = World::with_tail([64 << 20, 6_000][usize::from(rng.bool())]);
        let keep_commits = [u64::MAX, 40, 10][rng.usize(0..3)];
        let (nanoseconds, counts) = (rng.bool(), Counts::default());
        let mut storm = Self { seed, rng, world, ids: Vec::new(), screens: Vec::new(), nanoseconds, keep_commits, walls: vec![0], counts };
        (0..5).for_each(|_| storm.commit());
        (0..6).for_each(|_| storm.screen());
        storm
    }

    fn screen(&mut self) {
        let encodings = if self.nanoseconds { &[Encoding::MsgPack][..] } else { &[Encoding::Json, Encoding::MsgPack] };
        let encoding = encodings[self.rng.usize(0..encodings.len())];
        let mailbox_bytes = if self.rng.u8(0..4) > 0 { 1 << 20 } else { 4_000 };
        let asks: Vec<Ask> = (0..self.rng.usize(1..4)).map(|_| ASKS[self.rng.usize(0..ASKS.len())]).collect();
        let outbox = self.world.open(encoding, mailbox_bytes);
        self.world.engine.on_input(Input::Gone(outbox.viewer), self.world.now_ns);
        let clients = asks.iter().map(|_| Client::new(outbox.clone())).collect();
        self.screens.push(Screen { clients, asks, encoding, mailbox_bytes, back_at: Some(0), asleep: 0 });
    }

    fn time(&mut self, before: TimeNs) -> TimeNs {
        let time = self.world.clock.now() - self.rng.i64(0..before.max(1));
        if self.nanoseconds { time } else { time / 1_000 * 1_000 }
    }

    fn value(&mut self, id: SeriesId) -> Value {
        match id.0 % 4 {
            0 => Value::Int(self.rng.i64(-3..3) << self.rng.u32(0..60)),
            1 => Value::Float(f64::from(self.rng.i32(-8_000..8_000)) / 8.0),
            2 => Value::Bool(self.rng.bool()),
            _ => Value::Text(format!("t{}", self.rng.u8(0..4)).into()),
        }
    }

    fn commit(&mut self) {
        if self.ids.len() < 12 && self.rng.u8(0..4) == 0 || self.ids.is_empty() {
            let n = self.ids.len();
            let id = self.world.id(["a", "b", "c"][n % 3], &format!("m{n}"));
            self.ids.push(id);
        }
        let mut readings = Vec::new();
        for _ in 0..self.rng.usize(1..7) {
            let id = self.ids[self.rng.usize(0..self.ids.len())];
            let before = [50, 50, 50, 20_000, 7_200_000][self.rng.usize(0..5)] * MS;
            let old: Vec<TimeNs> = self.world.truth.last().unwrap().get(&id).into_iter().flatten().map(|(time, _)| *time).collect();
            let rewrites = !old.is_empty() && self.rng.u8(0..8) == 0;
            let time = if rewrites { old[self.rng.usize(0..old.len())] } else { self.time(before) };
            let value = self.value(id);
            readings.push((id, time, value));
        }
        let mut deletes = Vec::new();
        if self.rng.u8(0..15) == 0 {
            let from = self.time(3_600_000 * MS);
            let series = self.ids[self.rng.usize(0..self.ids.len())];
            deletes.push(Delete { series, from, to: from + self.rng.i64(0..600_000) * MS });
        }
        self.world.commit(&deletes, &readings);
        self.walls.push(self.world.clock.now());
    }

    fn come_back(&mut self, index: usize) {
        let outbox = self.world.open(self.screens[index].encoding, self.screens[index].mailbox_bytes);
        self.screens[index].back_at = None;
        for (i, (select, _, history)) in self.screens[index].asks.clone().into_iter().enumerate() {
            let client = &mut self.screens[index].clients[i];
            let cursor = client.cursor.clone().filter(|_| client.merged == 0);
            client.reconnect(outbox.clone());
            let history = history.map_or(String::new(), |ms| format!(r#","history":"{ms}ms""#));
            let cursor = cursor.map_or(String::new(), |cursor| format!(r#","cursor":"{cursor}""#));
            let text = format!(r#"{{"type":"subscribe","id":"{i}","select":["{select}"]{history}{cursor}}}"#);
            self.world.send(outbox.viewer, Scope::default(), &text);
        }
    }

    /// None to two hours; short ones as often as long ones.
    fn cut(&mut self, index: usize) {
        let most = [1, 100, 10_000, 600_000, 2 * HOUR_MS][self.rng.usize(0..5)];
        let away = self.rng.u64(0..most);
        self.counts.breaks += 1;
        self.screens[index].back_at = Some(self.world.clock.now() + i64::try_from(away).unwrap() * MS);
        let viewer = self.screens[index].clients[0].outbox.viewer;
        self.world.engine.on_input(Input::Gone(viewer), self.world.now_ns);
    }

    /// Reads what has come, and may be cut off between any two messages.
    fn read(&mut self, index: usize, may_break: bool) {
        while let Some(message) = self.screens[index].clients[0].next() {
            self.apply(index, &message);
            if may_break && self.rng.u8(0..24) == 0 {
                return self.cut(index);
            }
        }
        if may_break && self.rng.u8(0..10) == 0 {
            self.cut(index);
        }
    }

    fn apply(&mut self, index: usize, message: &Json) {
        let of: usize = message["id"].as_str().unwrap().parse().unwrap();
        let ask = self.screens[index].asks[of];
        let client = &mut self.screens[index].clients[of];
        let step = client.apply(message);
        self.counts.merged += usize::from(message["merged"].is_u64());
        if message["type"] == "snapshot" {
            let recovered = message["recovered"] == true;
            self.counts.recovered += usize::from(recovered);
            self.counts.anew += usize::from(!recovered && client.log.contains(&"reconnect".to_owned()));
            if let Some(history) = ask.2.filter(|_| !recovered) {
                // When it was made is known to within a step: the later bound is safe.
                let latest = self.world.clock.now() - history * MS;
                client.start = client.names.values().map(|name| (name.clone(), latest)).collect();
            }
        }
        if let Step::At(cursor) = step {
            self.check(index, of, cursor);
        }
    }

    /// Both in the order of an export: by name, then by time.
    fn check(&mut self, index: usize, of: usize, cursor: Cursor) {
        let screen = &self.screens[index];
        let (client, (_, part, _)) = (&screen.clients[of], screen.asks[of]);
        if client.merged > 0 {
            return;
        }
        self.counts.checked += 1;
        let truth = &self.world.truth[usize::try_from(cursor.position.0).unwrap()];
        let mut export: BTreeMap<String, BTreeMap<TimeNs, Value>> = BTreeMap::new();
        for id in &self.ids {
            let key = self.world.series.by_id(*id).unwrap().key.clone();
            let name = format!("{}/{}", key.device, key.metric);
            if if part.starts_with('/') { name.contains(part) } else { name.starts_with(part) } {
                export.insert(name, truth.get(id).cloned().unwrap_or_default());
            }
        }
        let lines = |points: &BTreeMap<String, BTreeMap<TimeNs, Value>>| -> Vec<String> {
            let since = |name: &String| client.start.get(name).copied().unwrap_or(TimeNs::MIN);
            points.iter().flat_map(|(name, of)| of.range(since(name)..).map(move |(t, v)| format!("{name} {t} {v:?}"))).collect()
        };
        let (has, should) = (lines(&client.points), lines(&export));
        let differ = |a: &[String], b: &[String]| a.iter().filter(|line| !b.contains(line)).cloned().collect::<Vec<_>>();
        assert!(
            has == should,
            "seed {}, screen {index}/{of} {:?} at {cursor}: has {:?} instead of {:?}; {:?}",
            self.seed,
            screen.asks[of],
            differ(&has, &should),
            differ(&should, &has),
            &client.log[client.log.len().saturating_sub(9)..]
        );
    }

    fn round(&mut self) {
        (0..self.rng.usize(0..4)).for_each(|_| self.commit());
        let ms = match self.rng.u8(0..12) {
            0 => self.rng.u64(0..HOUR_MS / 2),
            1 | 2 => self.rng.u64(0..30_000),
            _ => self.rng.u64(0..200),
        };
        self.counts.hours += ms;
        self.world.advance(ms);
        if self.rng.u8(0..3) > 0 {
            self.world.run_jobs();
        }
        match self.rng.u8(0..30) {
            0 | 1 => self.world.seal(),
            2 => self.start_anew(),
            _ => {}
        }
        self.trim();
        let now = self.world.clock.now();
        for index in 0..self.screens.len() {
            match self.screens[index].back_at {
                Some(back_at) if back_at <= now => self.come_back(index),
                Some(_) => {}
                None if self.screens[index].asleep > 0 => self.screens[index].asleep -= 1,
                None => self.read(index, true),
            }
            if self.rng.u8(0..40) == 0 {
                self.screens[index].asleep = self.rng.u32(1..20);
            }
        }
    }

    /// As `[log] keep_for` and `keep_bytes` do it.
    fn trim(&self) {
        let newest = self.walls.len() as u64 - 1;
        let two_hours = self.world.clock.now() - 2 * i64::try_from(HOUR_MS).unwrap() * MS;
        let by_age = self.walls.partition_point(|wall| *wall < two_hours) as u64;
        let oldest = by_age.saturating_sub(1).max(newest.saturating_sub(self.keep_commits));
        self.world.log.oldest.fetch_max(oldest, Ordering::Relaxed);
    }

    /// The hub ends, and with it every connection.
    fn start_anew(&mut self) {
        self.world.jobs.lock().clear();
        self.world.restart();
        for screen in &mut self.screens {
            if screen.back_at.is_none() {
                self.counts.breaks += 1;
                screen.back_at = Some(self.world.clock.now());
            }
        }
    }

    /// All come back, read to the end and stand at the newest commit.
    fn finish(&mut self) {
        for index in 0..self.screens.len() {
            if self.screens[index].back_at.is_some() {
                self.come_back(index);
            }
        }
        for _ in 0..4 {
            self.world.advance(20_000);
            self.world.run_jobs();
        }
        let newest = Cursor { epoch: EPOCH, position: Position(self.world.truth.len() as u64 - 1), attributes: None };
        for index in 0..self.screens.len() {
            self.read(index, false);
            (0..self.screens[index].clients.len()).for_each(|of| self.check(index, of, newest));
        }
    }
}

#[test]
fn a_thousand_breaks_of_up_to_two_hours() {
    let mut sum = Counts::default();
    for seed in 0..16 {
        let mut storm = Storm::new(seed);
        while storm.counts.breaks < 65 {
            storm.round();
        }
        storm.finish();
        let Counts { breaks, checked, recovered, anew, merged, hours } = storm.counts;
        sum.breaks += breaks;
        sum.checked += checked;
        sum.recovered += recovered;
        sum.anew += anew;
        sum.merged += merged;
        sum.hours += hours / HOUR_MS;
    }
    // The run is worth something only if it went through all of these.
    let Counts { breaks, checked, recovered, anew, merged, hours } = sum;
    assert!(breaks >= 1_000 && hours > 40, "{sum:?}");
    assert!(checked > 3_000 && recovered > 300 && anew > 100 && merged > 30, "{sum:?}");
}
