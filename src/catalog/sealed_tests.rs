use std::sync::Arc;

use super::sealed::{LastSeal, Restore, SealedLast, SealedSeries, SealedState};
use super::{Catalog, CatalogError};
use crate::head::{Head, LastKnown};
use crate::limits::{BOOTS, BOOTS_PER_AGENT};
use crate::model::{AgentSeq, Kind, Labels, Position, SeriesDef, SeriesId, SeriesKey, TimeNs, TokenId, Value, ValueType};
use crate::series::{KeyRef, SeriesMeta, SeriesTable};

/// All that was restored.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Restored {
    seal: LastSeal,
    series: Vec<SealedSeries>,
    last: Vec<SealedLast>,
    nameless: Vec<SeriesDef>,
    lost: Vec<SeriesId>,
    agents: Vec<(AgentSeq, Position)>,
}

impl Restore for Restored {
    fn seal(&mut self, seal: LastSeal) {
        assert_eq!(std::mem::replace(self, Self { seal, ..Self::default() }), Self::default(), "the seal comes first");
    }

    fn series(&mut self, series: SealedSeries) {
        self.series.push(series);
    }

    fn nameless(&mut self, series: SealedSeries) {
        self.nameless.push(series.def);
    }

    fn last(&mut self, last: SealedLast) {
        self.last.push(last);
    }

    fn lost_last(&mut self, id: SeriesId) {
        self.lost.push(id);
    }

    fn agent(&mut self, agent: AgentSeq, used: Position) {
        self.agents.push((agent, used));
    }
}

impl Catalog {
    pub(super) fn sealed(&self) -> Result<Restored, CatalogError> {
        let mut restored = Restored::default();
        self.restore(&mut restored)?;
        Ok(restored)
    }
}

fn open() -> (tempfile::TempDir, Catalog) {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(dir.path()).unwrap();
    (dir, catalog)
}

fn series(id: u32, value_type: ValueType, labels: &[(&str, &str)]) -> SealedSeries {
    let labels = Labels::from_pairs(labels.iter().copied());
    let key = SeriesKey { device: format!("d{id}").into(), metric: "m".into(), labels };
    let def = SeriesDef { id: SeriesId(id), key, value_type, owner: TokenId(id % 3) };
    SealedSeries { def, meta: SeriesMeta::default(), created: 1 }
}

fn last(id: u32, value: Value) -> SealedLast {
    let last = LastKnown { time: 10, value, seen: 12, changed: 8, settled: true };
    SealedLast { id: SeriesId(id), last: Some(last), stored_until: 10 }
}

fn agent(name: &str, boot: u64, seq: u64) -> AgentSeq {
    AgentSeq { agent: name.into(), boot, seq }
}

fn seal(catalog: &Catalog, up_to: u64, series: &[SealedSeries], last: &[SealedLast], agents: &[AgentSeq]) -> Result<(), CatalogError> {
    let agents = agents.iter().map(|agent| (agent.clone(), Position(up_to))).collect();
    let (series, last) = (series.iter().cloned(), last.iter().cloned());
    catalog.seal(SealedState { up_to: Position(up_to), wall: up_to.cast_signed() * 100, series, last, agents })
}

/// `Value` says that 1 and 1.0 are equal; here they are not.
fn exact(value: &Value) -> String {
    match value {
        Value::Float(f) => format!("float {:016x}", f.to_bits()),
        other => format!("{other:?}"),
    }
}

#[test]
fn nothing_was_sealed_at_first() {
    let (_dir, catalog) = open();
    assert_eq!(catalog.sealed().unwrap(), Restored::default());
}

#[test]
fn values_come_back_as_they_were() {
    let rows = [
        Value::Int(1),
        Value::Float(1.0),
        Value::Int(0),
        Value::Float(0.0),
        Value::Float(-0.0),
        Value::Int(i64::MIN),
        Value::Int(i64::MAX),
        Value::Float(9_223_372_036_854_775_808.0),
        Value::Float(f64::MAX),
        Value::Float(f64::MIN_POSITIVE),
        Value::Float(5e-324),
        Value::Float(0.1 + 0.2),
        Value::Bool(false),
        Value::Bool(true),
        Value::Text("".into()),
        Value::Text("1".into()),
        Value::Text("1.0".into()),
        Value::Text("läuft \u{2603} \u{1f600} e\u{301}".into()),
        Value::Text("a\0b\n".into()),
        Value::Text("x".repeat(16 << 10).into()),
    ];
    let (dir, catalog) = open();
    let all: Vec<_> = (0..).zip(&rows).map(|(id, value)| last(id, value.clone())).collect();
    seal(&catalog, 1, &[], &all, &[]).unwrap();
    drop(catalog);
    let restored = Catalog::open(dir.path()).unwrap().sealed().unwrap();
    assert_eq!(restored.last.len(), rows.len());
    for (row, value) in restored.last.iter().zip(&rows) {
        assert_eq!(exact(&row.last.as_ref().unwrap().value), exact(value));
    }
}

#[test]
fn times_and_marks_come_back_as_they_were() {
    let known = |time, seen, changed, settled| Some(LastKnown { time, value: Value::Int(7), seen, changed, settled });
    let rows = [
        (known(5, 6, 4, true), 5),
        (known(5, 6, 4, false), TimeNs::MIN),
        (known(TimeNs::MIN, TimeNs::MAX, TimeNs::MIN, true), TimeNs::MAX),
        (known(0, 0, 0, false), 0),
        (None, 9),
        (None, TimeNs::MIN),
    ];
    let (_dir, catalog) = open();
    let all: Vec<_> = (3..).zip(rows).map(|(id, (last, stored_until))| SealedLast { id: SeriesId(id), last, stored_until }).collect();
    seal(&catalog, 1, &[], &all, &[]).unwrap();
    assert_eq!(catalog.sealed().unwrap().last, all);
}

#[test]
fn series_come_back_as_they_were() {
    let labelled = [("cpu", "cpu0"), ("room", "Büro \u{2603} = \"x\" \\ {a,b}"), ("a.b-c_1", " ")];
    let mut all =
        vec![series(0, ValueType::Number, &[]), series(7, ValueType::Bool, &labelled[..1]), series(8, ValueType::Text, &labelled)];
    all[1].meta = SeriesMeta { unit: Some("°C".into()), kind: Some(Kind::State), changed: Some(-5) };
    all[2].meta = SeriesMeta { unit: Some("".into()), kind: None, changed: Some(TimeNs::MAX) };
    all.extend((10..).zip(Kind::ALL).map(|(id, kind)| {
        let meta = SeriesMeta { unit: None, kind: Some(kind), changed: None };
        SealedSeries { meta, created: TimeNs::MIN, ..series(id, ValueType::Number, &[]) }
    }));
    all[0].def.owner = TokenId(u32::MAX);
    let (_dir, catalog) = open();
    seal(&catalog, 1, &all, &[], &[]).unwrap();
    assert_eq!(catalog.sealed().unwrap().series, all);
}

#[test]
fn a_later_seal_changes_what_it_names_and_leaves_the_rest() {
    let (_dir, catalog) = open();
    let (a, b) = (series(0, ValueType::Number, &[]), series(1, ValueType::Number, &[]));
    seal(&catalog, 5, &[a.clone(), b.clone()], &[last(0, Value::Int(1)), last(1, Value::Int(1))], &[agent("gw", 1, 9)]).unwrap();
    let told = SealedSeries { meta: SeriesMeta { unit: Some("bar".into()), kind: None, changed: Some(3) }, ..b };
    let new = [last(1, Value::Text("jetzt".into())), last(2, Value::Bool(true))];
    seal(&catalog, 8, std::slice::from_ref(&told), &new, &[agent("gw", 2, 1)]).unwrap();
    let gone = SealedLast { id: SeriesId(2), last: None, stored_until: 10 };
    seal(&catalog, 9, &[], std::slice::from_ref(&gone), &[agent("gw", 1, 10)]).unwrap();

    let restored = catalog.sealed().unwrap();
    assert_eq!((restored.seal.up_to, restored.seal.wall), (Position(9), 900));
    assert_eq!(restored.series, [a, told]);
    assert_eq!(restored.last, [last(0, Value::Int(1)), last(1, Value::Text("jetzt".into())), gone]);
    assert_eq!(restored.agents, [(agent("gw", 1, 10), Position(9)), (agent("gw", 2, 1), Position(8))]);
}

#[test]
fn agents_are_told_apart_by_name_and_boot() {
    let (_dir, catalog) = open();
    let all = [
        agent("gw", 1, 0),
        agent("gw", u64::MAX, u64::MAX),
        agent("Gw", 1, 2),
        agent("", 0, 3),
        agent("straße \u{2603}", 1 << 63, 1 << 63),
    ];
    seal(&catalog, u64::MAX, &[], &[], &all).unwrap();
    seal(&catalog, u64::MAX, &[], &[], &all[..2]).unwrap();
    let restored = catalog.sealed().unwrap();
    let sorted = |mut agents: Vec<AgentSeq>| {
        agents.sort_by(|a, b| (&a.agent, a.boot).cmp(&(&b.agent, b.boot)));
        agents
    };
    assert!(restored.agents.iter().all(|(_, used)| *used == Position(u64::MAX)));
    assert_eq!(sorted(restored.agents.into_iter().map(|(agent, _)| agent).collect()), sorted(all.to_vec()));
    assert_eq!(restored.seal.up_to, Position(u64::MAX));
}

#[test]
fn an_agent_keeps_the_rows_of_the_boots_that_sent_last() {
    let (_dir, catalog) = open();
    let boots = |catalog: &Catalog, of: &str| {
        let agents = catalog.sealed().unwrap().agents;
        agents.into_iter().filter(|(agent, _)| &*agent.agent == of).map(|(agent, _)| agent.boot).collect::<Vec<_>>()
    };
    seal(&catalog, 1, &[], &[], &[agent("other", 1, 1), agent("gw", 50, 1)]).unwrap();
    for boot in 2..9 {
        seal(&catalog, boot, &[], &[], &[agent("gw", boot, 1)]).unwrap();
    }
    seal(&catalog, 9, &[], &[], &[agent("gw", 5, 2)]).unwrap();
    seal(&catalog, 10, &[], &[], &[agent("gw", 1 << 63, 1)]).unwrap();
    assert_eq!((BOOTS_PER_AGENT, boots(&catalog, "other")), (4, vec![1]));
    assert_eq!(boots(&catalog, "gw"), [1 << 63, 5, 7, 8]);
}

#[test]
fn many_agents_keep_the_rows_of_the_boots_that_sent_last() {
    let (_dir, catalog) = open();
    let some = |range: std::ops::Range<usize>| range.map(|i| agent(&format!("gw-{i}"), 7, 1)).collect::<Vec<_>>();
    seal(&catalog, 1, &[], &[], &some(0..BOOTS)).unwrap();
    seal(&catalog, 2, &[], &[], &some(1..BOOTS)).unwrap();
    seal(&catalog, 3, &[], &[], &some(BOOTS..BOOTS + 1)).unwrap();
    let agents = catalog.sealed().unwrap().agents;
    assert_eq!(agents.len(), BOOTS);
    assert!(agents.iter().all(|(agent, _)| &*agent.agent != "gw-0"));
}

#[test]
fn the_next_id_never_falls() {
    let (_dir, catalog) = open();
    for (ids, lasts, next) in [(&[3][..], &[][..], 4), (&[1], &[9], 10), (&[], &[], 10), (&[0, 2], &[0], 10), (&[10], &[10], 11)] {
        let all: Vec<_> = ids.iter().map(|id| series(*id, ValueType::Number, &[])).collect();
        let lasts: Vec<_> = lasts.iter().map(|id| last(*id, Value::Int(1))).collect();
        seal(&catalog, 1, &all, &lasts, &[]).unwrap();
        assert_eq!(catalog.sealed().unwrap().seal.next_series, next);
    }
    catalog.connection.lock().execute("DELETE FROM series", []).unwrap();
    assert_eq!(catalog.sealed().unwrap().seal.next_series, 11, "also when the rows are gone");
}

#[test]
fn a_full_disk_is_told_apart_and_leaves_the_older_state() {
    let (_dir, catalog) = open();
    seal(&catalog, 1, &[], &[last(0, Value::Int(1))], &[agent("gw", 1, 1)]).unwrap();
    let before = catalog.sealed().unwrap();
    let pages: i64 = catalog.connection.lock().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let at_most = |pages: i64| catalog.connection.lock().pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    at_most(pages + 2);
    let many: Vec<_> = (0..5_000).map(|id| last(id, Value::Int(2))).collect();
    let error = seal(&catalog, 2, &[], &many, &[agent("gw", 1, 2)]).unwrap_err();
    assert!(matches!(&error, CatalogError::DiskFull { reason, .. } if reason.contains("seal into")), "{error}");
    assert_eq!(catalog.sealed().unwrap(), before);
    at_most(1_000_000);
    seal(&catalog, 2, &[], &many, &[agent("gw", 1, 2)]).unwrap();
    assert_eq!(catalog.sealed().unwrap().last, many);
}

#[test]
fn a_row_that_cannot_be_is_an_error() {
    for sql in [
        "INSERT INTO last VALUES (0, 1, NULL, 1, 1, 1, 1, NULL)",
        "INSERT INTO last VALUES (0, 1, x'02', 1, 1, 1, 1, NULL)",
        "INSERT INTO last VALUES (0, 1, x'', 1, 1, 1, 1, NULL)",
        "INSERT INTO last VALUES (0, 1, 9e999, 1, 1, 1, 1, NULL)",
        "INSERT INTO last VALUES (0, 1, CAST(x'ff' AS TEXT), 1, 1, 1, 1, NULL)",
        "INSERT INTO last VALUES (-1, 1, 1, 1, 1, 1, 1, NULL)",
        "INSERT INTO last VALUES (0, 1, 1, NULL, 1, 1, 1, NULL)",
        "INSERT INTO series VALUES (0, 'd', 'm', '', 'colour', 0, NULL, NULL, NULL, 0, NULL)",
        "INSERT INTO series VALUES (0, 'd', 'm', '', 'bool', 0, NULL, 'colour', NULL, 0, NULL)",
        "INSERT INTO series VALUES (4294967296, 'd', 'm', '', 'bool', 0, NULL, NULL, NULL, 0, NULL)",
        "DELETE FROM sealed",
    ] {
        let (_dir, catalog) = open();
        catalog.connection.lock().execute(sql, []).unwrap();
        assert!(matches!(catalog.sealed(), Err(CatalogError::Sqlite { .. })), "{sql}");
    }
}

#[test]
fn a_start_has_what_the_hub_had_and_the_log_may_tell_it_again() {
    let (dir, catalog) = open();
    let (table, head) = (SeriesTable::new(99, 99), Head::default());
    let all: Vec<_> = [4, 0, 2].map(|id| series(id, ValueType::Number, &[("cpu", "1")])).into();
    seal(&catalog, 7, &all, &[last(2, Value::Float(2.5))], &[]).unwrap();
    drop(catalog);
    let restored = Catalog::open(dir.path()).unwrap().sealed().unwrap();
    for series in &restored.series {
        table.restore_sealed(series);
    }
    table.reserve(restored.seal.next_series);
    for SealedLast { id, last, stored_until } in restored.last {
        head.restore(id, last, stored_until);
    }
    head.start_at(restored.seal.up_to);

    assert_eq!((head.position(), head.sealed_position()), (Position(7), Position(7)));
    assert_eq!(head.last(&[SeriesId(2)]).1[0], last(2, Value::Float(2.5)).last);
    assert_eq!(table.len(), 3);
    let known = table.by_id(SeriesId(4)).unwrap();
    assert_eq!(known.to_sealed().as_ref(), Some(&all[0]));
    assert!(Arc::ptr_eq(&known, &table.restore(&all[0].def, 99)));
    let found = table.resolve(KeyRef { device: "d4", metric: "m", labels: &[("cpu", "1")] }, TokenId(1)).unwrap();
    assert!(Arc::ptr_eq(&known, &found));
    let new = table.resolve(KeyRef { device: "new", metric: "m", labels: &[] }, TokenId(1)).unwrap();
    assert_eq!((new.id, table.len()), (SeriesId(5), 3));
}

#[test]
fn reserved_ids_stay_reserved_and_it_is_known_for_which_epoch() {
    let (dir, catalog) = open();
    assert_eq!(catalog.series_reserved_in().unwrap(), None);
    for (epoch, next, expected) in [(7, 5, 5), (u64::MAX, 70_000, 70_000), (0, 3, 70_000)] {
        let epoch = (epoch, Position(9));
        catalog.reserve_series(epoch, next).unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        assert_eq!((catalog.series_reserved_in().unwrap(), catalog.sealed().unwrap().seal.next_series), (Some(epoch), expected));
    }
}

/// `cargo test --lib catalog::sealed_tests::measure -- --ignored --nocapture`
#[test]
#[ignore = "figures, not a test"]
fn measure() {
    const MANY: u32 = 1_000_000;
    let (dir, catalog) = open();
    let labels = [("cpu", "cpu0"), ("mode", "idle")];
    let all: Vec<_> = (0..MANY).map(|id| series(id, ValueType::Number, &labels)).collect();
    for (round, float) in [(1, 20.25), (2, 21.5), (3, 22.75)] {
        let state = SealedState {
            up_to: Position(round),
            wall: 0,
            series: std::iter::empty(),
            last: (0..MANY).map(|id| last(id, Value::Float(float))),
            agents: vec![],
        };
        rate("last rows sealed", MANY, || catalog.seal(state).unwrap());
    }
    let state = SealedState { up_to: Position(4), wall: 0, series: all.iter().cloned(), last: std::iter::empty(), agents: vec![] };
    rate("series sealed", MANY, || catalog.seal(state).unwrap());
    drop(catalog);
    let catalog = Catalog::open(dir.path()).unwrap();
    let restored = rate("series and last rows read", MANY, || catalog.sealed().unwrap());
    assert_eq!((restored.series.len(), restored.last.len()), (1_000_000, 1_000_000));
    let table = SeriesTable::new(1 << 20, 1 << 20);
    table.reserve(restored.seal.next_series);
    rate("series restored", MANY, || restored.series.iter().for_each(|series| drop(table.restore_sealed(series))));
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap();
        println!("{:?}: {} bytes", file.file_name(), file.metadata().unwrap().len());
    }
}

fn rate<T>(what: &str, rows: u32, work: impl FnOnce() -> T) -> T {
    let began = std::time::Instant::now();
    let done = work();
    let took = began.elapsed().as_secs_f64();
    println!("{what}: {took:.2} s, {:.0} rows/s", f64::from(rows) / took);
    done
}

/// A bit flipped within a row: SQLite takes the row for good.
#[test]
fn a_row_that_is_not_what_was_written_costs_itself_alone() {
    let (dir, catalog) = open();
    let last = |id| SealedLast { id: SeriesId(id), last: None, stored_until: 7 };
    let all = [0, 1, 2].map(|id| series(id, ValueType::Bool, &[("n", &id.to_string())]));
    let state =
        || SealedState { up_to: Position(9), wall: 1, series: all.iter().cloned(), last: [0, 1, 2].map(last).into_iter(), agents: vec![] };
    catalog.seal(state()).unwrap();
    let change = |sql: &str| catalog.write("spoil", |db| db.execute(sql, []).map(drop)).unwrap();
    let bad = || super::check::check(dir.path()).unwrap().bad;
    assert_eq!(bad(), Vec::<String>::new());
    change("UPDATE series SET labels = replace(labels, '1', '3') WHERE id = 1");
    change("UPDATE last SET stored_until = 6 WHERE series = 2");
    let restored = catalog.sealed().unwrap();
    assert_eq!(restored.series, [all[0].clone(), all[2].clone()]);
    let unnamed = SeriesDef { id: SeriesId(1), key: SeriesKey::unnamed(SeriesId(1)), value_type: ValueType::Bool, owner: TokenId(0) };
    assert_eq!((restored.nameless, restored.lost, restored.last), (vec![unnamed], vec![SeriesId(2)], vec![last(0), last(1)]));
    assert_eq!(
        bad(),
        ["series row 1: one of its 10 values is not what was written", "last row 2: one of its 7 values is not what was written"]
    );
    // Written again they are right.
    catalog.seal(state()).unwrap();
    assert_eq!((catalog.sealed().unwrap().series, bad()), (all.to_vec(), vec![]));
    change("UPDATE sealed SET up_to = 8");
    let error = catalog.sealed().unwrap_err();
    assert!(error.to_string().contains("up to where readings are sealed is damaged"), "{error}");
    assert_eq!(bad(), ["sealed row 1: one of its 4 values is not what was written"]);
}
