//! `healthz`: the hub answers. `readyz`: it takes readings now; 503 with the reasons while it does not. Open to anyone, so that
//! a supervisor needs no token; nothing here tells more than that.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use telltale_wire::BatchCode;
use utoipa::ToSchema;

use crate::hub::Hub;

#[derive(Debug, Serialize, ToSchema)]
pub struct ReadyBody {
    ready: bool,
    reasons: Vec<Reason>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Reason {
    code: &'static str,
    message: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct HealthBody {
    name: &'static str,
    /// `pass` or `fail`.
    status: &'static str,
    message: String,
    version: &'static str,
}

impl From<(BatchCode, String)> for Reason {
    fn from((code, message): (BatchCode, String)) -> Self {
        Self { code: code.as_str(), message }
    }
}

#[utoipa::path(get, path = "/healthz", tag = "health", security(()), responses((status = 200, body = String, content_type = "text/plain", description = "The hub answers.")))]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// Whose way of writing is spoken: clients of both versions read it in the answer to a ping, and some fail without it.
const INFLUXDB: [(&str, &str); 2] = [("X-Influxdb-Build", "Telltale"), ("X-Influxdb-Version", "v2.7.12")];

/// What clients of InfluxDB look for before they write.
#[utoipa::path(get, path = "/ping", tag = "health", security(()), responses((status = 204, description = "The hub answers.")))]
pub async fn ping() -> HttpResponse {
    let mut response = HttpResponse::NoContent();
    for header in INFLUXDB {
        response.insert_header(header);
    }
    response.finish()
}

/// `readyz` in the words of InfluxDB, for its clients.
#[utoipa::path(get, path = "/health", tag = "health", security(()),
    responses((status = 200, body = HealthBody), (status = 503, body = HealthBody, description = "Readings are not taken now.")))]
pub async fn health(hub: web::Data<Hub>) -> HttpResponse {
    let reasons: Vec<String> = hub.reasons().into_iter().map(|(code, message)| format!("{code}: {message}")).collect();
    let is_well = reasons.is_empty();
    let message = if is_well { "ready for writes".to_owned() } else { reasons.join("; ") };
    let mut response = if is_well { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    let status = if is_well { "pass" } else { "fail" };
    response.json(HealthBody { name: "telltale", status, message, version: env!("CARGO_PKG_VERSION") })
}

#[utoipa::path(get, path = "/readyz", tag = "health", security(()),
    responses((status = 200, body = ReadyBody), (status = 503, body = ReadyBody, description = "Readings are not taken now.")))]
pub async fn readyz(hub: web::Data<Hub>) -> HttpResponse {
    let reasons: Vec<Reason> = hub.reasons().into_iter().map(Reason::from).collect();
    let mut response = if reasons.is_empty() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(ReadyBody { ready: reasons.is_empty(), reasons })
}
