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
    let series = Arc::new(SeriesTable::new(50, 100));
    let retention = Arc::new(crate::retention::Retention::none(Arc::clone(&series)));
    let (refusals, metrics) = (Arc::new(Refusals::default()), Arc::new(Metrics::default()));
    let mut door = Door::new(&Config::default(), series, refusals, metrics, Arc::new(NoAttributes), retention);
    door.built = NOW - 1;
    // The sender is kept for ever, else the access would have ended.
    let ended = Box::leak(Box::new(watch::Sender::new(false))).subscribe();
    let access = Access::new(TokenId(7), "test".to_owned(), Role::Agent, Scope::default(), ended);
    let mut session = Session::new(Arc::new(door), access);
    session.begin_frame(NOW).unwrap();
    let mut batch = session.begin_batch();
    let used = Lines::new(Precision { ns: 1 }).decide(&mut session, &mut batch, body.as_bytes(), true);
    assert_eq!(used, body.len());
    let (submitted, pending) = batch.finish(None);
    let stored = submitted.map_or(0, |(batch, _)| batch.readings.len());
    let outcome = Outcome::Committed { position: Position(1), stored, duplicate: 0, refused: Vec::new() };
    pending.settle(session.door(), session.access(), NOW, outcome).unwrap()
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
