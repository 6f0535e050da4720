//! What `series?with=stats` says is what history counts: in memory, sealed, overlapping, deleted, beside other scopes.

use std::time::Duration;

use actix_web::test::TestRequest;
use serde_json::{Value as Json, json};

use super::super::testing::{NOW, TestHub};
use crate::auth::access::Role;
use crate::model::{Delete, SeriesKey, TimeNs, Value};

const SEC: i64 = 1_000_000_000;

fn ms(time: TimeNs) -> Json {
    json!(crate::query::time::ms_f64(time))
}

fn points(from: TimeNs, count: i64) -> Vec<(TimeNs, Value)> {
    (0..count).map(|i| (from + i * SEC, Value::Float(i as f64 / 10.0))).collect()
}

fn seal(test: &TestHub) {
    test.hub.pressure.want_seal(Duration::from_secs(30));
    assert_eq!(test.hub.head.points(), 0, "all of it is sealed");
}

async fn stats(test: &TestHub, select: &str) -> Json {
    let answer = test.ask(&format!("/api/v1/series?with=stats&select={select}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["series"][0]["stats"].clone()
}

/// What history says of the same: the oracle.
async fn counted(test: &TestHub, select: &str) -> (Json, Json, Json) {
    let uri = format!("/api/v1/history?select={select}&from=1970-01-01T00:00:00Z&to=2100-01-01T00:00:00Z");
    let points = test.ask(&uri).await.json()["series"][0]["points"].as_array().unwrap().clone();
    let time = |point: Option<&Json>| json!(point.unwrap()[0].as_f64().unwrap());
    (json!(points.len()), time(points.first()), time(points.last()))
}

async fn agrees(test: &TestHub, select: &str, waiting: u64, what: &str) -> u64 {
    let (told, (readings, first, last)) = (stats(test, select).await, counted(test, select).await);
    assert_eq!((&told["readings"], &told["first"], &told["last"]), (&readings, &first, &last), "{what}: {told}");
    assert_eq!(told["waiting"], waiting, "{what}: {told}");
    told["bytes"].as_u64().unwrap()
}

#[actix_web::test]
async fn what_is_told_is_what_is_counted() {
    let test = TestHub::open();
    let start = NOW - 3 * 86_400 * SEC;
    test.put("d", "m", &[], &points(start, 5000)).await;
    assert_eq!(agrees(&test, "d/m", 5000, "in memory").await, 0);
    seal(&test);
    let bytes = agrees(&test, "d/m", 0, "sealed").await;
    assert!(bytes > 0, "{bytes}");
    test.put("d", "m", &[], &points(start + 86_400 * SEC, 100)).await;
    assert_eq!(agrees(&test, "d/m", 100, "newer ones in memory").await, bytes);
    test.put("d", "m", &[], &points(start + 4990 * SEC, 20)).await;
    agrees(&test, "d/m", 120, "late ones over sealed ones").await;
    seal(&test);
    assert!(agrees(&test, "d/m", 0, "rows that overlap").await > bytes);
    let key = SeriesKey { device: "d".into(), metric: "m".into(), labels: crate::model::Labels::default() };
    let series = test.hub.series.by_key(&key).unwrap().id;
    test.hub.queue.delete(&[Delete { series, from: start, to: start + 9 * SEC }]).await.unwrap();
    agrees(&test, "d/m", 0, "a delete that is not applied yet").await;
    test.put("d", "text", &[], &[(start, Value::Text("x".into()))]).await;
    seal(&test);
    agrees(&test, "d/m", 0, "a delete that is sealed").await;
    let one = json!({ "readings": 1, "first": ms(start), "last": ms(start), "bytes": stats(&test, "d/text").await["bytes"], "waiting": 0 });
    assert_eq!(stats(&test, "d/text").await, one);
}

#[actix_web::test]
async fn slow_series_have_their_share_of_a_block() {
    let test = TestHub::open();
    for i in 0..20 {
        test.put(&format!("d{i}"), "slow", &[], &points(NOW - 86_400 * SEC, 2 + i64::from(i % 3))).await;
    }
    seal(&test);
    let answer = test.ask("/api/v1/series?with=stats").await.json();
    let rows = answer["series"].as_array().unwrap();
    assert_eq!(rows.len(), 20);
    let sum: u64 = rows.iter().map(|row| row["stats"]["bytes"].as_u64().unwrap()).sum();
    let stored = test.hub.store.stats();
    assert!(sum > 0 && sum < stored.bytes, "{sum} of {}", stored.bytes);
    assert_eq!(rows.iter().map(|row| row["stats"]["readings"].as_u64().unwrap()).sum::<u64>(), stored.points);
    assert!(rows.iter().all(|row| row["stats"].get("incomplete").is_none()));
}

#[actix_web::test]
async fn it_is_asked_for_paged_and_within_scope() {
    let test = TestHub::open();
    for device in ["a", "b", "c"] {
        test.put(device, "m", &[], &points(NOW - 100 * SEC, 3)).await;
    }
    assert!(test.ask("/api/v1/series").await.json()["series"][0].get("stats").is_none(), "not unasked");
    let page = test.ask("/api/v1/series?with=stats&limit=2").await.json();
    assert_eq!(page["series"].as_array().unwrap().len(), 2);
    let rest = test.ask(&format!("/api/v1/series?with=stats&after={}", page["next"].as_str().unwrap())).await.json();
    assert_eq!((rest["series"][0]["device"].as_str(), rest["series"][0]["stats"]["readings"].as_u64()), (Some("c"), Some(3)));
    for (query, part) in [("with=all", "with=all: expected stats"), ("with=stats&limit=1001", "from 1 to 1000")] {
        let refused = test.ask(&format!("/api/v1/series?{query}")).await;
        assert_eq!(refused.refusal(), (400, "bad_parameter".to_owned()));
        assert!(refused.text().contains(part), "{}", refused.text());
    }
    let token = test.token(Role::Viewer, Some("b"), None);
    let seen = test.call(TestRequest::get().uri("/api/v1/series?with=stats"), Some(&token)).await.json();
    assert_eq!(seen["series"].as_array().unwrap().iter().map(|row| row["device"].as_str().unwrap()).collect::<Vec<_>>(), ["b"]);
    let after = format!("/api/v1/series?after={}", page["next"].as_str().unwrap());
    assert_eq!(test.ask(&after).await.status, 200);
    let other = test.token(Role::Viewer, Some("c"), None);
    let refused = test.call(TestRequest::get().uri(&after), Some(&other)).await;
    assert_eq!(refused.refusal(), (400, "bad_parameter".to_owned()), "the place is one of a series out of its reach");
}

#[actix_web::test]
async fn what_is_read_to_count_is_bounded_for_the_whole_page() {
    let test = TestHub::open();
    for device in ["a", "b", "c"] {
        test.put(device, "m", &[], &points(NOW - 1000 * SEC, 10)).await;
        seal(&test);
        test.put(device, "m", &[], &points(NOW - 995 * SEC, 10)).await;
    }
    let all = test.hub.series.select_first(3, |_| true);
    let ids: Vec<_> = all.iter().map(|series| series.id).collect();
    let readings = |budget: usize| -> Vec<_> { super::within(&test.hub, &ids, budget).unwrap().iter().map(|one| one.readings).collect() };
    assert_eq!(readings(100), [Some(15); 3]);
    assert_eq!(readings(35), [Some(15), Some(15), None]);
    let last = &super::within(&test.hub, &ids, 0).unwrap()[2];
    assert_eq!(
        (last.first, last.last),
        (Some(crate::query::time::ms_f64(NOW - 1000 * SEC)), Some(crate::query::time::ms_f64(NOW - 986 * SEC)))
    );
}
