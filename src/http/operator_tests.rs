//! Devices, status, metrics and readiness over HTTP.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use serde_json::{Value as Json, json};
use telltale_wire::RowCode;

use super::testing::{NOW, TestHub};
use crate::auth::access::Role;
use crate::clock::NS_PER_SEC;
use crate::ingest::refusals::Refused;
use crate::live::engine::Input;
use crate::live::protocol::{ClientMessage, Encoding, parse_json};
use crate::model::{TokenId, Value};

async fn filled() -> TestHub {
    let hub = TestHub::open();
    for (device, metric) in [("pump/1", "m"), ("pump/1", "n"), ("fan", "m"), ("zebra", "m")] {
        hub.put(device, metric, &[], &[(NOW, Value::Int(1))]).await;
    }
    hub
}

async fn patch(hub: &TestHub, device: &str, body: Json) -> (u16, Json) {
    let admin = hub.token(Role::Admin, None, None);
    let request = TestRequest::patch().uri(&format!("/api/v1/devices/{device}")).set_json(body);
    let answer = hub.call(request, Some(&admin)).await;
    (answer.status, answer.json())
}

fn ids(page: &Json) -> Vec<String> {
    page["devices"].as_array().unwrap().iter().map(|d| d["device"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn a_device_is_described_and_found() {
    let hub = filled().await;
    let edit = json!({"name": "Main Pump", "note": "behind\nthe door", "attributes": {"site": "Hall 7"}});
    let (status, row) = patch(&hub, "pump%2F1", edit).await;
    assert_eq!(status, 200, "{row}");
    assert_eq!((&row["device"], &row["series"], &row["version"]), (&json!("pump/1"), &json!(2), &json!(1)));
    assert_eq!(hub.ask("/api/v1/devices/pump%2F1").await.json(), row);
    for search in ["PUMP", "main", "hall"] {
        assert_eq!(ids(&hub.ask(&format!("/api/v1/devices?search={search}")).await.json()), ["pump/1"], "{search}");
    }
    let by_site = hub.ask("/api/v1/series?select=*/*%7B@site=%22Hall%207%22%7D").await.json();
    assert_eq!(by_site["series"].as_array().unwrap().len(), 2, "selectors see the attribute at once");

    let (status, row) = patch(&hub, "pump%2F1", json!({"name": null, "attributes": {"site": null}, "version": 1})).await;
    assert_eq!((status, &row["name"], &row["attributes"]), (200, &Json::Null, &json!({})));
    assert_eq!(row["note"], "behind\nthe door", "what is not named stays");
    for (version, expected) in [(json!(2.5), 400), (json!(-1), 400), (json!("2"), 400), (json!(7.0), 409), (json!(2.0), 200)] {
        let (status, told) = patch(&hub, "pump%2F1", json!({"name": null, "version": version})).await;
        assert_eq!(status, expected, "{version}: {told}");
    }
    let (status, refused) = patch(&hub, "pump%2F1", json!({"name": "x", "version": 1})).await;
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("conflict")));
}

#[actix_web::test]
async fn who_watches_by_attributes_hears_of_an_edit() {
    let hub = filled().await;
    let live = &hub.hub.live;
    let outbox = live.outbox(Encoding::Json);
    let subscribe = r#"{"type":"subscribe","id":"a","select":["*/*{@site=\"north\"}"]}"#;
    let Ok(ClientMessage::Subscribe(subscribe)) = parse_json(subscribe) else { panic!("a subscription") };
    live.tell(Input::Opened(std::sync::Arc::clone(&outbox))).await.unwrap();
    live.tell(Input::Subscribe { viewer: outbox.viewer, access: crate::auth::local_access(), subscribe }).await.unwrap();
    let (mut heard, mut reading) = (String::new(), None);
    let mut hears = async |what: &str| {
        for _ in 0..500 {
            while let Some(frame) = outbox.next(&mut reading) {
                heard.push_str(&String::from_utf8_lossy(&frame));
            }
            if heard.contains(what) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{what} is not in {heard}");
    };
    hears("\"snapshot\"").await;
    patch(&hub, "fan", json!({"attributes": {"site": "north"}})).await;
    for device in ["zebra", "fan"] {
        hub.put(device, "m", &[], &[(NOW + 1, Value::Int(2))]).await;
    }
    hears("\"device\":\"fan\"").await;
    assert!(!heard.contains("zebra"));
}

#[actix_web::test]
async fn edits_are_checked() {
    let hub = filled().await;
    let long = "x".repeat(2000);
    let many: serde_json::Map<_, _> = (0..40).map(|i| (format!("a{i}"), json!("x"))).collect();
    let rows = [
        json!({"nam": "x"}),
        json!({"name": 7}),
        json!({"name": long}),
        json!({"note": "x".repeat(crate::limits::NOTE_BYTES + 1)}),
        json!({"name": "a\u{7}b"}),
        json!({"attributes": {"1x": "y"}}),
        json!({"attributes": {"x": "a\nb"}}),
        json!({"attributes": {"x": long}}),
        json!({"attributes": many}),
    ];
    for body in rows {
        let (status, refused) = patch(&hub, "fan", body.clone()).await;
        assert_eq!((status, &refused["error"]["code"]), (400, &json!("bad_parameter")), "{body}");
    }
    let viewer = hub.token(Role::Viewer, None, None);
    let request = TestRequest::patch().uri("/api/v1/devices/fan").set_json(json!({"name": "x"}));
    assert_eq!(hub.call(request, Some(&viewer)).await.refusal(), (403, "forbidden".to_owned()));
    assert_eq!(hub.ask("/api/v1/devices/fan").await.json()["version"], 0, "nothing of it was taken");
}

#[actix_web::test]
async fn devices_come_in_pages_and_within_the_scope() {
    let hub = filled().await;
    let first = hub.ask("/api/v1/devices?limit=2").await.json();
    assert_eq!((ids(&first), &first["next"]), (vec!["fan".to_owned(), "pump/1".to_owned()], &json!("pump/1")));
    let second = hub.ask("/api/v1/devices?limit=2&after=pump%2F1").await.json();
    assert_eq!((ids(&second), second.get("next")), (vec!["zebra".to_owned()], None));

    patch(&hub, "planned", json!({"name": "Not there yet"})).await;
    assert_eq!(ids(&hub.ask("/api/v1/devices").await.json()), ["fan", "planned", "pump/1", "zebra"]);
    let scoped = hub.token(Role::Viewer, Some("p*"), None);
    let ask = |uri: &'static str| hub.call(TestRequest::get().uri(uri), Some(&scoped));
    assert_eq!(ids(&ask("/api/v1/devices").await.json()), ["pump/1"]);
    assert_eq!(ask("/api/v1/devices/fan").await.refusal(), (404, "not_found".to_owned()));
    assert_eq!(ask("/api/v1/devices/pump%2F1").await.status, 200);
    let by_metric = hub.token(Role::Viewer, None, Some("*/n"));
    let seen = hub.call(TestRequest::get().uri("/api/v1/devices/pump%2F1"), Some(&by_metric)).await.json();
    assert_eq!(seen["series"], 1, "a count tells nothing of what is out of reach");
}

#[actix_web::test]
async fn status_and_refusals_are_for_admins() {
    let hub = filled().await;
    hub.hub.refusals.note(Refused {
        at: NOW,
        token: TokenId(77),
        device: "d".into(),
        metric: "m".into(),
        code: RowCode::TooOld,
        message: "before the floor".into(),
    });
    let admin = hub.token(Role::Admin, None, None);
    let status = hub.call(TestRequest::get().uri("/api/v1/status"), Some(&admin)).await.json();
    assert_eq!((&status["ready"], &status["series"], &status["head_points"]), (&json!(true), &json!(4), &json!(4)));
    assert_eq!((&status["position"], &status["counters"]["commits"]), (&json!(4), &json!(4)));
    assert_eq!((&status["refused"]["too_old"], &status["devices"]["online"]), (&json!(1), &json!(0)));
    assert!(status["recovered"]["clean"].as_bool().unwrap());
    let (disk, commits) = (&status["disk"], &status["commits"]);
    assert!(disk["used_bytes"].as_u64() > Some(0) && disk["free_bytes"].as_u64() <= disk["size_bytes"].as_u64(), "{disk}");
    assert_eq!((&disk["max_bytes"], &disk["forecast"], &disk["expires_by_age"]), (&Json::Null, &Json::Null, &json!(false)));
    assert_eq!(commits["of"], 4);
    assert!(commits["p50_ms"].as_f64() <= commits["p99_ms"].as_f64() && commits["p99_ms"].as_f64() > Some(0.0), "{commits}");
    let refusals = hub.call(TestRequest::get().uri("/api/v1/status/refusals"), Some(&admin)).await.json();
    let expected = json!({"time": 1_795_396_030_000.0, "token": 77, "token_name": null, "device": "d", "metric": "m",
                          "code": "too_old", "message": "before the floor"});
    assert_eq!(refusals["refusals"], json!([expected]));
    for path in ["status", "status/refusals"] {
        assert_eq!(hub.ask(&format!("/api/v1/{path}")).await.refusal(), (403, "forbidden".to_owned()));
    }
}

#[actix_web::test]
async fn the_disk_is_foretold_once_enough_was_seen() {
    let hub = TestHub::open_with(|config| config.store.max_bytes = 1 << 40);
    let admin = hub.token(Role::Admin, None, None);
    hub.hub.note_growth();
    let points: Vec<_> = (0..12_000).map(|i| (NOW - NS_PER_SEC * (12_000 - i), Value::Int(i % 7))).collect();
    hub.put("pump", "m", &[], &points).await;
    hub.hub.clock.advance(600 * NS_PER_SEC);
    hub.hub.note_growth();
    let disk = || async { hub.call(TestRequest::get().uri("/api/v1/status"), Some(&admin)).await.json()["disk"].clone() };
    assert_eq!(disk().await["forecast"], Json::Null, "nothing is sealed: what a reading takes is not known");
    hub.hub.stop().await;
    let told = disk().await;
    let forecast = &told["forecast"];
    assert_eq!((&forecast["readings_per_s"], &forecast["measured_s"]), (&json!(20.0), &json!(600)), "{told}");
    assert!(forecast["bytes_per_reading"].as_f64() > Some(0.0) && forecast["full_in_s"].as_f64() > Some(0.0), "{told}");
    assert_eq!(told["max_bytes"], json!(1_u64 << 40));
}

#[actix_web::test]
async fn metrics_are_text_that_a_scraper_reads() {
    let hub = filled().await;
    let answer = hub.ask("/metrics").await;
    assert!(answer.content_type.starts_with("text/plain; version=0.0.4"), "{}", answer.content_type);
    let text = answer.text();
    for expected in ["telltale_commits_total 4", "telltale_series 4", "telltale_ready 1", "telltale_agents_open 0"] {
        assert!(text.lines().any(|line| line == expected), "{expected} is not in\n{text}");
    }
    let mut described = std::collections::BTreeSet::new();
    for line in text.lines() {
        match line.strip_prefix("# TYPE ") {
            Some(rest) => assert!(described.insert(rest.split(' ').next().unwrap().to_owned()), "twice: {line}"),
            None if line.starts_with('#') => {}
            None => {
                let (name, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<u64>().is_ok() && described.contains(name.split('{').next().unwrap()), "{line}");
            }
        }
    }
}

#[actix_web::test]
async fn a_hub_that_takes_nothing_says_why() {
    let hub = TestHub::open();
    assert_eq!(hub.call(TestRequest::get().uri("/readyz"), None).await.status, 200);
    hub.hub.health.disk_full(Some("no space left".to_owned()));
    hub.hub.clock.set(0);
    let answer = hub.call(TestRequest::get().uri("/readyz"), None).await;
    let reasons: Vec<_> = answer.json()["reasons"].as_array().unwrap().iter().map(|r| r["code"].clone()).collect();
    assert_eq!((answer.status, reasons), (503, vec![json!("disk_full"), json!("clock_unset")]));
    assert_eq!(hub.call(TestRequest::get().uri("/healthz"), None).await.status, 200, "it still answers");
    let head = |path: &str| TestRequest::default().method(Method::HEAD).uri(path);
    assert_eq!(hub.call(head("/healthz"), None).await.status, 200);
    assert_eq!(hub.call(head("/readyz"), None).await.status, 503);
}

#[actix_web::test]
async fn the_document_needs_no_token() {
    let hub = TestHub::open();
    let answer = hub.call(TestRequest::get().uri("/api/v1/openapi.json"), None).await;
    assert_eq!((answer.status, answer.json()["info"]["title"].as_str()), (200, Some("Telltale")));
}

#[actix_web::test]
async fn a_delete_is_a_dry_run_until_it_is_meant() {
    let hub = filled().await;
    let admin = hub.token(Role::Admin, None, None);
    let ask = async |query: &str, token: &str| {
        let answer = hub.call(TestRequest::delete().uri(&format!("/api/v1/history?{query}")), Some(token)).await;
        (answer.status, answer.json())
    };
    let counts = |answer: &Json| [answer["series"].clone(), answer["readings"].clone(), answer["dry_run"].clone()];
    let (status, dry) = ask("select=pump/1/m&from=1700000000s&to=1900000000s", &admin).await;
    assert_eq!((status, counts(&dry)), (200, [json!(1), json!(1), json!(true)]), "{dry}");
    assert!(hub.ask("/api/v1/history?select=pump/1/m&from=1700000000s&to=1900000000s").await.text().contains("[[1795396030000,1]]"));
    let (_, done) = ask("select=pump/1/*&from=1700000000s&to=1900000000s&dry_run=false", &admin).await;
    assert_eq!(counts(&done), [json!(2), json!(2), json!(false)], "{done}");
    assert!(done["cursor"].is_string());
    let left = hub.ask("/api/v1/history?select=*/*&from=1700000000s&to=1900000000s").await.json();
    let points: Vec<_> = left["series"].as_array().unwrap().iter().map(|s| s["points"].as_array().unwrap().len()).collect();
    assert_eq!(points, [1, 0, 0, 1]);
    hub.put("pump/1", "m", &[], &[(NOW, Value::Int(2))]).await;
    assert!(hub.ask("/api/v1/history?select=pump/1/m&from=1700000000s&to=1900000000s").await.text().contains("[[1795396030000,2]]"));
    for role in [Role::Agent, Role::Viewer] {
        assert_eq!(ask("select=*/*&from=0s", &hub.token(role, None, None)).await.0, 403);
    }
    for (query, code) in [
        ("from=0s", "bad_parameter"),
        ("select=*/*", "bad_parameter"),
        ("select=*/*&from=0s&dry_run=no", "bad_parameter"),
        ("select=x&from=0s", "bad_selector"),
    ] {
        assert_eq!(ask(query, &admin).await.1["error"]["code"], code, "{query}");
    }
}

#[actix_web::test]
async fn who_makes_most_series_is_named() {
    let hub = filled().await;
    hub.put("zebra", "m", &[("cpu", "0")], &[(NOW, Value::Int(1))]).await;
    hub.put("zebra", "m", &[("cpu", "1")], &[(NOW, Value::Int(1))]).await;
    let admin = hub.token(Role::Admin, None, None);
    let rows = async |query: &str| {
        let answer = hub.call(TestRequest::get().uri(&format!("/api/v1/series/top{query}")), Some(&admin)).await.json();
        answer["groups"]
            .as_array()
            .unwrap_or(&Vec::new())
            .iter()
            .map(|row| (row["name"].to_string(), row["series"].as_u64().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(rows("?by=device&limit=2").await, [("\"zebra\"".to_owned(), 3), ("\"pump/1\"".to_owned(), 2)]);
    assert_eq!(rows("?by=metric").await, [("\"m\"".to_owned(), 5), ("\"n\"".to_owned(), 1)]);
    assert_eq!(rows("?by=label").await, [("\"cpu\"".to_owned(), 2)]);
    assert_eq!(rows("").await.len(), 1);
    assert_eq!(hub.call(TestRequest::get().uri("/api/v1/series/top?by=x"), Some(&admin)).await.status, 400);
}
