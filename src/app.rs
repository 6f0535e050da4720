//! The one file that wires: opens the hub, binds the ports, runs until told to stop, and stops in order.
//!
//! The order of a stop: refuse what is new, let sessions finish, commit what waits, write the end record. All within
//! `limits::STOP_WITHIN`; what is not done by then is left to the next start, and nothing acked is at risk.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Extensions, Server, ServerHandle};
use actix_web::{App as ActixApp, HttpServer, web};

use crate::clock::Clock;
use crate::config::Config;
use crate::http;
use crate::http::auth::Door;
use crate::http::{line, local};
use crate::hub::{Hub, OpenHubError};
use crate::limits::STOP_WITHIN;
use crate::tls::{Tls, TlsError};

/// What sockets and requests get to finish of a stop; the rest is for the last commits.
const SERVER_STOP: Duration = Duration::from_secs(8);
const COUNT_EVERY: Duration = Duration::from_secs(60);
/// A viewer's kernel buffer: small, so that merging happens in the hub, where it is seen.
const SEND_BUFFER_BYTES: usize = 64 << 10;

/// A hub that is open and bound, not yet running.
pub struct App {
    pub hub: Arc<Hub>,
    pub address: SocketAddr,
    pub door: web::Data<Door>,
    server: Server,
    /// Watches the certificate's files while the hub runs.
    tls: Option<Tls>,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Hub(#[from] OpenHubError),
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("cannot listen on the unix socket for local commands")]
    Local(#[source] io::Error),
}

/// How a running hub ended.
#[derive(Debug)]
pub struct Ended {
    pub why: Why,
    /// The stop took too long, and this is what still runs. To let go of it would be to wait for it: its threads are joined.
    pub unfinished: Option<Arc<Hub>>,
}

/// Why a running hub ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Asked,
    /// The commit log is poisoned: a supervisor should start the hub again, so that recovery reads the disk.
    Poisoned,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("hub", &self.hub).field("address", &self.address).finish_non_exhaustive()
    }
}

impl App {
    /// Opens the data and binds the address. Must be called inside an actix system.
    pub fn build(config: Config, clock: Clock) -> Result<Self, StartError> {
        let address = config.listen.address;
        let tls = config.listen.tls.clone().map(Tls::open).transpose()?;
        let hub = Arc::new(Hub::open(config, clock)?);
        #[cfg(feature = "parquet")]
        http::spool::sweep(&hub.config.data.dir);
        let listen_error = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let local = local::listen(&hub.config.data.dir).map_err(StartError::Local)?;
        let state = web::Data::from(Arc::clone(&hub));
        let door = web::Data::new(Door::new(Arc::clone(&hub.auth), &hub.config, address));
        let each = (state, door.clone());
        let server = HttpServer::new(move || ActixApp::new().app_data(each.0.clone()).app_data(each.1.clone()).configure(http::routes))
            .on_connect(tune_socket)
            .disable_signals()
            .shutdown_timeout(SERVER_STOP.as_secs())
            .listen_uds(local)
            .map_err(StartError::Local)?;
        let server = match &tls {
            Some(tls) => server.listen_rustls_0_23(listener, tls.config.clone()),
            None => server.listen(listener),
        };
        let server = server.map_err(listen_error)?.run();
        Ok(Self { hub, address, door, server, tls })
    }

    /// Where the hub listens, as an address to open.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until `stop` resolves or the log is poisoned.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<Ended> {
        let Self { hub, server, tls: _watched, .. } = self;
        let stays_up = poison::ended_often(&hub);
        let handle = server.handle();
        let mut serving = tokio::spawn(server);
        let sockets = Arc::clone(&hub.sockets);
        let sweep = tokio::spawn(async move { sockets.run().await });
        let growth = tokio::spawn(note_growth(Arc::clone(&hub)));
        let ended = |why| Ended { why, unfinished: None };
        let why = tokio::select! {
            () = stop => Why::Asked,
            () = poisoned(&hub), if !stays_up => Why::Poisoned,
            result = &mut serving => return result.unwrap_or_else(|error| Err(io::Error::other(error))).map(|()| ended(Why::Asked)),
        };
        if why == Why::Poisoned {
            poison::note_end(&hub);
        }
        let is_done = tokio::time::timeout(STOP_WITHIN, stop_in_order(&hub, &handle)).await.is_ok();
        sweep.abort();
        growth.abort();
        if is_done {
            return Ok(ended(why));
        }
        tracing::warn!("the stop took too long; what was not done is left to the next start");
        Ok(Ended { why, unfinished: Some(hub) })
    }
}

/// Counts what was stored, once a minute, for the forecast of the disk.
async fn note_growth(hub: Arc<Hub>) {
    let mut ticks = tokio::time::interval(COUNT_EVERY);
    loop {
        ticks.tick().await;
        hub.note_growth();
    }
}

async fn stop_in_order(hub: &Hub, server: &ServerHandle) {
    tracing::info!("stopping");
    hub.health.drain();
    hub.stopping.send_replace(true);
    server.stop(true).await;
    hub.stop().await;
    tracing::info!("stopped");
}

/// Resolves when reads have been served long enough after a failed sync.
async fn poisoned(hub: &Hub) {
    drop(hub.health.poisoned().await);
    match hub.config.log.poisoned_exit_after {
        Some(after) => tokio::time::sleep(after).await,
        None => std::future::pending().await,
    }
}

/// A hub that ends with a poisoned log is started again by its supervisor. A disk that fails each time would make that a loop: after
/// three such ends in an hour the hub stays up and serves reads.
mod poison {
    use crate::clock::NS_PER_SEC;
    use crate::hub::Hub;
    use crate::model::TimeNs;

    const ENDS: usize = 3;
    const WITHIN_NS: i64 = 3600 * NS_PER_SEC;

    pub(super) fn ended_often(hub: &Hub) -> bool {
        let often = recent(hub).len() >= ENDS;
        if often {
            tracing::error!("the log was poisoned {ENDS} times within an hour: this run stays up, read-only, if it happens again");
        }
        often
    }

    pub(super) fn note_end(hub: &Hub) {
        let mut ends = recent(hub);
        ends.push(hub.clock.now());
        let text: String = ends.iter().map(|at| format!("{at}\n")).collect();
        if let Err(error) = std::fs::write(hub.config.data.dir.join("poisoned"), text) {
            tracing::warn!(%error, "this end is not counted: the disk takes no writes");
        }
    }

    fn recent(hub: &Hub) -> Vec<TimeNs> {
        let now = hub.clock.now();
        let text = std::fs::read_to_string(hub.config.data.dir.join("poisoned")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).filter(|at| now.saturating_sub(*at) < WITHIN_NS).collect()
    }
}

/// Small frames leave at once; a peer that takes nothing for a minute is gone.
fn tune_socket(connection: &dyn std::any::Any, data: &mut Extensions) {
    local::mark(connection, data);
    line::keep(connection, data);
    let Some(fd) = line::socket(connection).filter(|_| !local::is_local(connection)) else { return };
    let socket = socket2::SockRef::from(&fd);
    let tuned = socket
        .set_tcp_nodelay(true)
        .and_then(|()| socket.set_send_buffer_size(SEND_BUFFER_BYTES))
        .and_then(|()| socket.set_tcp_user_timeout(Some(crate::limits::VIEWER_DEAD)));
    if let Err(error) = tuned {
        // The connection works all the same, only slower to notice a dead peer.
        tracing::debug!(%error, "a socket option was not taken");
    }
}
