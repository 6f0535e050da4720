//! A hub that was restored from a backup, and an agent whose later batches the lost hub had acked: it is welcomed, and what is missing is
//! logged and shown.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use telltale_sdk::{Client, Config, Reading, Token};

use crate::hub::Hub;
use crate::sdk::{front, open};
use crate::tools::{restored, run};

const PATIENCE: Duration = Duration::from_secs(60);
const START_NS: i64 = 1_795_000_000_000_000_000;

/// A batch each, acked before the next.
async fn push(client: &Client, readings: std::ops::Range<i64>) {
    for number in readings {
        client.push(vec![Reading::new("pump", "m", number).at(START_NS + number)]).unwrap();
        let began = Instant::now();
        while client.stats().unsent > 0 {
            assert!(began.elapsed() < PATIENCE, "reading {number} is not acked: {:?}", client.stats());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn told(hub: &Hub) -> Vec<(String, i64, i64)> {
    let status = hub.get("/api/v1/status");
    let row = |row: &Json| (row["agent"].as_str().unwrap().to_owned(), row["from"].as_i64().unwrap(), row["to"].as_i64().unwrap());
    status["missing"].as_array().unwrap().iter().map(row).collect()
}

#[tokio::test]
async fn an_agent_beyond_a_restored_hub_is_welcomed_and_what_is_missing_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    let address = Arc::new(Mutex::new(hub.address.clone()));
    let mut config = Config::new(format!("ws://{}", front(Arc::clone(&address)).await), "gateway", dir.path().join("spool"));
    config.token = Some(Token::Text(hub.token(&["--role", "agent"])));
    let client = open(&config).await;
    push(&client, 0..5).await;
    let backup = dir.path().join("backup");
    let (code, _, stderr) = run(dir.path(), &["backup", backup.to_str().unwrap()]);
    assert_eq!(code, 0, "{stderr}");
    push(&client, 5..12).await;
    assert_eq!(told(&hub), []);
    hub.kill();
    let (to, _) = restored(dir.path(), backup.to_str().unwrap(), &[]);
    let hub = Hub::start(to.path());
    address.lock().unwrap().clone_from(&hub.address);
    push(&client, 12..15).await;
    let values = |hub: &Hub| hub.history("pump/m").into_iter().map(|(_, _, value)| value.as_i64().unwrap()).collect::<Vec<_>>();
    assert_eq!(values(&hub), (0..5).chain(12..15).collect::<Vec<_>>());
    let missing = told(&hub);
    assert!(matches!(&*missing, [(agent, from, to)] if agent == "gateway" && to - from == 6), "{missing:?}");
    let log = std::fs::read_to_string(to.path().join("hub.log")).unwrap();
    let line = format!("batches {} to {} are missing: they came after the backup", missing[0].1, missing[0].2);
    assert!(log.contains(&line), "{line}: {log}");
    // Told once: from here on the hub knows the agent's batches, also after a start.
    hub.kill();
    let hub = Hub::start(to.path());
    address.lock().unwrap().clone_from(&hub.address);
    push(&client, 15..17).await;
    assert_eq!(told(&hub), []);
    assert_eq!(client.close(PATIENCE).await.unsent, 0);
}
