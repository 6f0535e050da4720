//! `GET openapi.json`: the document of all routes, made from the handlers themselves, with what `forms` says of all of them. A test
//! compares it with the list of routes, and tests/interop/test_openapi.py the hub with it. dashboards/openapi.json is a copy, of
//! which the page's types are made; a test compares that too.

pub(super) mod forms;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use serde_json::Value;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use self::forms::{ByName, InfluxRefusal, InfluxRefusalV1, KindName, RoleName, StateName, TypeName};
use super::error::ErrorBody;
use super::params::NoParams;
use super::{
    backup, check, complete, devices, export, health, history, import, influxql, last, live, login, metrics, series, sse, stats, status,
    tickets, tokens, top, write,
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
        history::history, history::erase::erase, export::export, import::import, last::last, series::list, top::top, complete::complete,
        devices::list, devices::one, devices::edit,
        crate::ingest::socket::ingest, write::write_v2, write::write_v1, influxql::get, influxql::post, live::live, sse::events, tickets::create,
        login::login, login::create_link, login::logout, login::session, login::list, login::end,
        tokens::list, tokens::create, tokens::revoke,
        document,
    ),
    components(schemas(ErrorBody, series::WithParam, InfluxRefusal, InfluxRefusalV1, ByName, KindName, RoleName, StateName, TypeName, export::RowFormatParam, history::FillParam, history::FormatParam, history::GroupParam, history::TimeParam, history::WeekdayParam)),
    modifiers(&Security),
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

pub(super) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = serde_json::to_value(Document::openapi()).expect("a document made of names is JSON");
    forms::put(&mut document);
    document
});
static JSON: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());

/// The document for a file: indented.
#[must_use]
pub fn text() -> String {
    format!("{:#}", *DOCUMENT)
}

/// This document. Open to anyone: it holds no data.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "health", security(()),
    responses((status = 200, body = Object, content_type = "application/json", description = "OpenAPI 3.1.")))]
pub async fn document(_: NoParams) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(JSON.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::error::ErrorCode;

    /// `METHOD /path` of every `at("/path", "METHOD, METHOD")` in the list of routes; HEAD goes without saying where GET is listed.
    fn routes() -> BTreeSet<String> {
        let source = include_str!("mod.rs");
        let (outer, api) = source.split_once("fn api_v1").unwrap();
        let in_part = |part: &'static str, prefix: &'static str| {
            part.split("at(\"").skip(1).flat_map(move |rest| {
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
    fn every_operation_has_a_name_of_its_own() {
        let operations = DOCUMENT["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
        let names: Vec<_> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
        assert!(names.contains(&"get_devices_by_id") && names.contains(&"get_openapi_json"), "{names:?}");
    }

    /// Every text of a status: method, path, status, text. Not those in InfluxDB's words, nor of probes.
    fn texts() -> Vec<(String, String, u16, String)> {
        let mut texts = Vec::new();
        for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                for (status, response) in operation["responses"].as_object().unwrap() {
                    if response["content"]["application/json"]["schema"]["$ref"] == "#/components/schemas/ErrorBody" {
                        let text = response["description"].as_str().unwrap().to_owned();
                        texts.push((method.clone(), path.clone(), status.parse().unwrap(), text));
                    }
                }
            }
        }
        assert!(texts.len() > 100, "{}", texts.len());
        texts
    }

    #[test]
    fn every_code_stands_in_the_texts_of_its_status() {
        let texts = texts();
        // Who asks by a method that is not in the document does not go by it.
        for code in ErrorCode::ALL.iter().filter(|code| **code != ErrorCode::MethodNotAllowed) {
            let (status, name) = (code.status().as_u16(), format!("`{}`", code.as_str()));
            let told = texts.iter().filter(|(.., of, text)| *of == status && text.contains(&name)).count();
            assert!(told > 0, "{name} is in no text of {status}");
        }
        // What keeps any route from an answer.
        for (method, path, status, text) in texts {
            for code in ErrorCode::ALL.iter().filter(|code| code.status().as_u16() == status && status >= 500) {
                let writes = path == "/api/v1/import" || (method == "delete" && path == "/api/v1/history");
                let named = text.contains(&format!("`{}`", code.as_str()));
                assert_eq!(named, writes || !code.is_of_writer(), "{method} {path} {status}: {code:?} in {text}");
            }
        }
        let text = DOCUMENT["paths"]["/api/v1/import"]["post"]["responses"]["503"]["description"].as_str().unwrap();
        assert!(text.contains("`clock_unset`") && text.contains("`slow_down`"), "{text}");
    }

    /// The page's types are made of it, without a hub.
    #[test]
    fn the_copy_beside_the_page_is_this_document() {
        let kept = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/dashboards/openapi.json")).unwrap();
        let kept: Value = serde_json::from_str(&kept).unwrap();
        assert!(
            kept == *DOCUMENT,
            "dashboards/openapi.json is not what the hub says: `make api-types` writes it and the page's types anew"
        );
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
