//! One connection to see whether it works: hello, welcome, goodbye. No reading is sent and no spool is opened.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use telltale_wire::{Goodbye, Hello, HubFrame, Welcome};
use tokio_tungstenite::tungstenite::Message;

use crate::client::Config;
use crate::connect::{Dialer, Socket};
use crate::error::ConnectError;

const WELCOME_DEADLINE: Duration = Duration::from_secs(10);

/// What the hub said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The URL that was connected to, with the path.
    pub url: String,
    /// Name and version of the hub's program.
    pub hub: String,
    /// The hub's clock minus ours, in nanoseconds; the way there and back is in it.
    pub clock_apart_ns: i64,
}

/// Connects as the configuration says and comes back with the hub's welcome.
///
/// # Errors
/// The reason why there is no connection, by name.
pub async fn probe(config: &Config) -> Result<Probe, ConnectError> {
    let dialer = Dialer::new(&config.url, config.token.clone(), config.ca_file.clone())?;
    let url = dialer.url().to_owned();
    let mut socket = dialer.connect().await?;
    let welcome = tokio::time::timeout(WELCOME_DEADLINE, greet(config, &mut socket)).await;
    let (hub, clock_apart_ns) = welcome
        .unwrap_or_else(|_| Err(format!("nothing came within {} s", WELCOME_DEADLINE.as_secs())))
        .map_err(|detail| ConnectError::NoWelcome { url: url.clone(), detail })?;
    let mut goodbye = Vec::new();
    Goodbye { reason: "checked" }.encode(&mut goodbye);
    if let Err(error) = socket.send(Message::Binary(goodbye.into())).await {
        tracing::debug!(%error, "the hub was gone before the goodbye");
    }
    Ok(Probe { url, hub, clock_apart_ns })
}

async fn greet(config: &Config, socket: &mut Socket) -> Result<(String, i64), String> {
    let mut hello = Vec::new();
    let attributes = config.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // A boot id of its own: the agent itself may be running, and must not lose its connection to this one.
    let boot = fastrand::u64(..);
    let clock_ns = (config.clock)();
    Hello { agent: &config.agent_id, boot, clock_ns, program: &config.program, attributes }.encode(&mut hello);
    socket.send(Message::Binary(hello.into())).await.map_err(|error| error.to_string())?;
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(bytes))) => {
                return match HubFrame::parse(&bytes) {
                    Ok(HubFrame::Welcome(Welcome { hub_time_ns, program, .. })) => {
                        Ok((program.to_owned(), hub_time_ns.saturating_sub(clock_ns)))
                    }
                    Ok(HubFrame::Closing(closing)) => Err(format!("closing {}: {}", closing.code, closing.reason)),
                    Ok(_) => Err("another frame came".to_owned()),
                    Err(error) => Err(format!("a frame that cannot be read: {error}")),
                };
            }
            Some(Ok(Message::Close(Some(frame)))) => return Err(format!("closed: {} {}", frame.code, frame.reason)),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(_)) => return Err("it sent text, or closed without a reason".to_owned()),
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err("the connection ended".to_owned()),
        }
    }
}
