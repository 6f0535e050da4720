//! Every route of the hub, in one list; one file per resource; `error` is the one table code -> status, `auth` says who asks.
//!
//! Invariant: an answer is JSON (or the page), refusals too; every answer carries the security headers; query strings, which
//! may hold a ticket, are not logged.

pub mod assets;
pub mod auth;
pub mod backup;
mod bare;
pub mod body;
pub mod check;
pub mod complete;
pub mod devices;
mod encoding;
pub mod error;
pub mod export;
pub mod health;
pub mod history;
pub mod import;
pub mod influxql;
pub mod last;
pub mod line;
pub mod live;
pub mod local;
pub mod login;
pub mod metrics;
pub mod openapi;
pub mod params;
pub mod series;
pub mod series_stats;
mod short;
#[cfg(feature = "parquet")]
pub mod spool;
pub mod sse;
pub mod stats;
pub mod status;
pub mod stream;
pub mod task;
pub mod tickets;
pub mod tokens;
pub mod top;
mod unread;
pub mod write;

use actix_web::dev::{Service, ServiceResponse};
use actix_web::error::{JsonPayloadError, PathError, QueryPayloadError};
use actix_web::http::Method;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use actix_web::middleware::{Compress, DefaultHeaders, from_fn};
use actix_web::{HttpRequest, HttpResponse, Resource, web};

use self::encoding::varies;
use self::error::{ApiError, ErrorCode};
use crate::ingest;
use crate::limits::JSON_BYTES;

/// Needs in the app's data: `web::Data<Hub>` and `web::Data<auth::Door>`.
pub fn routes(app: &mut web::ServiceConfig) {
    app.service(
        web::scope("")
            .wrap_fn(|mut request, next| {
                let (method, path, version) = (request.method().clone(), request.path().to_owned(), request.version());
                let is_head = bare::as_get(&mut request);
                let chunked = unread::watch(&mut request);
                // The files of the page were compressed at build, in more than one form.
                if path.starts_with("/api/") {
                    encoding::keep_gzip(request.headers_mut());
                }
                let answer = next.call(request);
                async move {
                    let answer: ServiceResponse<_> = answer.await?;
                    tracing::debug!(%method, path, status = answer.status().as_u16(), "request");
                    let answer = bare::fit(answer, is_head, version);
                    Ok(match chunked {
                        Some(chunked) => chunked.held_by(answer).await,
                        None => answer,
                    })
                }
            })
            .wrap(security_headers())
            .app_data(json())
            .app_data(web::QueryConfig::default().error_handler(|error, _| query_error(&error).into()))
            .app_data(web::PathConfig::default().error_handler(|error, request| path_error(&error, request).into()))
            .service(at("/healthz", "GET, HEAD").get(health::healthz))
            .service(at("/readyz", "GET, HEAD").get(health::readyz))
            .service(at("/ping", "GET, HEAD").get(health::ping))
            .service(at("/health", "GET, HEAD").get(health::health))
            .service(at("/metrics", "GET, HEAD").get(metrics::metrics))
            .service(at("/query", "GET, HEAD, POST").get(influxql::get).post(influxql::post))
            .service(at("/write", "POST").post(write::write_v1))
            .service(at("/api/v2/write", "POST").post(write::write_v2))
            .service(web::scope("/api/v1").configure(api_v1).default_service(web::to(no_such_resource)))
            // A client of another API must not take the page for an answer.
            .service(web::scope("/api").default_service(web::to(no_such_resource)))
            .default_service(web::to(assets::serve)),
    );
    app.default_service(web::to(no_path).wrap(from_fn(unread::looked_after)));
}

/// One line each: who may use it is in the handler's arguments (`Admin`, `Reader`, `Writer`, ...). HEAD is answered as GET.
///
/// Answers that may be long are compressed as they are streamed, for who asks with `Accept-Encoding: gzip`.
fn api_v1(api: &mut web::ServiceConfig) {
    api.service(at("/login", "POST").post(login::login))
        .service(at("/login/link", "POST").post(login::create_link))
        .service(at("/logout", "POST").post(login::logout))
        .service(at("/session", "GET, HEAD").get(login::session))
        .service(at("/sessions", "GET, HEAD").get(login::list))
        .service(at("/sessions/{id}", "DELETE").delete(login::end))
        .service(at("/tokens", "GET, HEAD, POST").get(tokens::list).post(tokens::create))
        .service(at("/tokens/{id}", "DELETE").delete(tokens::revoke))
        .service(
            at("/history", "GET, HEAD, DELETE")
                .get(history::history)
                .delete(history::erase::erase)
                .wrap(Compress::default())
                .wrap(varies()),
        )
        .service(at("/export", "GET, HEAD").get(export::export).wrap(Compress::default()).wrap(varies()))
        .service(at("/import", "POST").post(import::import))
        .service(at("/last", "GET, HEAD").get(last::last).wrap(Compress::default()).wrap(varies()))
        .service(at("/series", "GET, HEAD").get(series::list).wrap(Compress::default()).wrap(varies()))
        .service(at("/series/top", "GET, HEAD").get(top::top))
        .service(at("/complete", "GET, HEAD").get(complete::complete))
        .service(at("/devices", "GET, HEAD").get(devices::list).wrap(Compress::default()).wrap(varies()))
        .service(at("/devices/{id}", "GET, HEAD, PATCH").get(devices::one).patch(devices::edit))
        .service(at("/stats", "GET, HEAD").get(stats::stats))
        .service(at("/backup", "POST").post(backup::backup))
        .service(at("/check", "POST").post(check::check))
        .service(at("/status", "GET, HEAD").get(status::status))
        .service(at("/status/refusals", "GET, HEAD").get(status::refusals))
        .service(at("/openapi.json", "GET, HEAD").get(openapi::document))
        .service(at("/ingest", "GET, HEAD").get(ingest::socket::ingest))
        .service(at("/live", "GET, HEAD").get(live::live))
        .service(at("/live/sse", "GET, HEAD").get(sse::events))
        .service(at("/live/ticket", "POST").post(tickets::create));
}

/// A resource that answers other methods with what it takes. To pages of other origins nothing is allowed.
fn at(path: &str, allow: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move |request: HttpRequest| async move {
        match *request.method() {
            Method::OPTIONS => Ok(HttpResponse::NoContent().insert_header((ALLOW, allow)).finish()),
            _ => Err(ApiError::method_not_allowed(request.method().as_str(), request.path(), allow)),
        }
    }))
}

/// Of the forms that a target may have, `*` alone is no path: it asks for the whole server.
async fn no_path(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    match *request.method() {
        Method::OPTIONS => Ok(HttpResponse::NoContent().insert_header((ALLOW, "GET, HEAD, POST, PATCH, DELETE, OPTIONS")).finish()),
        _ => Err(ApiError::not_found("the target of a request is a path, which begins with /")),
    }
}

async fn no_such_resource(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    Err(ApiError::not_found(format!("there is no {}", request.path())).with_hint("GET /api/v1/openapi.json lists what there is"))
}

/// The page is one bundle from this hub and talks to this hub alone; nothing else may load, frame or be told of it.
fn security_headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
             manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ))
        .add((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // What says nothing else of it, which is all but the page's files, is one caller's and of this moment.
        .add((CACHE_CONTROL, "no-store"))
        .add((REFERRER_POLICY, "no-referrer"))
        .add((HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
}

fn json() -> web::JsonConfig {
    web::JsonConfig::default().limit(JSON_BYTES).error_handler(|error, _| {
        let refusal = match &error {
            JsonPayloadError::OverflowKnownLength { .. } | JsonPayloadError::Overflow { .. } => {
                ApiError::new(ErrorCode::TooLarge, format!("the body is larger than {JSON_BYTES} bytes"))
            }
            JsonPayloadError::ContentType => ApiError::parameter("expected a JSON body with `Content-Type: application/json`"),
            JsonPayloadError::Deserialize(why) => ApiError::parameter(format!("the JSON body is not as expected: {why}")),
            other => ApiError::parameter(format!("the body cannot be read: {other}")),
        };
        refusal.into()
    })
}

fn query_error(error: &QueryPayloadError) -> ApiError {
    match error {
        QueryPayloadError::Deserialize(why) => ApiError::parameter(format!("the query is not as expected: {why}")),
        other => ApiError::parameter(format!("the query cannot be read: {other}")),
    }
}

/// A path whose part does not fit names nothing.
fn path_error(error: &PathError, request: &HttpRequest) -> ApiError {
    ApiError::not_found(format!("there is no {} ({error})", request.path()))
}

#[cfg(test)]
mod operator_tests;
#[cfg(test)]
mod readings_tests;
#[cfg(test)]
mod refusals_tests;
#[cfg(test)]
mod revoked_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod transfer_tests;
