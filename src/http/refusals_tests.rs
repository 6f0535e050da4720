//! What every route says of parameters that it does not know or cannot take: by the routes of the OpenAPI document, and by rows.

use actix_web::http::Method;
use actix_web::http::header::ACCEPT_ENCODING;
use actix_web::test::TestRequest;
use serde_json::{Value as Json, json};

use super::testing::{Answer, NOW, TestHub};
use crate::auth::access::Role;
use crate::model::Value;

/// Supervisors, scrapers and clients of InfluxDB add parameters of their own, which are ignored.
const LENIENT: [&str; 8] = ["/healthz", "/readyz", "/ping", "/health", "/metrics", "/query", "/write", "/api/v2/write"];

async fn operations(test: &TestHub) -> Vec<(String, String, Json)> {
    let document = test.ask("/api/v1/openapi.json").await.json();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    assert!(all.len() > 30);
    all
}

async fn call(test: &TestHub, method: &str, uri: &str, body: Option<Json>) -> Answer {
    let admin = test.token(Role::Admin, None, None);
    let request = TestRequest::default().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(uri);
    let request = match body {
        Some(body) => request.set_json(body),
        None => request,
    };
    test.call(request, Some(&admin)).await
}

#[actix_web::test]
async fn an_unknown_parameter_is_refused_on_every_route_with_the_nearest_known_one() {
    let test = TestHub::open();
    for (method, path, operation) in operations(&test).await {
        if LENIENT.contains(&&*path) {
            continue;
        }
        let uri = path.replace("{id}", "1");
        let known = operation["parameters"].as_array().into_iter().flatten().filter(|parameter| parameter["in"] == "query");
        let known: Vec<_> = known.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        let wrong = known.first().map_or_else(|| "limit".to_owned(), |name| format!("{name}x"));
        let answer = call(&test, &method, &format!("{uri}?{wrong}=1"), Some(json!({}))).await;
        assert_eq!(answer.refusal(), (400, "bad_parameter".to_owned()), "{method} {path}: {}", answer.text());
        let text = answer.text();
        assert!(text.contains(&format!("unknown parameter {wrong}; there are")), "{method} {path}: {text}");
        for name in &known {
            assert!(text.contains(name), "{method} {path} names {name}: {text}");
        }
        if let Some(nearest) = known.first() {
            assert_eq!(answer.json()["error"]["hint"], format!("the nearest known one is {nearest}"), "{method} {path}");
        }
    }
}

#[actix_web::test]
async fn each_refusal_names_the_parameter_the_value_and_what_was_expected() {
    let test = TestHub::open();
    test.put("d", "m", &[], &[(NOW, Value::Int(1))]).await;
    let rows: &[(&str, &str, &[&str])] = &[
        ("GET", "series?limit=x", &["limit=x", "whole number from 1 to 10000"]),
        ("GET", "series?limit=1&limit=2", &["limit", "more than once"]),
        ("GET", "series?select=x", &["`x`", "no `/`", "x/*"]),
        ("GET", "series?after=x", &["after=x", "`next` of the page before"]),
        ("GET", "series?with=x", &["with=x", "expected stats"]),
        ("GET", "series/top?by=x", &["by=x", "token, device, metric or label"]),
        ("GET", "series/top?since=x", &["since=x", "a length of time"]),
        ("GET", "series/top?limit=0", &["limit=0", "from 1 to 10000"]),
        ("GET", "devices?limit=99999", &["limit=99999", "from 1 to 10000"]),
        ("GET", "complete?limit=-1", &["limit=-1", "from 1 to 1000"]),
        ("GET", "complete?prefix=x%7B", &["`x`", "no `/`"]),
        ("GET", "stats?top=x", &["top=x", "from 0 to 10000"]),
        ("GET", "last", &["select is missing", "select=*/*"]),
        ("GET", "last?select=d/m&time=s", &["time=s", "ms, ns or rfc3339"]),
        ("GET", "history?select=d/m&from=5", &["from=5", "needs its unit", "5s"]),
        ("GET", "history?select=d/m&from=-1h&points=0", &["points=0", "from 1 to 100000"]),
        ("GET", "history?select=d/m&from=-1h&every=1s&agg=men", &["agg=men", "mean"]),
        ("GET", "history?select=d/m&from=-1h&format=xml", &["format=xml", "json, csv"]),
        ("GET", "export?select=d/m&format=xml", &["format=xml", "csv"]),
        ("GET", "export?select=d/m&from=-1h&to=-2h", &["to", "before from"]),
        ("DELETE", "history?select=d/m", &["from is missing"]),
        ("DELETE", "history?select=d/m&from=-1h&dry_run=no", &["dry_run=no", "true or false"]),
        ("POST", "import", &["format is missing", "format=csv"]),
        ("POST", "import?format=xml", &["format=xml", "csv"]),
        ("GET", "live/sse", &["`select` is missing", "list of selectors"]),
        ("GET", "live/sse?select=d/m&max_hz=x", &["max_hz=x", "a number"]),
        ("GET", "live/sse?select=d/m&max_hz=99", &["max_hz", "99", "0.1 to 60"]),
        ("GET", "live/sse?select=d/m&points=x", &["points=x", "whole number"]),
        ("GET", "live/sse?select=d/m&history=x", &["history=x", "a length of time"]),
        ("GET", "live", &["WebSocket handshake"]),
        ("GET", "ingest", &["WebSocket handshake"]),
    ];
    for (method, uri, parts) in rows {
        let answer = call(&test, method, &format!("/api/v1/{uri}"), None).await;
        let text = answer.text();
        assert_eq!(answer.status, 400, "{method} {uri}: {text}");
        assert_eq!(answer.content_type, "application/json", "{method} {uri}");
        for part in *parts {
            assert!(text.contains(part), "{method} {uri} says {part}: {text}");
        }
    }
}

#[actix_web::test]
async fn each_body_that_is_not_as_expected_says_where() {
    let test = TestHub::open();
    let rows: &[(&str, &str, Json, &[&str])] = &[
        ("POST", "tokens", json!({}), &["missing field `role`"]),
        ("POST", "tokens", json!({ "role": "boss" }), &["role", "boss", "agent, viewer or admin"]),
        ("POST", "tokens", json!({ "role": "viewer", "device": "x" }), &["unknown field `device`", "`devices`"]),
        ("POST", "tokens", json!({ "role": "viewer", "select": "x" }), &["select: ", "`x`", "no `/`"]),
        ("POST", "tokens", json!({ "role": "viewer", "select": "" }), &["select: ", "``", "no `/`", "*/*"]),
        ("POST", "tokens", json!({ "role": "viewer", "devices": "" }), &["devices = \\\"\\\"", "expected a glob", "pump-*"]),
        ("POST", "tokens", json!({ "role": "viewer", "devices": "a\nb" }), &["devices = ", "a\\\\nb", "without control characters"]),
        ("POST", "tokens", json!({ "role": "viewer", "devices": "a\\" }), &["devices: ", "backslash"]),
        ("POST", "tokens", json!({ "role": "viewer", "name": "" }), &["name", "1 to 256 bytes"]),
        ("POST", "login", json!({}), &["either `code` or `token`"]),
        ("POST", "login/link", json!({ "role": "boss" }), &["role", "boss", "agent, viewer or admin"]),
        ("POST", "login/link", json!({ "role": "agent" }), &["role", "agent", "admin or viewer"]),
        ("PATCH", "devices/d", json!({ "attributes": { "1": "x" } }), &["attribute", "1", "begins with a letter"]),
        ("PATCH", "devices/d", json!({ "nam": "x" }), &["unknown field `nam`", "`name`"]),
        ("PATCH", "devices/d", json!([]), &["not as expected"]),
    ];
    for (method, uri, body, parts) in rows {
        let answer = call(&test, method, &format!("/api/v1/{uri}"), Some(body.clone())).await;
        let text = answer.text();
        assert_eq!(answer.status, 400, "{method} {uri}: {text}");
        for part in *parts {
            assert!(text.contains(part), "{method} {uri} says {part}: {text}");
        }
    }
}

#[actix_web::test]
async fn every_route_names_its_methods_and_refuses_others_as_json() {
    let test = TestHub::open();
    for (_, path, _) in operations(&test).await {
        let uri = path.replace("{id}", "1");
        let options = call(&test, "OPTIONS", &uri, None).await;
        assert_eq!((options.status, options.body.len()), (204, 0), "{path}");
        let refused = call(&test, "TRACE", &uri, None).await;
        assert_eq!(refused.refusal(), (405, "method_not_allowed".to_owned()), "{path}: {}", refused.text());
    }
    let missing = call(&test, "GET", "/api/v1/serie", None).await;
    assert_eq!(missing.refusal(), (404, "not_found".to_owned()));
    assert!(missing.text().contains("openapi.json"), "{}", missing.text());
}

#[actix_web::test]
async fn long_answers_are_compressed_for_who_asks() {
    let test = TestHub::open();
    let points: Vec<_> = (0..5000).map(|i| (NOW - i * 1_000_000_000, Value::Int(i % 7))).collect();
    test.put("d", "m", &[], &points).await;
    let token = test.token(Role::Viewer, None, None);
    for uri in ["history?select=d/m&from=-2h", "export?select=d/m", "last?select=d/m", "series", "devices"] {
        let uri = format!("/api/v1/{uri}");
        let plain = test.call(TestRequest::get().uri(&uri), Some(&token)).await;
        let request = || TestRequest::get().uri(&uri).insert_header((ACCEPT_ENCODING, "gzip, deflate, br"));
        let packed = test.call(request(), Some(&token)).await;
        assert_eq!((packed.status, &*packed.encoding, &*plain.encoding), (200, "gzip", ""), "{uri}");
        let other = test.call(TestRequest::get().uri(&uri).insert_header((ACCEPT_ENCODING, "br, identity;q=0")), Some(&token)).await;
        assert_eq!((other.status, &*other.encoding), (200, ""), "{uri}");
        assert!([&plain, &packed, &other].iter().all(|answer| answer.vary == "accept-encoding"), "{uri}");
        let mut unpacked = Vec::new();
        std::io::copy(&mut flate2::read::GzDecoder::new(&packed.body[..]), &mut unpacked).unwrap();
        assert_eq!(unpacked, plain.body, "{uri}");
        if plain.body.len() > 10_000 {
            assert!(packed.body.len() * 4 < plain.body.len(), "{uri}: {} of {}", packed.body.len(), plain.body.len());
        }
    }
}
