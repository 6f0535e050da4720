//! Every way in which a connection fails has a name, the URL and what to do. Against real listeners on loopback.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod certificates;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use certificates::{Ca, acceptor, ca};
use telltale_sdk::{Config, Token, probe};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Answers TLS with a certificate for `name`, valid between the years, and then HTTP 401.
async fn tls_server(ca: &Ca, name: &str, years: (i32, i32)) -> SocketAddr {
    let acceptor = acceptor(ca, name, years);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(tcp).await {
                let mut request = [0; 4096];
                drop(stream.read(&mut request).await);
                drop(stream.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").await);
                drop(stream.shutdown().await);
            }
        }
    });
    address
}

/// Answers every connection with these bytes.
async fn plain_server(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            drop(stream.read(&mut request).await);
            drop(stream.write_all(answer).await);
            drop(stream.shutdown().await);
        }
    });
    address
}

async fn error_of(url: &str, ca_file: Option<&Path>, token: Option<Token>) -> String {
    let mut config = Config::new(url, "agent", "never-opened");
    config.ca_file = ca_file.map(Path::to_owned);
    config.token = token;
    probe(&config).await.expect_err("no hub is there").to_string()
}

#[track_caller]
fn says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "{part:?} is missing in: {error}");
    }
}

#[tokio::test]
async fn certificates() {
    let ours = ca("ours");
    let file = Some(ours.file.path());

    let good = tls_server(&ours, "127.0.0.1", (2020, 2090)).await;
    let url = format!("wss://{good}");
    says(&error_of(&url, file, None).await, &["refused the token (401)", "telltale token create --role agent", &url]);

    let other_name = tls_server(&ours, "hub.example", (2020, 2090)).await;
    let url = format!("wss://{other_name}");
    says(&error_of(&url, file, None).await, &[&url, "another name than \"127.0.0.1\"", "hub.example"]);

    let expired = tls_server(&ours, "127.0.0.1", (2020, 2021)).await;
    says(&error_of(&format!("wss://{expired}"), file, None).await, &["has expired", "renew it on the hub"]);

    let early = tls_server(&ours, "127.0.0.1", (2080, 2090)).await;
    says(&error_of(&format!("wss://{early}"), file, None).await, &["not valid yet", "clock"]);

    let theirs = tls_server(&ca("theirs"), "127.0.0.1", (2020, 2090)).await;
    says(&error_of(&format!("wss://{theirs}"), file, None).await, &["issuer is not known", "ca_file"]);

    let same_name_other_key = tls_server(&ca("ours"), "127.0.0.1", (2020, 2090)).await;
    says(&error_of(&format!("wss://{same_name_other_key}"), file, None).await, &["issuer is not known", "ca_file"]);
}

#[tokio::test]
async fn ca_files() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    says(&error_of("wss://127.0.0.1:1", Some(Path::new("no/such.pem")), None).await, &["ca_file no/such.pem"]);
    let server = plain_server(b"").await;
    let url = format!("wss://{server}");
    says(&error_of(&url, Some(file.path()), None).await, &["no certificate in it", "PEM"]);
    file.write_all(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    says(&error_of(&url, Some(file.path()), None).await, &["ca_file", "PEM"]);
}

#[tokio::test]
async fn wrong_sides_of_tls() {
    let plain = plain_server(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    let ours = ca("ours");
    says(&error_of(&format!("wss://{plain}"), Some(ours.file.path()), None).await, &["no TLS there", "ws:// is meant"]);
    let tls = tls_server(&ours, "127.0.0.1", (2020, 2090)).await;
    says(&error_of(&format!("ws://{tls}"), None, None).await, &["no WebSocket answers there", "whether wss:// is meant"]);
}

#[tokio::test]
async fn answers_that_are_no_hub() {
    let cases: [(&'static [u8], &[&str]); 6] = [
        (b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n", &["refused the token (401)", "token_file"]),
        (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", &["may not send readings (403)"]),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", &["no hub answers there (HTTP 404)", "/api/v1/ingest"]),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", &["no hub answers there (HTTP 200)"]),
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", &["not ready (503)"]),
        (b"SSH-2.0-OpenSSH_9.2\r\n", &["no WebSocket answers there"]),
    ];
    for (answer, parts) in cases {
        let server = plain_server(answer).await;
        let url = format!("ws://{server}");
        let error = error_of(&url, None, None).await;
        says(&error, parts);
        says(&error, &[&url]);
    }
}

#[tokio::test]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("ws://{address}");
    says(&error_of(&url, None, None).await, &[&url, "connection refused", "is the hub running"]);
    says(&error_of("ws://no-such-host.invalid:80", None, None).await, &["\"no-such-host.invalid\" cannot be resolved", "DNS"]);
}

#[tokio::test]
async fn tokens() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let from = |path: &Path| Some(Token::File(path.to_owned()));
    let url = "ws://127.0.0.1:1";
    says(&error_of(url, None, from(Path::new("no/token"))).await, &["token_file no/token", "telltale token create"]);
    says(&error_of(url, None, from(file.path())).await, &["it is empty"]);
    std::fs::write(file.path(), "tt_secret and more\n").unwrap();
    let error = error_of(url, None, from(file.path())).await;
    says(&error, &["it holds more than a token"]);
    assert!(!error.contains("secret"), "no token in an error: {error}");
    let token = Token::Text("tt_secret\u{1}".to_owned());
    assert!(!format!("{token:?}").contains("secret"));
    let error = error_of(url, None, Some(token)).await;
    says(&error, &["characters that no token has"]);
    assert!(!error.contains("secret"), "no token in an error: {error}");
}
