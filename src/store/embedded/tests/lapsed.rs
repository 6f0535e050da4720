//! Days lose readings while others come late, are deleted and change their class: what was summed up is told as long as nothing deletes it.

use super::left::{SECOND, seal};
use super::*;

const FIRST: TimeNs = 20_000 * DAY;
const NOW: TimeNs = 20_010 * DAY;
const SERIES: u32 = 8;

/// As `Info`, and it is told when a series changes its class.
#[derive(Debug, Default)]
struct Moving(Info, AtomicU64);

impl SeriesInfo for Moving {
    fn metric(&self, series: SeriesId) -> u32 {
        self.0.metric(series)
    }

    fn rule(&self, series: SeriesId) -> RuleId {
        self.0.rule(series)
    }

    fn edits(&self) -> u64 {
        self.1.load(Ordering::Relaxed)
    }
}

/// Buckets that are looked at.
const LEVELS: [i64; 2] = [HOUR / 4, HOUR];

/// Count and sum of a bucket.
type Told = (i64, i64);

/// What a bucket of a series tells of which readings are gone.
#[derive(Clone, Copy, Debug)]
struct Lapsed {
    told: Told,
    /// Others came since, which may be told or not.
    is_mixed: bool,
}

struct Hub {
    dir: tempfile::TempDir,
    pins: Arc<Pins>,
    info: Arc<Moving>,
    store: Option<EmbeddedStore>,
    sealed: u64,
    readings: BTreeMap<u32, BTreeMap<TimeNs, i64>>,
    /// By length, series and where a bucket begins.
    lapsed: BTreeMap<(i64, u32, TimeNs), Lapsed>,
    trace: Vec<String>,
}

impl Hub {
    fn new() -> Self {
        let (dir, pins) = (tempfile::tempdir().unwrap(), Arc::new(Pins::default()));
        let (info, lapsed) = (Arc::new(Moving::default()), BTreeMap::new());
        let mut hub = Self { dir, pins, info, store: None, sealed: 0, readings: BTreeMap::new(), lapsed, trace: Vec::new() };
        hub.start();
        hub
    }

    fn store(&self) -> &EmbeddedStore {
        self.store.as_ref().unwrap()
    }

    fn start(&mut self) {
        self.store = None;
        let rules = [super::gone::rule(None, None, 1)];
        let parts = Parts {
            dir: &self.dir.path().join("store"),
            set_aside: &self.dir.path().join("set-aside"),
            sealed: Position(self.sealed),
            sealed_at: NOW,
            now: NOW,
            pins: Arc::clone(&self.pins),
            info: Arc::clone(&self.info) as Arc<dyn SeriesInfo>,
            cache_bytes: 1 << 20,
            rules: &rules,
            floors: Arc::new(Floors::new(&rules)),
            budget: Budget { data: self.dir.path().to_owned(), max_bytes: 0 },
        };
        self.store = Some(EmbeddedStore::open(parts).unwrap());
    }

    fn work(&self) {
        self.store().tending.lock().look_again();
        super::left::tend(self.store(), NOW);
    }

    /// Every hour that has readings has enough of them to be summed up.
    fn add(&mut self, rng: &mut fastrand::Rng) {
        let mut given = Given::default();
        let mask = rng.u32(..);
        for series in (0..SERIES).filter(|series| mask >> (3 * series) & 7 < 3) {
            let (hour, hours) = (rng.i64(0..22), rng.i64(1..8));
            let (step, off) = if series < 2 { (2, rng.i64(0..2)) } else { (60, rng.i64(0..60)) };
            let mut block = Block::default();
            let range = FIRST + hour * HOUR..FIRST + (hour + hours).min(24) * HOUR;
            for ((level, of, start), lapsed) in &mut self.lapsed {
                lapsed.is_mixed |= *of == series && *start < range.end && *start + level > range.start;
            }
            for time in range.step_by(usize::try_from(step * SECOND).unwrap()).map(|time| time + off * SECOND) {
                let value = rng.i64(0..1000);
                drop(block.put(time, Value::Int(value), time));
                self.readings.entry(series).or_default().insert(time, value);
            }
            given.columns.insert(SeriesId(series), vec![Arc::new(block)]);
        }
        self.sealed += 10;
        seal(self.store.as_ref().unwrap(), &given, self.sealed);
        self.trace.push(format!("add {:?}", given.columns.keys()));
    }

    fn delete(&mut self, rng: &mut fastrand::Rng) {
        let (series, hour) = (rng.u32(0..SERIES), rng.i64(0..24));
        let until = (hour + rng.i64(1..10)).min(24);
        let (from, to) = (FIRST + hour * HOUR, FIRST + until * HOUR - 1);
        self.readings.entry(series).or_default().retain(|time, _| !(from..=to).contains(time));
        self.lapsed.retain(|(_, of, start), _| *of != series || !(from..=to).contains(start));
        self.sealed += 10;
        let delete = Delete { series: SeriesId(series), from, to };
        let deletes = vec![PositionedDelete { position: Position(self.sealed - 1), delete }];
        seal(self.store(), &Given { columns: BTreeMap::new(), deletes }, self.sealed);
        self.trace.push(format!("delete {series} {hour}..{until}"));
    }

    fn expire(&mut self, rng: &mut fastrand::Rng) {
        self.work();
        let mut raw = self.store().files.all();
        raw.retain(|file| file.key.kind == FileKind::Raw);
        let Some(file) = rng.choice(&raw) else { return };
        let class = file.key.class;
        let is_whole = rng.usize(0..3) == 0;
        if is_whole {
            self.store().drop_until(file.key, file.key.last_time() + 1).unwrap();
            self.store().unlink(file.key).unwrap();
        } else {
            self.store().drop_oldest(file, [1, 500, 5000][rng.usize(0..3)], key::day_of(NOW)).unwrap();
        }
        if rng.bool() {
            self.start();
        }
        self.trace.push(format!("expire whole={is_whole} {class:?}"));
        for (series, readings) in &mut self.readings {
            let pin = self.pins.pin(Position(self.sealed));
            let found: BTreeMap<_, _> = values(self.store.as_ref().unwrap(), &pin, *series).into_iter().collect();
            let first = found.keys().next().copied().unwrap_or(TimeNs::MAX);
            for level in LEVELS {
                for (start, told) in told_of(readings, level) {
                    if readings.range(start..start + level).any(|(time, _)| !found.contains_key(time)) {
                        assert!(start < first, "the oldest go first");
                        self.lapsed.entry((level, *series, start)).or_insert(Lapsed { told, is_mixed: false });
                    }
                }
            }
            assert!(found.iter().all(|(time, value)| readings.get(time) == Some(value)), "nothing comes back");
            *readings = found;
        }
    }

    fn check(&self) {
        let (store, pin) = (self.store(), self.pins.pin(Position(self.sealed)));
        for series in 0..SERIES {
            let readings = self.readings.get(&series).cloned().unwrap_or_default();
            let found = values(store, &pin, series);
            assert_eq!(
                found,
                readings.iter().map(|(time, value)| (*time, *value)).collect::<Vec<_>>(),
                "of {series}\n{}",
                self.trace.join("\n")
            );
            // Until a delete is applied, all of a row of rollups that it meets is hidden.
            if store.tombs.up_to(Position(u64::MAX)).iter().any(|delete| delete.delete.series == SeriesId(series)) {
                continue;
            }
            for level in LEVELS {
                let mut expected = told_of(&readings, level);
                let (grid, aggs) = (Grid::Fixed(level), [Agg::Count, Agg::Sum]);
                let rows = buckets_of(store, &pin, SeriesId(series), TimeRange::ALL, (&grid, &aggs), &mut 0);
                #[expect(clippy::cast_possible_truncation, reason = "small integers")]
                let mut told: BTreeMap<_, _> = rows.into_iter().map(|(start, row)| (start, (row[0] as i64, row[1] as i64))).collect();
                for ((_, _, start), lapsed) in self.lapsed.range((level, series, TimeNs::MIN)..=(level, series, TimeNs::MAX)) {
                    if lapsed.is_mixed {
                        assert!(told.remove(start).is_some(), "{series} at {start}: {lapsed:?}\n{}", self.trace.join("\n"));
                        expected.remove(start);
                    } else {
                        expected.insert(*start, lapsed.told);
                    }
                }
                assert_eq!(told, expected, "buckets of {series}, {level} ns\n{}", self.trace.join("\n"));
            }
        }
    }
}

fn told_of(readings: &BTreeMap<TimeNs, i64>, level: i64) -> BTreeMap<TimeNs, Told> {
    let mut told = BTreeMap::<TimeNs, Told>::new();
    for (time, value) in readings {
        let one = told.entry(time.div_euclid(level) * level).or_default();
        *one = (one.0 + 1, one.1 + value);
    }
    told
}

fn values(store: &dyn Store, pin: &Pin, series: u32) -> Vec<(TimeNs, i64)> {
    let mut found = Vec::new();
    let mut sink = |block: &Block| {
        for i in 0..block.len() {
            let Value::Int(value) = block.value(i) else { panic!("ints were given") };
            found.push((block.times()[i], value));
        }
        true
    };
    store.scan(pin, SeriesId(series), TimeRange::ALL, &mut sink).unwrap();
    found
}

#[test]
fn what_was_summed_up_is_told_whatever_comes_goes_and_moves() {
    let seed = std::env::var("TELLTALE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("TELLTALE_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut hub = Hub::new();
    for _ in 0..40 {
        hub.store.as_mut().unwrap().piece_bytes = [u64::MAX, 1, 2_000][rng.usize(0..3)];
        match rng.usize(0..12) {
            0..3 => hub.add(&mut rng),
            3 => hub.delete(&mut rng),
            4..6 => {
                hub.info.0.0.store(rng.u64(0..1 << SERIES), Ordering::Relaxed);
                hub.info.1.fetch_add(1, Ordering::Relaxed);
                hub.trace.push(format!("move {:b}", hub.info.0.0.load(Ordering::Relaxed)));
            }
            6..10 => hub.expire(&mut rng),
            10 => {
                // Cut off anywhere.
                hub.store().tending.lock().look_again();
                let steps = rng.usize(0..30);
                let done = (0..steps).take_while(|_| hub.store().tend(NOW, Duration::ZERO).unwrap()).count();
                hub.trace.push(format!("cut off after {done}"));
                hub.start();
            }
            _ => {
                hub.work();
                hub.trace.push("work".to_owned());
            }
        }
        hub.check();
    }
}
