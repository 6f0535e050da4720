//! A disk that hangs: what a supervisor waits for at a stop is bounded all the same, and nothing that was acked is at risk.

use std::time::{Duration, Instant};

use serde_json::json;
use telltale::limits::STOP_WITHIN;

use super::record::Place;
use super::scratch;
use crate::agent::{Agent, Answer, Sent, batch};

/// What is left of a second or two for the program to end.
const GRACE: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_stop_ends_in_time_though_its_seal_does_not() {
    let dir = scratch();
    let place = Place::new(dir.path());
    // The files of days; the log and the catalog are as fast as ever.
    let hub = place.start(&[("TELLTALE_SHIM_SLOW", "fsync,fdatasync@store/2*=600")]).expect("it starts");
    let reading = Sent { device: "d".to_owned(), metric: "m".to_owned(), time: 1_767_225_600_000_000_000, value: 7.0 };
    let mut agent = Agent::connect(&hub.address, &place.agent).await.unwrap();
    agent.send(batch(1, &[reading])).await.unwrap();
    assert!(matches!(agent.answer().await.unwrap(), Answer::Ack { stored: 1, .. }));
    drop(agent);
    let began = Instant::now();
    assert_eq!(tokio::task::spawn_blocking(|| hub.stop()).await.unwrap(), Some(0));
    let took = began.elapsed();
    assert!(took < STOP_WITHIN + GRACE, "{took:?}");
    let log = std::fs::read_to_string(dir.path().join("hub.log")).unwrap();
    assert!(log.contains("the stop took too long"), "it hung where it was to hang: {log}");
    // The next start does the rest.
    let hub = place.start(&[]).expect("it starts");
    assert_eq!(
        tokio::task::spawn_blocking(move || hub.history("d/m")).await.unwrap(),
        [("d/m".to_owned(), 1_767_225_600_000_000_000, json!(7.0))]
    );
}
