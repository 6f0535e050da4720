//! From a URL to an open WebSocket, step by step, so that each failure can be named: name, TCP, TLS, upgrade.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::client::Token;
use crate::error::ConnectError;
use crate::tls;

const STEP_DEADLINE: Duration = Duration::from_secs(10);
const INGEST_PATH: &str = "/api/v1/ingest";
/// One connection needs no more; the library's default is 128 KiB.
const READ_BUFFER_BYTES: usize = 4 << 10;
/// The biggest frame a hub may send: an ack that refuses many readings, each with its message.
const HUB_FRAME_BYTES_MAX: usize = 16 << 20;

pub(crate) type Socket = WebSocketStream<Box<dyn Stream>>;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where to connect and with what. Files are read anew for each connection.
#[derive(Debug, Clone)]
pub(crate) struct Dialer {
    target: Target,
    token: Option<Token>,
    ca_file: Option<PathBuf>,
}

/// A URL that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    /// As it is shown: scheme, host, port, path.
    url: String,
    tls: bool,
    host: String,
    port: u16,
}

impl Dialer {
    pub(crate) fn new(url: &str, token: Option<Token>, ca_file: Option<PathBuf>) -> Result<Dialer, ConnectError> {
        Ok(Dialer { target: Target::parse(url)?, token, ca_file })
    }

    pub(crate) fn url(&self) -> &str {
        &self.target.url
    }

    pub(crate) async fn connect(self) -> Result<Socket, ConnectError> {
        // Files first: what is wrong with them is wrong whatever the network does.
        let request = self.request()?;
        let tls = self.tls_config().await?;
        let tcp = within("TCP", &self.target, self.target.connect_tcp()).await?;
        // Small frames must not wait for the acks of those before.
        tcp.set_nodelay(true).map_err(|source| self.target.unreachable(source))?;
        let stream: Box<dyn Stream> = match tls {
            Some(config) => within("TLS", &self.target, self.wrap_tls(tcp, config)).await?,
            None => Box::new(tcp),
        };
        within("the WebSocket upgrade", &self.target, self.upgrade(request, stream)).await
    }

    fn request(&self) -> Result<Request, ConnectError> {
        let url = &self.target.url;
        let mut request =
            url.as_str().into_client_request().map_err(|error| ConnectError::BadUrl { url: url.clone(), reason: error.to_string() })?;
        let headers = request.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(telltale_wire::SUBPROTOCOL));
        if let Some(token) = &self.token {
            let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.read()?)).map_err(|_| ConnectError::BadToken)?;
            bearer.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, bearer);
        }
        Ok(request)
    }

    async fn tls_config(&self) -> Result<Option<Arc<ClientConfig>>, ConnectError> {
        if !self.target.tls {
            return Ok(None);
        }
        let ca_file = self.ca_file.clone();
        let config = tokio::task::spawn_blocking(move || tls::client_config(ca_file.as_deref())).await;
        config.expect("reading certificates does not panic").map(Some)
    }

    async fn wrap_tls(&self, tcp: TcpStream, config: Arc<ClientConfig>) -> Result<Box<dyn Stream>, ConnectError> {
        let Target { url, host, .. } = &self.target;
        let name =
            ServerName::try_from(host.clone()).map_err(|error| ConnectError::BadUrl { url: url.clone(), reason: error.to_string() })?;
        let connector = tokio_rustls::TlsConnector::from(config);
        let stream = connector.connect(name, tcp).await.map_err(|error| tls::handshake_error(url, host, &error))?;
        Ok(Box::new(stream))
    }

    async fn upgrade(&self, request: Request, stream: Box<dyn Stream>) -> Result<Socket, ConnectError> {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .max_message_size(Some(HUB_FRAME_BYTES_MAX))
            .max_frame_size(Some(HUB_FRAME_BYTES_MAX));
        match tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await {
            Ok((socket, _)) => Ok(socket),
            Err(error) => Err(self.upgrade_error(error)),
        }
    }

    fn upgrade_error(&self, error: WsError) -> ConnectError {
        let url = self.target.url.clone();
        match error {
            WsError::Http(response) => match response.status().as_u16() {
                401 => ConnectError::Unauthorized { url },
                403 => ConnectError::Forbidden { url },
                503 => ConnectError::NotReady { url },
                status => ConnectError::NotAHub { url, status },
            },
            WsError::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => ConnectError::NoSubprotocol { url },
            WsError::Io(source) => ConnectError::NotWebSocket { url, detail: format!("the connection ended: {source}") },
            error => ConnectError::NotWebSocket { url, detail: error.to_string() },
        }
    }
}

impl Target {
    /// Takes `ws`, `wss`, and `http`, `https` as a browser shows the hub's address; the path is the ingest path if none is given.
    fn parse(url: &str) -> Result<Target, ConnectError> {
        let bad = |reason: &str| ConnectError::BadUrl { url: url.to_owned(), reason: reason.to_owned() };
        let uri: Uri = url.parse().map_err(|error| bad(&format!("{error}")))?;
        let tls = match uri.scheme_str() {
            Some("ws" | "http") => false,
            Some("wss" | "https") => true,
            Some(other) => return Err(bad(&format!("the scheme {other:?} is not known"))),
            None => return Err(bad("the scheme is missing")),
        };
        let authority = uri.authority().ok_or_else(|| bad("the host is missing"))?;
        if authority.as_str().contains('@') {
            return Err(bad("a user or password does not belong there; give the token as token_file"));
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| bad("the host is missing"))?;
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = match uri.path() {
            "" | "/" => INGEST_PATH,
            path => path,
        };
        let scheme = if tls { "wss" } else { "ws" };
        Ok(Target {
            url: format!("{scheme}://{authority}{path}"),
            tls,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
        })
    }

    async fn connect_tcp(&self) -> Result<TcpStream, ConnectError> {
        let addresses = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let addresses: Vec<SocketAddr> = addresses.map_err(|source| self.dns(source))?.collect();
        first_of(&addresses, STEP_DEADLINE).await.map_err(|last| match last.kind() {
            io::ErrorKind::ConnectionRefused => {
                ConnectError::Refused { url: self.url.clone(), host: format!("{}:{}", self.host, self.port) }
            }
            io::ErrorKind::NotFound => self.dns(last),
            _ => self.unreachable(last),
        })
    }

    fn dns(&self, source: io::Error) -> ConnectError {
        ConnectError::Dns { url: self.url.clone(), host: self.host.clone(), source }
    }

    fn unreachable(&self, source: io::Error) -> ConnectError {
        ConnectError::Unreachable { url: self.url.clone(), host: format!("{}:{}", self.host, self.port), source }
    }
}

/// Tries every address of a name. It may have one that nobody listens on (`::1` beside `127.0.0.1`), and one that leads nowhere, as where
/// IPv6 is half set up: that one has its share of the time and no more, or those behind it would never be tried.
async fn first_of(addresses: &[SocketAddr], deadline: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (tried, address) in addresses.iter().enumerate() {
        let connecting = TcpStream::connect(address);
        let connected = if tried + 1 < addresses.len() {
            let share = deadline / u32::try_from(addresses.len()).unwrap_or(u32::MAX);
            let silent = |_| io::Error::new(io::ErrorKind::TimedOut, format!("{address} did not answer within {} ms", share.as_millis()));
            timeout(share, connecting).await.map_err(silent).flatten()
        } else {
            // It has what is left.
            connecting.await
        };
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn within<T>(step: &'static str, target: &Target, work: impl Future<Output = Result<T, ConnectError>>) -> Result<T, ConnectError> {
    timeout(STEP_DEADLINE, work)
        .await
        .unwrap_or_else(|_| Err(ConnectError::Timeout { url: target.url.clone(), step, after_s: STEP_DEADLINE.as_secs() }))
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    #[tokio::test]
    async fn an_address_that_leads_nowhere_leaves_time_for_the_next() {
        let silent = TcpSocket::new_v4().unwrap();
        silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let silent = silent.listen(0).unwrap();
        let nowhere = silent.local_addr().unwrap();
        // Its queue is filled: whoever comes then hears nothing.
        let mut waiting = Vec::new();
        while let Ok(queued) = timeout(Duration::from_millis(50), TcpStream::connect(nowhere)).await {
            waiting.push(queued.unwrap());
        }
        let hub = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let found = timeout(STEP_DEADLINE, first_of(&[nowhere, hub.local_addr().unwrap()], Duration::from_millis(100))).await;
        assert_eq!(found.expect("in time").unwrap().peer_addr().unwrap(), hub.local_addr().unwrap());
        assert_eq!(first_of(&[], STEP_DEADLINE).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn urls() {
        let check = |url: &str, expected: &str| {
            let found = match Target::parse(url) {
                Ok(target) => format!("{} {} {} {}", target.url, target.tls, target.host, target.port),
                Err(error) => error.to_string(),
            };
            assert!(found.contains(expected), "{url}: {found}");
        };
        check("ws://127.0.0.1:8080", "ws://127.0.0.1:8080/api/v1/ingest false 127.0.0.1 8080");
        check("http://hub:8080/", "ws://hub:8080/api/v1/ingest false hub 8080");
        check("https://hub.example", "wss://hub.example/api/v1/ingest true hub.example 443");
        check("wss://hub.example/prefix/api/v1/ingest", "wss://hub.example/prefix/api/v1/ingest true");
        check("wss://[::1]:8443", "wss://[::1]:8443/api/v1/ingest true ::1 8443");
        check("mqtt://hub", "the scheme \"mqtt\" is not known; expected ws://");
        check("hub", "the scheme is missing");
        check("ws://token@hub", "token_file");
        check("", "expected ws://");
    }
}
