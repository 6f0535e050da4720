//! `telltale.v1` over the real socket: the SDK as users have it, and frames by hand for what no SDK does.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use telltale_sdk::{Client, Kind as SentKind, Reading, Token};
use telltale_wire::{
    BatchBuilder, CloseCode, Definition, Goodbye, Hello, HubFrame, Limits, Places, Value as Sent, ValueType as SentType, encode_define,
};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::app::App;
use crate::auth::access::Role;
use crate::catalog::tokens::TokenSpec;
use crate::clock::Clock;
use crate::config::Config;
use crate::hub::Hub;
use crate::live::engine::Input;
use crate::live::protocol::{ClientMessage, Encoding, parse_json};
use crate::model::{TimeNs, Value};
use crate::query::selector::Selector;
use crate::retention::{RetentionRule, RuleId};
use crate::series::KeyRef;

const PATIENCE: Duration = Duration::from_secs(20);

/// A hub on a port of its own. Dropped: it stops in order.
struct Running {
    hub: Arc<Hub>,
    address: SocketAddr,
    token: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    dir: tempfile::TempDir,
}

impl Running {
    fn start() -> Self {
        Self::start_with(|_| {})
    }

    fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        change(&mut config);
        config.data.dir = dir.path().join("data");
        config.ingest.frame_bytes = 100_000;
        config.listen.address = "127.0.0.1:0".parse().unwrap();
        let (stop, stopped) = oneshot::channel();
        let (started, start) = mpsc::sync_channel(1);
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = App::build(config, Clock::system()).unwrap();
                started.send((Arc::clone(&app.hub), app.address)).unwrap();
                app.run(async { drop(stopped.await) }).await.unwrap();
            });
        });
        let (hub, address) = start.recv_timeout(PATIENCE).unwrap();
        let spec = TokenSpec { name: "test".to_owned(), role: Role::Agent, devices: None, select: None };
        let token = hub.auth.create_token(spec).unwrap().0.reveal().to_owned();
        Self { hub, address, token, stop: Some(stop), thread: Some(thread), dir }
    }

    fn last(&self, device: &str, metric: &str, labels: &[(&str, &str)]) -> Option<(TimeNs, Value)> {
        let series = self.hub.series.by_key(&KeyRef { device, metric, labels }.to_key())?;
        let (_, last) = self.hub.head.last(&[series.id]);
        last.into_iter().next().flatten().map(|last| (last.time, last.value))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking());
        }
    }
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "never became true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Frames by hand.
struct Agent(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Agent {
    async fn connect(hub: &Running) -> Self {
        let mut request = format!("ws://{}/api/v1/ingest", hub.address).into_client_request().unwrap();
        request.headers_mut().insert("Authorization", format!("Bearer {}", hub.token).parse().unwrap());
        request.headers_mut().insert("Sec-WebSocket-Protocol", telltale_wire::SUBPROTOCOL.parse().unwrap());
        let (socket, response) = tokio_tungstenite::connect_async(request).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], telltale_wire::SUBPROTOCOL);
        Self(socket)
    }

    async fn send(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut frame = Vec::new();
        encode(&mut frame);
        self.0.send(Message::binary(frame)).await.unwrap();
    }

    /// The hub's next frame, as its Debug text; a close frame as its code.
    async fn hear(&mut self) -> String {
        loop {
            match tokio::time::timeout(PATIENCE, self.0.next()).await.expect("the hub answers") {
                Some(Ok(Message::Binary(frame))) => return format!("{:?}", HubFrame::parse(&frame).unwrap()),
                Some(Ok(Message::Close(close))) => return format!("close {}", close.map_or(0, |close| u16::from(close.code))),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return "end".to_owned(),
            }
        }
    }

    async fn hello(&mut self) -> String {
        self.hello_of("gw", 9, &[("site", "north")]).await
    }

    async fn hello_of(&mut self, agent: &str, boot: u64, attributes: &[(&str, &str)]) -> String {
        let hello = Hello { agent, boot, clock_ns: 0, program: "test", attributes: attributes.to_vec() };
        self.send(|out| hello.encode(out)).await;
        self.hear().await
    }

    async fn define(&mut self) {
        self.define_one(0, "d").await;
        self.define_one(1, "e").await;
    }

    /// The metric `n` of the device.
    async fn define_one(&mut self, alias: u32, device: &str) {
        let (labels, value_type) = (Vec::new(), SentType::Number);
        let definition = Definition { alias, device, metric: "n", labels, value_type, unit: None, kind: None };
        self.send(|out| encode_define(&[definition], out)).await;
    }

    async fn batch(&mut self, seq: u64, readings: &[(u32, TimeNs, f64)]) {
        let mut builder = BatchBuilder::new(Limits::default());
        for (alias, time, value) in readings {
            builder.push(*alias, *time, Sent::Float(*value)).unwrap();
        }
        let mut frame = Vec::new();
        builder.encode(seq, &mut frame);
        self.send(|out| out.append(&mut frame)).await;
    }
}

#[actix_web::test]
async fn what_a_program_pushes_through_the_sdk_is_in_the_hub() {
    let hub = Running::start();
    let now = hub.hub.clock.now();
    let open = || {
        let mut config = telltale_sdk::Config::new(format!("ws://{}", hub.address), "gateway-7", hub.dir.path().join("spool"));
        config.token = Some(Token::Text(hub.token.clone()));
        config.attributes = vec![("site".to_owned(), "north".to_owned())];
        Client::open(config).unwrap()
    };
    let client = open();
    client
        .push(vec![
            Reading::new("pump", "temp", 21.5).at(now - 2).unit("°C"),
            Reading::new("pump", "turns", 4_711).at(now - 2).kind(SentKind::Counter).label("axis", "x"),
            Reading::new("pump", "on", true).at(now - 2),
            Reading::new("pump", "state", "läuft").at(now - 2),
            Reading::new("pump", "temp", 21.5).at(now - 2),
            Reading::new("pump", "a/b", 1).at(now),
        ])
        .unwrap();
    eventually("all is answered", || client.stats().unsent == 0).await;
    let stats = client.stats();
    assert_eq!((stats.stored, stats.duplicate, stats.rejected), (4, 1, 1), "{stats:?}");
    assert_eq!(client.close(PATIENCE).await.unsent, 0);

    assert_eq!(hub.last("pump", "temp", &[]), Some((now - 2, Value::Float(21.5))));
    assert_eq!(hub.last("pump", "turns", &[("axis", "x")]), Some((now - 2, Value::Int(4_711))));
    assert_eq!(hub.last("pump", "on", &[]), Some((now - 2, Value::Bool(true))));
    assert_eq!(hub.last("pump", "state", &[]), Some((now - 2, Value::Text("läuft".into()))));
    let turns = hub.hub.series.by_key(&KeyRef { device: "pump", metric: "turns", labels: &[("axis", "x")] }.to_key()).unwrap();
    assert_eq!(turns.kind(), crate::model::Kind::Counter);
    let refused = hub.hub.refusals.recent();
    assert_eq!((refused.len(), &*refused[0].metric), (1, "a/b"));
    let site = || hub.hub.devices.description("gateway-7").and_then(|is| is.attributes.get("site").cloned());
    eventually("the attributes of hello are kept", || site().as_deref() == Some("north")).await;

    let client = open();
    client.push(vec![Reading::new("pump", "temp", 22.0).at(now - 1)]).unwrap();
    assert_eq!(client.close(PATIENCE).await.unsent, 0, "the second run goes on where the first stopped");
    assert_eq!(hub.last("pump", "temp", &[]), Some((now - 1, Value::Float(22.0))));
}

#[actix_web::test]
async fn attributes_of_a_hello_reach_those_who_watch_and_the_rules_of_retention() {
    let hub = Running::start_with(|config| {
        let text = "*/*{@site=\"north\"}".to_owned();
        let select = Selector::parse(&text).unwrap();
        config.retention.push(RetentionRule { select, text, keep: None, keep_rollups: None, priority: 0 });
    });
    let mut before = Agent::connect(&hub).await;
    before.hello_of("elsewhere", 1, &[]).await;
    before.define_one(0, "gw").await;
    before.batch(1, &[(0, hub.hub.clock.now(), 1.0)]).await;
    assert!(before.hear().await.contains("up_to: 1, stored: 1"));
    let series = hub.hub.series.by_key(&KeyRef { device: "gw", metric: "n", labels: &[] }.to_key()).unwrap();
    let rule = || hub.hub.retention.of(&series);
    assert_eq!(rule(), RuleId(0));

    let live = &hub.hub.live;
    let outbox = live.outbox(Encoding::Json);
    let subscribe = r#"{"type":"subscribe","id":"a","select":["*/*{@site=\"north\"}"]}"#;
    let Ok(ClientMessage::Subscribe(subscribe)) = parse_json(subscribe) else { panic!("a subscription") };
    live.tell(Input::Opened(Arc::clone(&outbox))).await.unwrap();
    live.tell(Input::Subscribe { viewer: outbox.viewer, access: crate::auth::local_access(), subscribe }).await.unwrap();
    let (mut heard, mut reading) = (String::new(), None);
    let mut hears = |what: &str| {
        while let Some(frame) = outbox.next(&mut reading) {
            heard.push_str(&String::from_utf8_lossy(&frame));
        }
        heard.contains(what)
    };
    eventually("the snapshot is empty", || hears("\"series\":[]")).await;

    let mut agent = Agent::connect(&hub).await;
    agent.hello_of("gw", 9, &[("site", "north")]).await;
    eventually("the device comes into view", || hears("\"device\":\"gw\"")).await;
    assert_eq!(rule(), RuleId(1));
}

#[actix_web::test]
async fn a_second_connection_of_an_agent_ends_the_first_and_learns_what_is_durable() {
    let hub = Running::start();
    let now = hub.hub.clock.now();
    let mut first = Agent::connect(&hub).await;
    assert!(first.hello().await.contains("last_durable: None"));
    first.define().await;
    first.batch(4, &[(0, now - 3, 1.0), (1, now - 3, 2.0), (0, now - 2, f64::NAN)]).await;
    let ack = first.hear().await;
    assert!(ack.contains("up_to: 4, stored: 2, duplicate: 0") && ack.contains("Row(NotFinite)"), "{ack}");
    assert!(ack.contains(&format!("{:?}", Places::one(1))), "{ack}");

    let mut second = Agent::connect(&hub).await;
    assert!(second.hello().await.contains("last_durable: Some(4)"));
    assert!(first.hear().await.contains("Closing(Closing { code: 4409"));
    assert_eq!(first.hear().await, "close 4409");

    // The first has left, and the seat is still the second's: a third ends that one.
    second.define().await;
    second.batch(5, &[(0, now - 3, 1.0)]).await;
    assert!(second.hear().await.contains("up_to: 5, stored: 0, duplicate: 1"));
    let mut third = Agent::connect(&hub).await;
    third.hello().await;
    assert!(second.hear().await.contains("code: 4409"));
}

#[actix_web::test]
async fn a_connection_ends_with_a_word_and_a_code() {
    let hub = Running::start();
    let now = hub.hub.clock.now();
    let mut agent = Agent::connect(&hub).await;
    agent.hello().await;
    agent.define().await;
    agent.batch(1, &[(0, now, 1.0)]).await;
    agent.send(|out| Goodbye { reason: "done" }.encode(out)).await;
    assert!(agent.hear().await.contains("up_to: 1, stored: 1"));
    assert!(agent.hear().await.contains("Closing(Closing { code: 1000"));
    assert_eq!(agent.hear().await, format!("close {}", CloseCode::Normal.number()));

    let mut agent = Agent::connect(&hub).await;
    agent.hello().await;
    agent.batch(1, &[(7, now, 1.0)]).await;
    assert!(agent.hear().await.contains("batch 1 uses alias 7, which is not defined"));
    assert_eq!(agent.hear().await, "close 1002");

    let mut agent = Agent::connect(&hub).await;
    assert!(agent.hello().await.contains("frame_bytes: 100000,"), "welcome tells the configured limit");
    agent.0.send(Message::binary(vec![3; 100_001])).await.unwrap();
    assert!(agent.hear().await.contains("code: 1009"));
    assert_eq!(agent.hear().await, "close 1009");

    let mut agent = Agent::connect(&hub).await;
    agent.hello().await;
    agent.0.send(Message::text("{}")).await.unwrap();
    assert!(agent.hear().await.contains("code: 1003"));
    assert_eq!(agent.hear().await, "close 1003");
}

#[actix_web::test]
async fn a_hub_that_stops_acks_and_says_when_to_come_again() {
    let mut hub = Running::start();
    let now = hub.hub.clock.now();
    let mut agent = Agent::connect(&hub).await;
    agent.hello().await;
    agent.define().await;
    agent.batch(1, &[(0, now, 1.0)]).await;
    assert!(agent.hear().await.contains("up_to: 1"));
    drop(hub.stop.take());
    let last = agent.hear().await;
    assert!(last.contains("code: 1001") && last.contains("retry_after_ms: Some(1000)"), "{last}");
    assert_eq!(agent.hear().await, "close 1001");
}
