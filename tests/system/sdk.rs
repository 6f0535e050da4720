//! What is pushed to the SDK's client is in the hub, exactly and once, although the hub is killed and the client's process ends
//! again and again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use telltale_sdk::{Client, Config, Kind, Reading, Token};
use tokio::net::{TcpListener, TcpStream};

use crate::hub::Hub;

const PATIENCE: Duration = Duration::from_secs(60);
const ROUNDS: i64 = 60;
const START_NS: i64 = 1_795_000_000_000_000_000;

/// An address that stays while the hub behind it comes back on other ports.
pub async fn front(behind: Arc<Mutex<String>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let hub = behind.lock().unwrap().clone();
            tokio::spawn(async move {
                if let Ok(mut hub) = TcpStream::connect(hub).await {
                    // An error is a broken connection, which is what the test is about.
                    drop(tokio::io::copy_bidirectional(&mut client, &mut hub).await);
                }
            });
        }
    });
    address
}

/// Opens the client as a next process would; the one before may still hold the spool for an instant.
pub async fn open(config: &Config) -> Client {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Client::open(config.clone()) {
            Ok(client) => return client,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn readings(round: i64) -> Vec<(Reading, Json)> {
    let mut readings = Vec::new();
    for step in 0..20 {
        let time = START_NS + (round * 20 + step) * 1_000_001;
        let float = (round * 20 + step) as f64 / 8.0;
        readings.push((Reading::new("gw", "float", float).unit("°C").at(time), json!(float)));
        readings.push((Reading::new("gw", "int", i64::MAX - step).kind(Kind::Counter).at(time), json!(i64::MAX - step)));
        readings.push((Reading::new("gw", "open", step % 3 == 0).at(time), json!(step % 3 == 0)));
        readings.push((Reading::new("gw", "mode", format!("mode {step}")).at(time), json!(format!("mode {step}"))));
    }
    readings
}

#[tokio::test]
async fn what_is_pushed_arrives_exactly_once_over_kills_of_both_sides() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(dir.path());
    let address = Arc::new(Mutex::new(hub.address.clone()));
    let mut config = Config::new(format!("ws://{}", front(Arc::clone(&address)).await), "gateway", dir.path().join("spool"));
    config.token = Some(Token::Text(hub.token(&["--role", "agent"])));
    config.seed = Some(1);
    let mut expected = BTreeMap::new();
    let mut client = open(&config).await;
    let mut random = fastrand::Rng::with_seed(3);
    for round in 0..ROUNDS {
        let (pushed, values): (Vec<Reading>, Vec<Json>) = readings(round).into_iter().unzip();
        for (reading, value) in pushed.iter().zip(values) {
            expected.insert((format!("gw/{}", reading.metric), reading.time.unwrap()), value);
        }
        client.push(pushed).unwrap();
        tokio::time::sleep(Duration::from_millis(random.u64(..40))).await;
        if round % 12 == 6 {
            hub.kill();
            hub = Hub::start(dir.path());
            address.lock().unwrap().clone_from(&hub.address);
        }
        if round % 20 == 13 {
            drop(client); // without `close`: as a process that ends
            client = open(&config).await;
        }
    }
    let closed = client.close(PATIENCE).await;
    assert_eq!(closed.unsent, 0, "all is acked");
    let found = hub.history("gw/*");
    assert_eq!(found.len(), expected.len(), "once each");
    for (series, time, value) in found {
        assert_eq!(Some(&value), expected.get(&(series.clone(), time)), "{series} at {time}");
    }
    assert_eq!(hub.stop(), Some(0));
}
