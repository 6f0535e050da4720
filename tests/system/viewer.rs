//! Viewers of a hub, spoken to byte by byte: a WebSocket of JSON text, and requests that are cut off where a test wants it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value as Json;

pub struct Viewer(pub TcpStream);

impl Viewer {
    /// Sends the handshake and reads the answer's head.
    pub fn connect(address: &str, token: &str) -> Self {
        let mut viewer = Self::dial(address);
        viewer.shake(address, token);
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            viewer.0.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        viewer
    }

    pub fn dial(address: &str) -> Self {
        let tcp = TcpStream::connect(address).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        tcp.set_nodelay(true).unwrap();
        Self(tcp)
    }

    pub fn shake(&mut self, address: &str, token: &str) {
        let request = format!(
            "GET /api/v1/live HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        self.0.write_all(request.as_bytes()).unwrap();
    }

    pub fn send(&mut self, first: u8, payload: &[u8]) {
        let length = u16::try_from(payload.len()).unwrap();
        let mut frame = vec![first, 0x80 | 126];
        frame.extend(length.to_be_bytes());
        frame.extend([0; 4]); // a mask of zeros leaves the payload as it is
        frame.extend(payload);
        self.0.write_all(&frame).unwrap();
    }

    pub fn say(&mut self, message: &Json) {
        self.send(0x81, message.to_string().as_bytes());
    }

    /// The next message; None: a close frame, or the end.
    pub fn next(&mut self) -> Option<Json> {
        loop {
            let mut head = [0; 2];
            self.0.read_exact(&mut head).ok()?;
            let mut length = vec![0; [0, 2, 8][usize::from(head[1] == 126) + 2 * usize::from(head[1] == 127)]];
            self.0.read_exact(&mut length).ok()?;
            let length = if length.is_empty() { usize::from(head[1]) } else { length.iter().fold(0, |n, b| n << 8 | usize::from(*b)) };
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).ok()?;
            match head[0] {
                0x81 => return Some(serde_json::from_slice(&payload).unwrap()),
                0x88 => return None,
                _ => {}
            }
        }
    }
}

/// What a viewer of one subscription holds: by `device/metric` and ms.
#[derive(Debug, Default)]
pub struct Held {
    names: BTreeMap<u64, String>,
    pub points: BTreeMap<String, BTreeMap<i64, Json>>,
    pub patches: usize,
}

impl Held {
    pub fn apply(&mut self, message: &Json) {
        for series in message["series"].as_array().into_iter().flatten() {
            let name = format!("{}/{}", series["device"].as_str().unwrap(), series["metric"].as_str().unwrap());
            self.names.insert(series["series"].as_u64().unwrap(), name);
        }
        for range in message["ranges"].as_array().into_iter().flatten() {
            let (from, to) = (range["from"].as_f64().unwrap(), range["to"].as_f64().unwrap());
            let held = self.points.entry(self.names[&range["series"].as_u64().unwrap()].clone()).or_default();
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century")]
            held.retain(|time, _| !(from..=to).contains(&(*time as f64)));
            held.extend(range["points"].as_array().unwrap().iter().map(|p| (p[0].as_i64().unwrap(), p[1].clone())));
        }
        self.patches += usize::from(message["type"] == "patch");
        for series in message["series"].as_array().into_iter().flatten() {
            let held = self.points.entry(self.names[&series["series"].as_u64().unwrap()].clone()).or_default();
            held.extend(series["points"].as_array().into_iter().flatten().map(|p| (p[0].as_i64().unwrap(), p[1].clone())));
        }
        for point in message["points"].as_array().into_iter().flatten() {
            let held = self.points.entry(self.names[&point[0].as_u64().unwrap()].clone()).or_default();
            held.insert(point[1].as_i64().unwrap(), point[2].clone());
        }
    }
}
