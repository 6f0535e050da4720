//! `POST live/ticket`: for a live socket of a page that cannot send a header. 30 seconds, once (`live?ticket=T`).

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{Door, Reader};
use super::error::ApiError;
use super::params::NoParams;

#[derive(Debug, Serialize, ToSchema)]
pub struct TicketBody {
    ticket: String,
}

/// A ticket with the access of the one who asks.
#[utoipa::path(post, path = "/api/v1/live/ticket", tag = "live", responses((status = 200, body = TicketBody)))]
pub async fn create(reader: Reader, _: NoParams, door: web::Data<Door>) -> Result<HttpResponse, ApiError> {
    let ticket = door.auth.create_ticket(reader.0)?.reveal().to_owned();
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(TicketBody { ticket }))
}
