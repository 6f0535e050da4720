//! Lines against a session without a hub around it.

use std::sync::Arc;

use tokio::sync::watch;

use super::*;
use crate::auth::access::{Access, Role, Scope};
use crate::config::Config;
use crate::ingest::Outcome;
use crate::ingest::refusals::Refusals;
use crate::ingest::session::{Door, Settled};
use crate::metrics::Metrics;
use crate::model::{Position, TokenId};
use crate::query::selector::Attributes;
use crate::series::SeriesTable;

const NOW: i64 = 1_795_400_000_000_000_000;

struct NoAttributes;
impl Attributes for NoAttributes {
    fn with_value(&self, _: &str, _: &str, use_value: &mut dyn FnMut(&str)) {
        use_value("");
    }
}

/// What becomes of a body; the writer takes all it is given.
fn decided(body: &str) -> Settled {
    let mut session = session(|_| {});
    let (mut settled, _) = decided_by(&mut session, body);
    assert_eq!(settled.len(), 1);
    settled.remove(0)
}

/// What becomes of each batch of a body, and the lines.
fn decided_by(session: &mut Session, body: &str) -> (Vec<Settled>, Lines) {
    session.begin_frame(NOW).unwrap();
    let (mut lines, mut at, mut all) = (Lines::new(Precision { ns: 1 }), 0, Vec::new());
    while at < body.len() {
        let mut batch = session.begin_batch();
        let used = lines.decide(session, &mut batch, &body.as_bytes()[at..], true);
        assert!(used > 0, "{at} of {}", body.len());
        at += used;
        let (submitted, pending) = batch.finish(None);
        let stored = submitted.map_or(0, |(batch, _)| batch.readings.len());
        let outcome = Outcome::Committed { position: Position(1), stored, duplicate: 0, refused: Vec::new() };
        all.push(pending.settle(session.door(), session.access(), NOW, outcome).unwrap());
    }
    (all, lines)
}

fn session(change: impl FnOnce(&mut Door)) -> Session {
    let series = Arc::new(SeriesTable::new(50, 100));
    let retention = Arc::new(crate::retention::Retention::none(Arc::clone(&series)));
    let (refusals, metrics) = (Arc::new(Refusals::default()), Arc::new(Metrics::default()));
    let mut door = Door::new(&Config::default(), series, refusals, metrics, Arc::new(NoAttributes), retention);
    door.built = NOW - 1;
    change(&mut door);
    // The sender is kept for ever, else the access would have ended.
    let ended = Box::leak(Box::new(watch::Sender::new(false))).subscribe();
    let access = Access::new(TokenId(7), "test".to_owned(), Role::Agent, Scope::default(), ended);
    Session::new(Arc::new(door), access)
}

/// Lines of some megabytes, with which all that is done for each field again takes minutes.
#[test]
fn long_names_of_a_line_are_judged_once_for_all_fields() {
    let fields = vec!["f=1"; 40_000].join(",");
    let tags = |count: usize| (0..count).map(|i| format!(",t{i}=1")).collect::<String>();
    let begins = format!("{}…", "m".repeat(64));
    let rows = [
        ("m".repeat(2 << 20), RowCode::LimitName, "", begins.as_str()),
        (format!("m,host={}", "m".repeat(2 << 20)), RowCode::LimitName, begins.as_str(), "m.f"),
        (format!("m,host=h,t={}", "x".repeat(2 << 20)), RowCode::LimitName, "h", "m.f"),
        (format!("m,host=h{}", tags(200_000)), RowCode::LimitLabels, "h", "m.f"),
        (format!("m{},host=h", tags(200_000)), RowCode::LimitLabels, "", "m.f"),
    ];
    for (names, code, device, metric) in rows {
        let settled = decided(&format!("{names} {fields}\n"));
        assert_eq!((settled.stored, settled.rejected.len()), (0, 40_000));
        let last = settled.rejected.last().unwrap();
        assert_eq!((last.refusal.code, &*last.device, last.metric.as_deref()), (code, device, Some(metric)), "{}", &names[..20]);
    }
}

#[test]
fn names_too_long_to_be_known_again_are_taken_all_the_same() {
    let tags: String = (0..32).map(|i| format!(",t{i}={}", "x".repeat(1024))).collect();
    let settled = decided(&format!("m,host=h{tags} f=1,g=2 1795300000000000000\nm,host=h{tags} f=1 1795300000000000001\n"));
    assert_eq!((settled.stored, settled.rejected.len()), (3, 0));
}

/// A line of so many fields.
fn line_of(fields: std::ops::Range<usize>) -> String {
    format!("m,host=h {}", fields.map(|i| format!("f{i}=1")).collect::<Vec<_>>().join(","))
}

#[test]
fn a_line_with_more_fields_than_a_batch_is_refused_alone() {
    let mut session = session(|door| door.batch_readings = 10);
    let body = [line_of(0..10), line_of(0..11), line_of(10..15), line_of(15..21), line_of(0..900), line_of(21..22)].join("\n");
    let (settled, lines) = decided_by(&mut session, &body);
    // A line that does not fit beside others goes into the next batch, so that none is larger than it may be.
    let sums: Vec<_> = settled.iter().map(|settled| (settled.stored, settled.rejected.len())).collect();
    assert_eq!(sums, [(10, 0), (5, 1), (7, 1)]);
    let rejected: Vec<_> = settled.iter().flat_map(|settled| &settled.rejected).collect();
    let expected = "limit_batch: more than 10 fields in 'm,host=h f0=1,";
    for (rejected, line) in rejected.iter().zip([2, 5]) {
        assert_eq!((rejected.index, &rejected.metric), (line, &None));
        assert!(rejected.refusal.message.starts_with(&format!("line {line}: {expected}")), "{}", rejected.refusal.message);
        assert!(rejected.refusal.message.ends_with("the limit is [ingest] batch_readings"));
    }
    assert_eq!((lines.malformed(), session.door().series.next_id()), (0, 22));
}

#[test]
fn a_million_fields_of_a_line_are_one_refusal() {
    let settled = decided(&format!("m,host=h {}\nm,host=h b=1\n", vec!["a=1"; 1 << 20].join(",")));
    assert_eq!((settled.stored, settled.rejected.len()), (1, 1));
}

#[test]
fn a_value_that_is_refused_makes_no_series() {
    let mut session = session(|door| {
        door.floats_only = true;
        door.forms.text_bytes = 3;
    });
    let values = ["NaN", "-Inf", "9223372036854775808i", "9007199254740993i", "\"four\""];
    let body: String = values.iter().zip(0..).map(|(value, i)| format!("m,host=h f{i}={value}\n")).collect();
    let ahead = format!("m,host=h ahead=1 {}\n", NOW + 601 * 1_000_000_000);
    let (settled, _) = decided_by(&mut session, &(body + &ahead));
    let codes: Vec<_> = settled[0].rejected.iter().map(|rejected| rejected.refusal.code).collect();
    let (range, not_finite) = (RowCode::ValueRange, RowCode::NotFinite);
    assert_eq!(codes, [not_finite, not_finite, range, range, RowCode::LimitText, RowCode::TimeAhead]);
    assert_eq!(session.door().series.next_id(), 0);
    // The refused one took nothing of its series with it: not the one reading without a time either.
    let (settled, _) = decided_by(&mut session, "m,host=h f=9007199254740993i\nm,host=h f=2");
    assert_eq!((settled[0].stored, settled[0].rejected.len(), session.door().series.next_id()), (1, 1, 1));
}
