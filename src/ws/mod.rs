//! What every WebSocket of the hub needs, agents' and viewers' alike: the handshake, a guard on the bytes that come in, whole
//! messages out of them, and a body that actix pulls frames from when it can write.
//!
//! guard (pure: headers as they pass) -> incoming (messages, pongs, close replies) -> the session's own loop
//! the session's frames -> body (frames, pings, the close frame) -> actix. `peer` is the state both sides share; `registry` is
//! the one sweep that pings them all.
//!
//! Invariants: nothing beyond the message limit is buffered, whatever a header declares. Nobody awaits a peer here: what cannot
//! be written waits in the source of the frames, which bounds it. Every socket that ends is sent a close frame first, if the
//! connection still takes it.

mod body;
mod frame;
mod guard;
mod incoming;
mod peer;
mod registry;

use actix_http::ws::HandshakeError;
use actix_web::http::header::SEC_WEBSOCKET_PROTOCOL;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};

pub use self::body::Frames;
pub use self::frame::{Kind, frame};
pub use self::incoming::{End, Incoming, Message};
pub use self::peer::{Lifetime, Peer};
pub use self::registry::Registry;

/// A socket after its handshake: the answer to give to actix, and the two ends of the connection.
#[derive(Debug)]
pub struct Opened {
    pub response: HttpResponse,
    pub incoming: Incoming,
    pub peer: std::sync::Arc<Peer>,
    /// The subprotocol agreed on, one of those offered.
    pub protocol: Option<&'static str>,
}

/// The version of RFC 6455, and the only one.
pub const VERSION: &str = "13";

/// Why a request is no handshake.
#[derive(Debug, thiserror::Error)]
pub enum NoHandshake {
    #[error("Sec-WebSocket-Version is not {VERSION}")]
    Version,
    #[error("{0}")]
    Other(actix_web::Error),
}

impl From<actix_web::Error> for NoHandshake {
    fn from(error: actix_web::Error) -> Self {
        match error.as_error::<HandshakeError>() {
            Some(HandshakeError::UnsupportedVersion | HandshakeError::NoVersionHeader) => Self::Version,
            _ => Self::Other(error),
        }
    }
}

/// Answers a handshake. `frames`: where the frames to the peer come from.
pub async fn open(
    request: &HttpRequest,
    payload: web::Payload,
    protocols: &[&'static str],
    message_bytes: usize,
    lifetime: Lifetime,
    registry: &Registry,
    frames: impl Frames + 'static,
) -> Result<Opened, NoHandshake> {
    let peer = registry.join(lifetime);
    let (guarded, source) = incoming::guarded(payload.into_inner(), message_bytes, &peer);
    // The one way to a `web::Payload` of our own that actix-web offers.
    let payload = web::Payload::from_request(request, &mut actix_web::dev::Payload::from(guarded)).await?;
    let (response, _, messages) = actix_ws::handle_with_protocols(request, payload, protocols)?;
    let protocol = response.headers().get(SEC_WEBSOCKET_PROTOCOL).and_then(|agreed| protocols.iter().find(|p| *agreed == **p)).copied();
    let response = response.map_body(|_, held| body::Body::new(held, std::sync::Arc::clone(&peer), frames)).map_into_boxed_body();
    let incoming = Incoming::new(messages.max_frame_size(message_bytes), source, std::sync::Arc::clone(&peer), message_bytes);
    Ok(Opened { response, incoming, peer, protocol })
}
