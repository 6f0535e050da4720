//! `GET live`: the WebSocket of viewers. What it speaks is in `live`; here is the handshake.

use actix_web::http::header::SEC_WEBSOCKET_PROTOCOL;
use actix_web::{HttpRequest, HttpResponse, web};

use super::auth::LiveReader;
use super::error::ApiError;
use super::line;
use super::params::Params;
use crate::hub::Hub;
use crate::limits::{VIEWER_DEAD, VIEWER_MESSAGE_BYTES};
use crate::live::protocol::Encoding;
use crate::live::socket::{Connection, MSGPACK_PROTOCOL, ViewerFrames};
use crate::ws::{self, Lifetime};

/// Subscriptions to series: a snapshot, then every change. JSON text, or MessagePack by `telltale.live.v1.msgpack`.
#[utoipa::path(get, path = "/api/v1/live", tag = "live",
    params(("ticket" = Option<String>, Query, description = "From `POST live/ticket`, instead of a token; good for one connection.")),
    responses((status = 101, description = "WebSocket")))]
pub async fn live(request: HttpRequest, payload: web::Payload, hub: web::Data<Hub>, reader: LiveReader) -> Result<HttpResponse, ApiError> {
    Params::read(&request, &["ticket"])?;
    line::forget(&request);
    let hub = hub.into_inner();
    let outbox = hub.live.outbox(encoding_wished(&request));
    let lifetime = Lifetime::AnsweredOrWritten(VIEWER_DEAD);
    let frames = ViewerFrames::new(outbox.clone());
    let opened = ws::open(&request, payload, &[MSGPACK_PROTOCOL], VIEWER_MESSAGE_BYTES, lifetime, &hub.sockets, frames).await?;
    debug_assert_eq!(opened.protocol.is_some(), outbox.encoding == Encoding::MsgPack, "one subprotocol is known, here and there");
    let connection = Connection { hub, access: reader.0, incoming: opened.incoming, peer: opened.peer, outbox };
    actix_web::rt::spawn(connection.run());
    Ok(opened.response)
}

/// The mailbox is made before the handshake is answered, so this asks the same question as the handshake will.
fn encoding_wished(request: &HttpRequest) -> Encoding {
    let mut offers = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|offers| offers.to_str().ok());
    if offers.any(|offers| offers.split(',').any(|offer| offer.trim() == MSGPACK_PROTOCOL)) { Encoding::MsgPack } else { Encoding::Json }
}
