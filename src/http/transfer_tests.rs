//! Out of one hub and into another: what comes out of the second is equal to the last byte.

use actix_web::test::TestRequest;
use serde_json::{Value as Json, json};

use super::testing::{Answer, NOW, TestHub};
use crate::auth::access::Role;
use crate::model::{Kind, MetaChange, TimeNs, TokenId, Value};
use crate::rows::RowFormat;
use crate::series::KeyRef;

fn export(format: RowFormat) -> String {
    format!("/api/v1/export?select=*/*&format={}", format.as_str())
}

async fn import(hub: &TestHub, format: RowFormat, body: impl Into<Vec<u8>>) -> Answer {
    let token = hub.token(Role::Agent, None, None);
    let request = TestRequest::post().uri(&format!("/api/v1/import?format={}", format.as_str())).set_payload(body.into());
    hub.call(request, Some(&token)).await
}

fn odd(rng: &mut fastrand::Rng, alphabet: &[char], most: usize) -> String {
    (0..rng.usize(1..=most)).map(|_| alphabet[rng.usize(..alphabet.len())]).collect()
}

fn value(rng: &mut fastrand::Rng, kind: u8) -> Value {
    const TEXT: [char; 12] = ['a', '"', '\n', '\r', ',', '\\', ' ', '=', '\u{fc}', '\0', '\u{feff}', '\''];
    match kind {
        0 => match rng.u8(..6) {
            0 => Value::Int(rng.i64(..)),
            1 => Value::Int((1 << 53) + 1),
            2 => Value::Float(-0.0),
            3 => Value::Float(f64::from_bits(rng.u64(..) & !(1 << 62))),
            4 => Value::Float(rng.i32(..).into()),
            _ => Value::Int(rng.i64(-3..3)),
        },
        1 => Value::Bool(rng.bool()),
        _ => Value::Text(if rng.u8(..5) == 0 { "".into() } else { odd(rng, &TEXT, 12).into() }),
    }
}

/// Random series of every type, each with its readings. `lines`: only names that line protocol can say.
async fn fill(hub: &TestHub, rng: &mut fastrand::Rng, lines: bool) -> usize {
    const NAME: [char; 12] = ['a', 'B', ',', '=', ' ', '"', '\\', '{', '#', '\u{fc}', '\u{feff}', '\''];
    let mut readings = 0;
    for n in 0..40 {
        let mut device = odd(rng, &NAME, 6) + "/";
        let mut metric = odd(rng, &NAME, 6);
        if lines {
            device = device.replace('/', "/.");
            metric = format!("m{metric}.");
        }
        let values: Vec<String> = (0..rng.usize(..3)).map(|_| odd(rng, &NAME, 6) + ".").collect();
        let labels: Vec<(&str, &str)> = ["host", "b-1", "c.x"].into_iter().zip(values.iter().map(String::as_str)).collect();
        let kind = rng.u8(..3);
        let points: Vec<(TimeNs, Value)> = (0..rng.i64(1..60)).map(|i| (NOW - rng.i64(0..1 << 40) - (i << 41), value(rng, kind))).collect();
        let series = hub.hub.series.resolve(KeyRef { device: &device, metric: &metric, labels: &labels }, TokenId(1)).unwrap();
        if series.is_listed() {
            continue;
        }
        readings += points.len();
        hub.put(&device, &metric, &labels, &points).await;
        if n % 3 == 0 {
            let change = MetaChange { series: series.id, unit: Some("\u{b0}C, \"x\"".into()), kind: Some(Kind::State) };
            hub.hub.series.apply_meta(&change, NOW);
        }
    }
    readings
}

fn formats() -> impl Iterator<Item = RowFormat> {
    #[cfg(feature = "parquet")]
    return RowFormat::LINES.into_iter().chain([RowFormat::Parquet]);
    #[cfg(not(feature = "parquet"))]
    RowFormat::LINES.into_iter()
}

#[actix_web::test]
async fn an_export_comes_back_equal_and_twice_changes_nothing() {
    for seed in 0..6 {
        for format in formats() {
            let mut rng = fastrand::Rng::with_seed(seed);
            let from = TestHub::open();
            let readings = fill(&from, &mut rng, format == RowFormat::Lines).await;
            let told = from.ask(&export(format)).await;
            assert_eq!((told.status, told.content_type.as_str()), (200, format.content_type()));
            let into = TestHub::open_with(|config| config.ingest.batch_readings = rng.usize(1..100));
            let answer = import(&into, format, told.body.clone()).await;
            let expected = json!({"stored": readings, "duplicate": 0, "refused": 0, "refusals": []});
            assert_eq!((answer.status, answer.json()), (200, expected), "seed {seed} {format:?}");
            assert!(into.ask(&export(format)).await.body == told.body, "seed {seed} {format:?}");
            let again = import(&into, format, told.body.clone()).await.json();
            assert_eq!((again["stored"].clone(), again["duplicate"].clone()), (json!(0), json!(readings)), "seed {seed} {format:?}");
            assert!(into.ask(&export(format)).await.body == told.body, "seed {seed} {format:?}");
        }
    }
}

#[actix_web::test]
async fn an_export_is_sorted_and_bounded_by_its_range_and_the_tokens_scope() {
    let hub = TestHub::open();
    hub.put("b", "m", &[], &[(NOW - 3, Value::Int(1)), (NOW - 2, Value::Float(1.5)), (NOW + 5, Value::Int(2))]).await;
    hub.put("a", "m", &[("k", "v")], &[(NOW - 2, Value::Bool(true))]).await;
    let head = "device,metric,labels,time,value,type,unit,kind\n";
    let a = format!("a,m,\"{{\"\"k\"\":\"\"v\"\"}}\",{},true,bool,,\n", NOW - 2);
    let b = |ago: i64, value: &str| format!("b,m,{{}},{},{value},number,,\n", NOW - ago);
    assert_eq!(hub.ask("/api/v1/export?select=*/*").await.text(), format!("{head}{a}{}{}{}", b(3, "1"), b(2, "1.5"), b(-5, "2")));
    let range = format!("/api/v1/export?select=b/*&from={}ns&to={NOW}ns", NOW - 2);
    assert_eq!(hub.ask(&range).await.text(), format!("{head}{}", b(2, "1.5")));
    assert_eq!(hub.ask("/api/v1/export?select=c/*").await.text(), head);
    let scoped = hub.token(Role::Viewer, Some("a"), None);
    let answer = hub.call(TestRequest::get().uri("/api/v1/export?select=*/*"), Some(&scoped)).await;
    assert_eq!(answer.text(), format!("{head}{a}"));
    let agent = hub.token(Role::Agent, None, None);
    assert_eq!(hub.call(TestRequest::get().uri("/api/v1/export?select=*/*"), Some(&agent)).await.refusal(), (403, "forbidden".to_owned()));
    for (query, code, said) in [
        ("select=*/*&format=xml", "bad_parameter", "expected csv, ndjson"),
        ("select=*/*&from=-1h&to=-2h", "bad_time", "before"),
        ("format=csv", "bad_parameter", "select is missing"),
        ("select=*/*&every=1h", "bad_parameter", "unknown parameter every"),
        ("select=nonsense", "bad_selector", "no `/`"),
    ] {
        let answer = hub.ask(&format!("/api/v1/export?{query}")).await;
        assert_eq!(answer.refusal(), (400, code.to_owned()), "{query}");
        assert!(answer.text().contains(said), "{}", answer.text());
    }
}

#[actix_web::test]
async fn what_line_protocol_cannot_say_is_refused_and_the_rest_goes_to_influxdbs_door_too() {
    let hub = TestHub::open();
    hub.put("c:\\", "m", &[], &[(NOW, Value::Int(1))]).await;
    hub.put("d", "m", &[], &[(NOW, Value::Int(1))]).await;
    let answer = hub.ask(&export(RowFormat::Lines)).await;
    assert_eq!(answer.refusal(), (400, "bad_parameter".to_owned()));
    assert!(answer.text().contains("backslash at the end"), "{}", answer.text());
    let lines = hub.ask("/api/v1/export?select=d/*&format=lp").await;
    assert_eq!(lines.text(), format!("m,device=d value=1i {NOW}\n"));
    let into = TestHub::open();
    let token = into.token(Role::Agent, None, None);
    let request = || TestRequest::post().uri("/api/v2/write").set_payload(lines.body.clone());
    assert_eq!(into.call(request(), Some(&token)).await.status, 204);
    // The session that wrote the mapped name takes it for no other.
    assert_eq!(import(&into, RowFormat::Lines, lines.body.clone()).await.json()["stored"], 1);
    let names: Vec<Json> =
        into.ask("/api/v1/series").await.json()["series"].as_array().unwrap().iter().map(|s| s["metric"].clone()).collect();
    assert_eq!(names, ["m", "m.value"]);
}

#[actix_web::test]
async fn refused_lines_are_told_and_the_others_are_stored() {
    let hub = TestHub::open();
    let line = |ago: i64, value: &str| format!("{{\"device\":\"d\",\"metric\":\"m\",\"time\":{},\"value\":{value}}}\n", NOW - ago);
    let body = format!("{}{}nonsense\n{}", line(3, "1"), line(2, "\"x\""), line(1, "2"));
    let answer = import(&hub, RowFormat::Ndjson, body).await.json();
    assert_eq!((answer["stored"].clone(), answer["refused"].clone()), (json!(2), json!(2)), "{answer}");
    let told = |n: usize| (answer["refusals"][n]["line"].clone(), answer["refusals"][n]["code"].clone());
    assert_eq!((told(0), told(1)), ((json!(2), json!("type_changed")), (json!(3), json!("bad_value"))), "{answer}");
    assert_eq!(hub.hub.refusals.recent().len(), 2);
    let devices = hub.ask("/api/v1/devices").await.json();
    assert_ne!(devices["devices"][0]["state"], "online", "whose past comes in is not there for it: {devices}");
    let call = |uri: &str, body: &'static str, role| {
        let token = hub.token(role, None, None);
        let request = TestRequest::post().uri(uri).set_payload(body);
        let hub = &hub;
        async move { hub.call(request, Some(&token)).await }
    };
    assert_eq!(call("/api/v1/import?format=csv", "device,metric\n", Role::Admin).await.refusal(), (400, "bad_parameter".to_owned()));
    assert_eq!(call("/api/v1/import", "", Role::Agent).await.refusal(), (400, "bad_parameter".to_owned()));
    assert_eq!(call("/api/v1/import?format=parquet", "", Role::Agent).await.refusal(), (400, "bad_parameter".to_owned()));
    assert_eq!(call("/api/v1/import?format=csv", "", Role::Viewer).await.refusal(), (403, "forbidden".to_owned()));
    assert_eq!(call("/api/v1/import?format=csv", "", Role::Agent).await.json()["stored"], 0);
    let small = TestHub::open_with(|config| config.ingest.frame_bytes = 64 << 10);
    assert_eq!(import(&small, RowFormat::Ndjson, "x".repeat(300 << 10)).await.refusal(), (413, "too_large".to_owned()));
    small.hub.health.poison("a test".to_owned());
    assert_eq!(import(&small, RowFormat::Ndjson, line(1, "1")).await.refusal(), (503, "store_failed".to_owned()));
}
