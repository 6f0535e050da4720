//! `/query`, for clients of InfluxDB 1 that ask for their database before they write. There is none to make here, and they hear that it is
//! there. All else that InfluxQL can ask is refused, with where history is.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;
use url::form_urlencoded;

use super::auth::Writer;
use super::error::ApiError;
use super::short::PlainBody;
use super::write::{Dialect, Refused};

/// What those that are named by `db` have without it.
const DATABASE: &str = "telltale";

/// What clients of InfluxDB 1 ask before they write: `CREATE DATABASE`, `CREATE RETENTION POLICY` and `SHOW DATABASES`. There is nothing to
/// make, so they are told that it is there. `q` may also be in the body, as a form.
#[utoipa::path(post, path = "/query", tag = "ingest",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    params(("q" = Option<String>, Query, example = "CREATE DATABASE \"telegraf\"", description = "One statement of InfluxQL.")),
    responses((status = 200, body = Object, content_type = "application/json", description = "As InfluxDB 1 answers."),
        (status = 400, description = "Another statement, or none.")))]
pub async fn post(request: HttpRequest, body: Result<PlainBody, actix_web::Error>, writer: Result<Writer, ApiError>) -> HttpResponse {
    answer(&request, body, writer)
}

/// The same without a body.
#[utoipa::path(get, path = "/query", tag = "ingest",
    params(("q" = Option<String>, Query, example = "SHOW DATABASES", description = "One statement of InfluxQL.")),
    responses((status = 200, body = Object, content_type = "application/json", description = "As InfluxDB 1 answers."),
        (status = 400, description = "Another statement, or none.")))]
pub async fn get(request: HttpRequest, writer: Result<Writer, ApiError>) -> HttpResponse {
    answer(&request, Ok(PlainBody::default()), writer)
}

fn answer(request: &HttpRequest, body: Result<PlainBody, actix_web::Error>, writer: Result<Writer, ApiError>) -> HttpResponse {
    let body = match writer.map_err(Refused::from).and_then(|_| body.map_err(|error| Refused::unread(&error))) {
        Ok(PlainBody(body)) => body,
        Err(refused) => return Dialect::V1.answer(refused),
    };
    let of = |name: &str| {
        let mut given = form_urlencoded::parse(request.query_string().as_bytes()).chain(form_urlencoded::parse(&body));
        given.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    };
    let statement = of("q").unwrap_or_default();
    let words: Vec<String> = statement.trim_end_matches(';').split_whitespace().take(3).map(str::to_ascii_uppercase).collect();
    let result = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["CREATE", "DATABASE", _] | ["CREATE", "RETENTION", "POLICY"] => json!({ "statement_id": 0 }),
        ["SHOW", "DATABASES", ..] => {
            let database = of("db").unwrap_or_else(|| DATABASE.to_owned());
            json!({ "statement_id": 0, "series": [{ "name": "databases", "columns": ["name"], "values": [[database]] }] })
        }
        _ => {
            let message =
                "this hub answers CREATE DATABASE, CREATE RETENTION POLICY and SHOW DATABASES; history is asked for at /api/v1/history";
            return Dialect::V1.answer(Refused::invalid(message));
        }
    };
    HttpResponse::Ok().json(json!({ "results": [result] }))
}
