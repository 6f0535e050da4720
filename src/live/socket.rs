//! A viewer's socket: its messages go to the engine, its mailbox is pulled by the body of the 101 response.
//!
//! Ends: the viewer closes; its token or session ends (4401, within a second); the hub stops (1001); a frame of the wrong kind
//! (1003); it was idle and a ping stayed unanswered. A viewer that is slow but takes bytes is left alone: the kernel ends the
//! connection when no byte could be written for a minute (TCP_USER_TIMEOUT, set in `app`). Before a close of the hub's the
//! viewer is told why in a `closing` message.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use telltale_wire::CloseCode;

use super::engine::Input;
use super::frame;
use super::outbox::{Outbox, Reading};
use super::protocol::{ClientMessage, Encoding, Refused, parse_json, parse_msgpack};
use super::{Live, Stopped};
use crate::auth::access::Access;
use crate::hub::Hub;
use crate::limits::VIEWER_DEAD;
use crate::ws::{End, Frames, Incoming, Message, Peer};

/// The subprotocol of MessagePack; without it messages are JSON.
pub const MSGPACK_PROTOCOL: &str = "telltale.live.v1.msgpack";

/// When a viewer may come back after the hub said that it stops: a restart takes about this long.
pub(super) const RETRY_AFTER_MS: u32 = 1_000;

/// The source of frames for one socket.
#[derive(Debug)]
pub struct ViewerFrames {
    outbox: Arc<Outbox>,
    reading: Option<Reading>,
}

impl ViewerFrames {
    #[must_use]
    pub fn new(outbox: Arc<Outbox>) -> Self {
        Self { outbox, reading: None }
    }
}

impl Frames for ViewerFrames {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.outbox.poll_next(&mut self.reading, cx)
    }
}

/// One connection, after its handshake.
#[derive(Debug)]
pub struct Connection {
    pub hub: Arc<Hub>,
    pub access: Access,
    pub incoming: Incoming,
    pub peer: Arc<Peer>,
    pub outbox: Arc<Outbox>,
}

/// Why a connection ends.
enum Ending {
    /// The viewer closed, and was answered.
    Closed,
    /// There is nobody to tell.
    Gone,
    Close(CloseCode, String),
}

impl From<Stopped> for Ending {
    fn from(stopped: Stopped) -> Self {
        Self::Close(CloseCode::Failed, stopped.to_string())
    }
}

impl Connection {
    /// Serves until an end.
    pub async fn run(mut self) {
        let hub = Arc::clone(&self.hub);
        let (access, peer, outbox) = (self.access.clone(), Arc::clone(&self.peer), Arc::clone(&self.outbox));
        let mut ended = pin!(ended(&hub, &access, &peer, &outbox));
        let ending = tokio::select! {
            ending = self.serve() => ending,
            ending = &mut ended => ending,
        };
        if hub.live.tell(Input::Gone(outbox.viewer)).await.is_err() {
            tracing::debug!("a viewer left after live had stopped");
        }
        match ending {
            Ending::Gone => {
                peer.finish();
                return;
            }
            Ending::Closed => outbox.with(|mailbox| mailbox.close(None)),
            Ending::Close(code, reason) => {
                say_closing(&outbox, code, &reason);
                peer.close(code, &reason);
            }
        }
        self.incoming.linger().await;
    }

    async fn serve(&mut self) -> Ending {
        if let Err(stopped) = self.hub.live.tell(Input::Opened(Arc::clone(&self.outbox))).await {
            return stopped.into();
        }
        loop {
            let message = match self.incoming.next().await {
                Ok(message) => message,
                Err(End::Closed) => return Ending::Closed,
                Err(End::Gone) => return Ending::Gone,
                Err(End::Broke(code, reason)) => return Ending::Close(code, reason),
            };
            let is_packed = self.outbox.encoding == Encoding::MsgPack;
            let parsed = match message {
                Message::Text(text) if !is_packed => match std::str::from_utf8(&text) {
                    Ok(text) => parse_json(text),
                    Err(_) => return Ending::Close(CloseCode::BadData, "text that is not UTF-8".to_owned()),
                },
                Message::Binary(bytes) if is_packed => parse_msgpack(&bytes),
                Message::Binary(_) => {
                    let reason = format!("binary frame; messages are JSON text unless {MSGPACK_PROTOCOL} was agreed on");
                    return Ending::Close(CloseCode::Unsupported, reason);
                }
                Message::Text(_) => {
                    return Ending::Close(CloseCode::Unsupported, format!("text frame; {MSGPACK_PROTOCOL} is binary"));
                }
            };
            if let Err(ending) = self.take(parsed).await {
                return ending;
            }
        }
    }

    async fn take(&self, parsed: Result<ClientMessage, Refused>) -> Result<(), Ending> {
        let (viewer, live): (_, &Live) = (self.outbox.viewer, &self.hub.live);
        let input = match parsed {
            Err(refused) => {
                let message = frame::error(self.outbox.encoding, &refused);
                self.outbox.with(|mailbox| mailbox.push_error(message));
                return Ok(());
            }
            Ok(ClientMessage::Subscribe(subscribe)) => Input::Subscribe { viewer, access: self.access.clone(), subscribe },
            Ok(ClientMessage::Unsubscribe { id }) => Input::Unsubscribe { viewer, id },
            Ok(ClientMessage::Ping) => {
                // What waits or is on its way answers as well.
                self.outbox.with(|mailbox| mailbox.push_idle(frame::pong(self.outbox.encoding)));
                return Ok(());
            }
        };
        Ok(live.tell(input).await?)
    }
}

/// Resolves when something other than the viewer's messages ends the connection.
async fn ended(hub: &Hub, access: &Access, peer: &Peer, outbox: &Outbox) -> Ending {
    let dead = async {
        loop {
            peer.died().await;
            // Silent for long, but was it idle all the time? Until then its silence is only slowness.
            if outbox.idle().is_some_and(|idle| idle > VIEWER_DEAD) {
                return;
            }
        }
    };
    tokio::select! {
        (code, reason) = dismissed(hub, access) => Ending::Close(code, reason.to_owned()),
        () = dead => Ending::Gone,
    }
}

/// Resolves when the hub is to end a viewer's connection, whatever the viewer does: with the code, and why.
pub(super) async fn dismissed(hub: &Hub, access: &Access) -> (CloseCode, &'static str) {
    tokio::select! {
        () = access.ended() => (CloseCode::TokenEnded, "the token was revoked or has ended"),
        () = hub.stopped() => (CloseCode::Draining, "the hub is stopping"),
    }
}

/// Makes `closing` the last that the viewer is sent.
pub(super) fn say_closing(outbox: &Outbox, code: CloseCode, reason: &str) {
    let retry = (code == CloseCode::Draining).then_some(RETRY_AFTER_MS);
    outbox.with(|mailbox| mailbox.close(Some(frame::closing(outbox.encoding, code.number(), reason, retry))));
}
