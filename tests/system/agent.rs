//! An agent that nobody but the contract taught: plain MessagePack over a WebSocket.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub struct Agent(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// One reading of `{device, metric, time, value}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    pub device: String,
    pub metric: String,
    pub time: i64,
    pub value: f64,
}

/// What came of a batch.
#[derive(Debug, PartialEq)]
pub enum Answer {
    Ack { seq: u64, stored: u64, duplicate: u64, rejected: usize },
    Retry { seq: u64, code: String },
    Other(rmpv::Value),
}

impl Agent {
    pub async fn connect(address: &str, token: &str) -> Result<Self, Error> {
        let mut request = format!("ws://{address}/api/v1/ingest").into_client_request()?;
        request.headers_mut().insert("Authorization", format!("Bearer {token}").parse().expect("a token is a header value"));
        Ok(Self(tokio_tungstenite::connect_async(request).await?.0))
    }

    pub async fn send(&mut self, frame: Vec<u8>) -> Result<(), Error> {
        self.0.send(Message::binary(frame)).await
    }

    /// The next answer; None when the connection ended.
    pub async fn answer(&mut self) -> Option<Answer> {
        loop {
            match self.0.next().await?.ok()? {
                Message::Binary(bytes) => return Some(parse(&bytes)),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }
}

pub fn batch(seq: u64, readings: &[Sent]) -> Vec<u8> {
    let readings = readings
        .iter()
        .map(|r| {
            rmpv::Value::Map(vec![
                ("device".into(), r.device.as_str().into()),
                ("metric".into(), r.metric.as_str().into()),
                ("time".into(), r.time.into()),
                ("value".into(), r.value.into()),
            ])
        })
        .collect();
    encode(&rmpv::Value::Map(vec![("seq".into(), seq.into()), ("readings".into(), rmpv::Value::Array(readings))]))
}

pub fn encode(value: &rmpv::Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).expect("a Vec takes everything");
    bytes
}

fn parse(mut bytes: &[u8]) -> Answer {
    let value = rmpv::decode::read_value(&mut bytes).expect("an answer is MessagePack");
    let field = |name: &str| value.as_map()?.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, v)| v.clone());
    let number = |name: &str| field(name)?.as_u64();
    if let Some(seq) = number("ack") {
        let rejected = field("rejected").and_then(|r| Some(r.as_array()?.len())).unwrap_or_default();
        let (stored, duplicate) = (number("stored").expect("stored"), number("duplicate").expect("duplicate"));
        return Answer::Ack { seq, stored, duplicate, rejected };
    }
    match number("retry") {
        Some(seq) => Answer::Retry { seq, code: field("code").and_then(|c| Some(c.as_str()?.to_owned())).unwrap_or_default() },
        None => Answer::Other(value),
    }
}
