//! `GET openapi.json`: the document of all routes, made from the handlers themselves. A test compares it with the list of routes.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::error::ErrorBody;
use super::{
    backup, check, devices, export, health, history, import, last, live, login, metrics, series, sse, stats, status, tickets, tokens, top,
    write,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Telltale",
        description = "An IoT telemetry hub. Times are milliseconds since 1970 UTC unless it is said otherwise. A refusal is \
                       `{\"error\":{\"code\",\"message\",\"hint\"?}}`. What is out of a token's scope does not exist for it."
    ),
    paths(
        health::healthz, health::readyz, health::ping, health::health, metrics::metrics, status::status, status::refusals,
        check::check, stats::stats, backup::backup,
        history::history, history::erase::erase, export::export, import::import, last::last, series::list, top::top,
        devices::list, devices::one, devices::edit,
        crate::ingest::socket::ingest, write::write_v2, write::write_v1, live::live, sse::events, tickets::create,
        login::login, login::create_link, login::logout, login::session, login::list, login::end,
        tokens::list, tokens::create, tokens::revoke,
        document,
    ),
    components(schemas(ErrorBody, export::RowFormatParam, history::FillParam, history::FormatParam, history::GroupParam, history::TimeParam, history::WeekdayParam)),
    modifiers(&Security, &Refusals),
    security(("token" = []), ("session" = [])),
)]
struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A token of `telltale token create`.")).build();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
        let cookie = ApiKeyValue::with_description("telltale_HUBID", "The session of a browser that logged in.");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

/// What any resource may answer besides what its handler names: said once, here.
struct Refusals;

impl Modify for Refusals {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                let is_open = operation.security.as_ref().is_some_and(|needs| needs.contains(&SecurityRequirement::default()));
                let has_body = operation.request_body.is_some();
                let rows = [
                    (!is_open, "401", "`unauthorized`: no token or session, or one that has ended."),
                    (!is_open, "403", "`forbidden`: the role or the Origin does not allow it."),
                    (has_body || operation.parameters.is_some(), "400", "`bad_parameter`."),
                    (path.contains('{'), "404", "`not_found`."),
                    (has_body, "413", "`too_large`."),
                    (true, "default", "The hub cannot answer now: `draining`, `disk_full` or `internal`."),
                ];
                for (_, status, what) in rows.into_iter().filter(|(applies, ..)| *applies) {
                    let refusal = || RefOr::T(refusal(what));
                    operation.responses.responses.entry(status.to_owned()).or_insert_with(refusal);
                }
            }
        }
    }
}

fn refusal(what: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
    ResponseBuilder::new().description(what).content("application/json", content).build()
}

static JSON: LazyLock<String> = LazyLock::new(|| Document::openapi().to_json().expect("a document made of names is JSON"));

/// This document. Open to anyone: it holds no data.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "health", security(()),
    responses((status = 200, content_type = "application/json", description = "OpenAPI 3.1.")))]
pub async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(JSON.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// `METHOD /path` of every `at("/path", "METHOD, METHOD")` in the list of routes; HEAD goes without saying where GET is listed.
    fn routes() -> BTreeSet<String> {
        let source = include_str!("mod.rs");
        let (outer, api) = source.split_once("fn api_v1").unwrap();
        let in_part = |part: &'static str, prefix: &'static str| {
            part.split(".service(at(\"").skip(1).flat_map(move |rest| {
                let (path, rest) = rest.split_once("\", \"").unwrap();
                let (methods, _) = rest.split_once('"').unwrap();
                methods.split(", ").filter(|method| *method != "HEAD").map(move |method| format!("{method} {prefix}{path}"))
            })
        };
        in_part(outer, "").chain(in_part(api, "/api/v1")).collect()
    }

    #[test]
    fn the_document_holds_every_route_and_no_other() {
        let document: Value = serde_json::from_str(&JSON).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        let mut documented = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            documented.extend(methods.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())));
        }
        assert_eq!(documented, routes());
        assert!(documented.contains("GET /api/v1/history") && documented.contains("PATCH /api/v1/devices/{id}"));
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document: Value = serde_json::from_str(&JSON).unwrap();
        let mut open = vec![&document];
        let mut references = 0;
        while let Some(value) = open.pop() {
            match value {
                Value::Object(map) => {
                    if let Some(Value::String(target)) = map.get("$ref") {
                        references += 1;
                        assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{target}");
                    }
                    open.extend(map.values());
                }
                Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
        assert!(references > 20, "{references}");
    }
}
