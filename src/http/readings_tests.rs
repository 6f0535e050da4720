//! History, last and series over HTTP: status, content type, scope. What the answers hold is tested beside their parts.

use serde_json::json;

use super::testing::{NOW, TestHub};
use crate::auth::access::Role;
use crate::model::Value;

const MS: i64 = 1_000_000;

async fn filled() -> TestHub {
    let hub = TestHub::open();
    hub.put("b", "m", &[("cpu", "0")], &[(NOW - 3000 * MS, Value::Int(1)), (NOW - 1000 * MS, Value::Int(1))]).await;
    hub.put("b", "m", &[("cpu", "0")], &[(NOW - 2000 * MS, Value::Float(0.5))]).await;
    hub.put("a/1", "on", &[], &[(NOW - 1000 * MS, Value::Bool(true))]).await;
    hub
}

#[actix_web::test]
async fn history_over_http() {
    let hub = filled().await;
    let answer = hub.ask("/api/v1/history?select=b%2F*%7Bcpu%3D%220%22%7D&from=-1h").await;
    assert_eq!((answer.status, &*answer.content_type), (200, "application/json"), "{}", answer.text());
    let points = json!([[1_795_396_027_000_i64, 1], [1_795_396_028_000_i64, 0.5], [1_795_396_029_000_i64, 1]]);
    assert_eq!(answer.json()["series"][0]["points"], points);
    for (format, content_type) in
        [("csv", "text/csv; charset=utf-8"), ("ndjson", "application/x-ndjson"), ("msgpack", "application/vnd.msgpack")]
    {
        let answer = hub.ask(&format!("/api/v1/history?select=*/*&from=-1h&format={format}")).await;
        assert_eq!((answer.status, &*answer.content_type), (200, content_type));
    }
}

#[actix_web::test]
async fn refusals_have_their_status_and_code() {
    let hub = TestHub::open_with(|config| config.limits.history_points = 1000);
    let points: Vec<_> = (0..1001).map(|i| (NOW - i * MS, Value::Int(i))).collect();
    hub.put("d", "m", &[], &points).await;
    let rows = [
        ("history?select=d/m", 400, "bad_parameter"),
        ("history?select=d&from=-1h", 400, "bad_selector"),
        ("history?select=d/m&from=yesterday", 400, "bad_time"),
        ("history?select=d/m&from=-1h&to=now&too=now", 400, "bad_parameter"),
        ("history?select=d/m&from=-1h&format=xml", 400, "bad_parameter"),
        ("history?select=d/m&from=-1h&to=%2B1h", 422, "too_many_points"),
        ("last", 400, "bad_parameter"),
        ("last?select=d", 400, "bad_selector"),
        ("last?select=d/m&time=ns&time=ms", 400, "bad_parameter"),
        ("series?limit=0", 400, "bad_parameter"),
        ("series?limit=10001", 400, "bad_parameter"),
        ("series?after=nothing", 400, "bad_parameter"),
        ("series?selct=d/m", 400, "bad_parameter"),
    ];
    for (path, status, code) in rows {
        assert_eq!(hub.ask(&format!("/api/v1/{path}")).await.refusal(), (status, code.to_owned()), "{path}");
    }
    assert_eq!(hub.ask("/api/v1/history?select=d/m&from=-1h&points=5").await.status, 200);
    let agent = hub.token(Role::Agent, None, None);
    for path in ["history?select=d/m&from=-1h", "last?select=d/m", "series"] {
        let request = || actix_web::test::TestRequest::get().uri(&format!("/api/v1/{path}"));
        assert_eq!(hub.call(request(), None).await.refusal(), (401, "unauthorized".to_owned()));
        assert_eq!(hub.call(request(), Some(&agent)).await.refusal(), (403, "forbidden".to_owned()));
    }
}

#[actix_web::test]
async fn last_known_values() {
    let hub = filled().await;
    let expected = json!({"series": [
        {"device": "a/1", "metric": "on", "labels": {}, "unit": null, "kind": "state",
         "time": 1_795_396_029_000_i64, "value": true, "seen": 1_795_396_030_000_i64, "changed": 1_795_396_029_000_i64},
        {"device": "b", "metric": "m", "labels": {"cpu": "0"}, "unit": null, "kind": "gauge",
         "time": 1_795_396_029_000_i64, "value": 1, "seen": 1_795_396_030_000_i64, "changed": 1_795_396_029_000_i64}
    ]});
    assert_eq!(hub.ask("/api/v1/last?select=*/*").await.json(), expected);
    assert_eq!(hub.ask("/api/v1/last?select=nobody/*").await.json(), json!({"series": []}));
    let text = hub.ask("/api/v1/last?select=b/m&time=rfc3339").await.json();
    assert_eq!(text["series"][0]["seen"], "2026-11-23T01:07:10Z");
}

#[actix_web::test]
async fn pages_of_series() {
    let hub = filled().await;
    hub.put("c", "m", &[], &[(NOW, Value::Text("x".into()))]).await;
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let page = hub.ask(&format!("/api/v1/series?limit=1{after}")).await.json();
        let rows = page["series"].as_array().unwrap().clone();
        assert_eq!(rows.len(), 1);
        found.push((rows[0]["device"].as_str().unwrap().to_owned(), rows[0]["type"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    let expected = [("a/1", "bool"), ("b", "number"), ("c", "text")].map(|(d, t)| (d.to_owned(), t.to_owned()));
    assert_eq!(found, expected);
    let some = hub.ask("/api/v1/series?select=b/*&select=c/*").await.json();
    assert_eq!(some["series"].as_array().unwrap().len(), 2);
    assert!(some.get("next").is_none());
}

#[actix_web::test]
async fn what_a_token_does_not_reach_does_not_exist() {
    let hub = filled().await;
    let token = hub.token(Role::Viewer, Some("a/*"), None);
    for path in ["history?select=*/*&from=-1h", "last?select=*/*", "series"] {
        let request = actix_web::test::TestRequest::get().uri(&format!("/api/v1/{path}"));
        let answer = hub.call(request, Some(&token)).await;
        let devices: Vec<_> = answer.json()["series"].as_array().unwrap().iter().map(|s| s["device"].clone()).collect();
        assert_eq!(devices, ["a/1"], "{path}");
    }
}
