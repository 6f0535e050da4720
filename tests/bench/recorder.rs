//! What the hub takes for an InfluxDB, and only keeps the bodies that it writes: so that the same can be written to influxd directly.
//! It may be held up, so that the hub has a backlog, as it has before a real one, and its bodies are as large.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

/// With the organisation "o" and the bucket "b". Its threads end with the bench.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) url: String,
    bodies: Bodies,
    gate: Arc<Mutex<()>>,
}

type Bodies = Arc<Mutex<Vec<String>>>;

impl Recorder {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
        let bodies = Bodies::default();
        let gate = Arc::default();
        let (kept, open) = (Arc::clone(&bodies), Arc::clone(&gate));
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (connection, kept, open) = (connection.expect("a connection"), Arc::clone(&kept), Arc::clone(&open));
                std::thread::spawn(move || answer(&connection, &kept, &open));
            }
        });
        Self { url, bodies, gate }
    }

    /// Nothing is answered meanwhile.
    pub(crate) fn hold(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().expect("nobody failed")
    }

    /// In the order in which they came.
    pub(crate) fn bodies(self) -> Vec<String> {
        std::mem::take(&mut *self.bodies.lock().expect("nobody failed"))
    }
}

/// One request after the other, until the hub goes.
fn answer(mut connection: &TcpStream, kept: &Bodies, open: &Mutex<()>) {
    let mut asked = BufReader::new(connection.try_clone().expect("a second handle"));
    while let Some((path, length)) = head(&mut asked) {
        let mut body = String::with_capacity(length);
        asked.by_ref().take(length as u64).read_to_string(&mut body).expect("a body of lines");
        let answer = match path.split('?').next() {
            Some("/api/v2/write") => {
                kept.lock().expect("nobody failed").push(body);
                "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
            }
            Some("/api/v2/buckets") => json(r#"{"buckets":[{"id":"1","orgID":"1","name":"b","retentionRules":[]}]}"#),
            Some("/health") => json(r#"{"name":"influxdb","status":"pass"}"#),
            _ => panic!("the hub asks for {path}"),
        };
        drop(open.lock().expect("nobody failed"));
        connection.write_all(answer.as_bytes()).expect("the hub reads its answer");
    }
}

fn json(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Path and length of the body. None: the hub has gone.
fn head(asked: &mut impl BufRead) -> Option<(String, usize)> {
    let mut lines = asked.by_ref().lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length is a number");
        }
    }
    Some((path, length))
}
