//! On connections of their own: what becomes of one whose request had a chunked body that nobody read.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use actix_web::web;

use crate::auth::access::Role;
use crate::http::testing::TestHub;

/// What takes longer has hung.
const PATIENCE: Duration = Duration::from_secs(20);
/// More than actix-http holds of what waits on a socket.
const LONG: usize = 300 << 10;

/// Says `parts`, one by one, and gives all that comes until the connection ends. None: it does not end.
fn exchange(address: SocketAddr, parts: &[Vec<u8>], ends_side: bool) -> Option<String> {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut says = client.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for part in parts {
                // A hub that closes early takes no more of it.
                if says.write_all(part).is_err() {
                    return;
                }
            }
            if ends_side {
                drop(says.shutdown(Shutdown::Write));
            }
        });
        let mut told = Vec::new();
        let mut piece = [0; 4096];
        loop {
            match client.read(&mut piece) {
                Ok(0) => return Some(String::from_utf8(told).unwrap()),
                Ok(read) => told.extend_from_slice(&piece[..read]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    // So that the other side of it comes to its end, too.
                    drop(client.shutdown(Shutdown::Both));
                    return None;
                }
                Err(error) => panic!("after {:?}: {error}", String::from_utf8_lossy(&told)),
            }
        }
    })
}

async fn ask(address: SocketAddr, parts: Vec<Vec<u8>>, ends_side: bool) -> Option<String> {
    web::block(move || exchange(address, &parts, ends_side)).await.unwrap()
}

fn head(line: &str, headers: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{headers}\r\n").into_bytes()
}

fn chunk(bytes: usize) -> Vec<u8> {
    format!("{bytes:x}\r\n{}\r\n", "x".repeat(bytes)).into_bytes()
}

const LAST: &[u8] = b"0\r\n\r\n";
const NEXT: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

fn answers(told: &str) -> usize {
    told.matches("HTTP/1.1 ").count()
}

/// Requests whose answers come at once and after a while, with a body and without, and what each answer begins with.
fn requests(viewer: &str) -> Vec<(Vec<u8>, &'static str)> {
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    vec![
        (head("GET /healthz", ""), "HTTP/1.1 200 "),
        (head("HEAD /healthz", ""), "HTTP/1.1 200 "),
        (head("OPTIONS /healthz", ""), "HTTP/1.1 204 "),
        (head("OPTIONS *", ""), "HTTP/1.1 204 "),
        (head("GET /api/v1/session", &bearer("tt_unknown")), "HTTP/1.1 401 "),
        (head("GET /api/v1/history?select=*/*&from=-1h", &bearer(viewer)), "HTTP/1.1 200 "),
        // Its token is in use by now, so it is refused before anything of its body is read.
        (head("POST /api/v1/tokens", &(bearer(viewer) + "Content-Type: application/json\r\n")), "HTTP/1.1 403 "),
        (head("POST /api/v1/import?format=csv", &bearer("tt_unknown")), "HTTP/1.1 401 "),
        (head("POST /api/v2/write", &bearer("tt_unknown")), "HTTP/1.1 401 "),
    ]
}

#[actix_web::test]
async fn a_long_body_that_nobody_reads_ends_its_connection_behind_the_answer() {
    let test = TestHub::open();
    let (served, viewer) = (test.serve(), test.token(Role::Viewer, None, None));
    for (request, expected) in requests(&viewer) {
        let what = String::from_utf8_lossy(&request).into_owned();
        let parts = vec![request, chunk(LONG), LAST.to_vec(), NEXT.to_vec()];
        let told = ask(served.address, parts, false).await.unwrap_or_else(|| panic!("it hangs: {what}"));
        assert!(told.starts_with(expected) && answers(&told) == 1, "{what}{told}");
        assert!(told.contains("\r\nconnection: close\r\n"), "{what}{told}");
    }
    served.stop().await;
}

#[actix_web::test]
async fn a_body_that_never_ends_holds_no_connection() {
    let test = TestHub::open();
    let (served, viewer) = (test.serve(), test.token(Role::Viewer, None, None));
    for (request, expected) in requests(&viewer) {
        for sent in [0, 100, LONG] {
            let what = format!("{sent} bytes: {}", String::from_utf8_lossy(&request));
            let began = Instant::now();
            let part = if sent == 0 { Vec::new() } else { chunk(sent) };
            let told = ask(served.address, vec![request.clone(), part], false).await.unwrap_or_else(|| panic!("it hangs: {what}"));
            assert!(told.starts_with(expected), "{what}{told}");
            assert!(began.elapsed() < PATIENCE / 2, "{what}{:?}", began.elapsed());
        }
    }
    served.stop().await;
}

#[actix_web::test]
async fn a_body_that_came_whole_with_its_request_costs_nothing() {
    let test = TestHub::open();
    let served = test.serve();
    let whole = |line: &str, body: &str| {
        let chunk = format!("{:x}\r\n{body}\r\n", body.len());
        [&*head(line, "Content-Type: application/json\r\n"), chunk.as_bytes(), LAST].concat()
    };
    // The first is read by nobody, the second by its handler.
    for (line, body, status) in [("GET /healthz", "x", "200"), ("POST /api/v1/login", "{\"code\":\"ttl_x\"}", "401")] {
        let told = ask(served.address, vec![whole(line, body), NEXT.to_vec()], false).await.expect("an end");
        assert!(told.starts_with(&format!("HTTP/1.1 {status} ")) && answers(&told) == 2, "{line}: {told}");
    }
    served.stop().await;
}

#[actix_web::test]
async fn a_client_that_closes_its_side_has_its_answer() {
    let test = TestHub::open();
    let served = test.serve();
    let plain = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
    for parts in [vec![plain], vec![head("GET /healthz", ""), chunk(100)], vec![head("GET /healthz", ""), chunk(100), LAST.to_vec()]] {
        let told = ask(served.address, parts, true).await.expect("an end");
        assert!(told.starts_with("HTTP/1.1 200 ") && answers(&told) == 1, "{told}");
    }
    served.stop().await;
}
