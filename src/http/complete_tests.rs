//! Completion through the whole hub: counts, order, bounds and scopes.

use serde_json::json;

use super::super::testing::{NOW, TestHub};
use crate::auth::access::Role;
use crate::catalog::devices::DescriptionEdit;
use crate::model::Value;

async fn filled() -> TestHub {
    let test = TestHub::open();
    for (device, metric, labels) in [
        ("greenhouse-1", "temp", &[][..]),
        ("greenhouse-1", "cpu", &[("cpu", "cpu0")][..]),
        ("greenhouse-1", "cpu", &[("cpu", "cpu1")][..]),
        ("greenhouse-2", "temp", &[][..]),
        ("pump/2", "flow", &[][..]),
    ] {
        test.put(device, metric, labels, &[(NOW, Value::Float(1.0))]).await;
    }
    for (device, site) in [("greenhouse-1", "hall 1"), ("pump/2", "hall \"2\""), ("nothing-sent", "hall 3")] {
        let attributes = [("site".to_owned(), site.to_owned())].into();
        test.hub.devices.edit(device, &DescriptionEdit { attributes, ..DescriptionEdit::default() }, NOW).unwrap();
    }
    test
}

/// `part insert×series` of each candidate.
fn rows(answer: &serde_json::Value) -> Vec<String> {
    let text = |of: &serde_json::Value| of.as_str().unwrap().to_owned();
    let rows = answer["candidates"].as_array().unwrap();
    rows.iter().map(|row| format!("{} {}×{}", text(&row["part"]), text(&row["insert"]), row["series"])).collect()
}

fn uri(prefix: &str, more: &str) -> String {
    let prefix: String = url::form_urlencoded::byte_serialize(prefix.as_bytes()).collect();
    format!("/api/v1/complete?prefix={prefix}{more}")
}

#[actix_web::test]
async fn each_part_is_completed_from_what_there_is() {
    let test = filled().await;
    let rows_of: &[(&str, &[&str])] = &[
        ("", &["device greenhouse-1×3", "device greenhouse-2×1", "device pump/2×1"]),
        ("pump/", &["metric flow×0", "device pump/2×1"][1..]),
        ("greenhouse-1/", &["metric cpu×2", "metric temp×1"]),
        ("*/t", &["metric temp×2"]),
        ("*/*{", &["label cpu×2", "attribute @site×4"]),
        ("*/temp{", &["attribute @site×1"]),
        ("*/*{cpu=\"", &["label_value cpu0×1", "label_value cpu1×1"]),
        ("*/*{@site=\"hall 1\",cpu=\"", &["label_value cpu0×1", "label_value cpu1×1"]),
        ("*/*{@site!=\"hall 1\",cpu=\"", &[]),
        ("*/*{@site=", &[r#"attribute_value "hall 1×3"#, r#"attribute_value "hall \"2\"×1"#]),
    ];
    for (prefix, expected) in rows_of {
        let answer = test.ask(&uri(prefix, "")).await;
        assert_eq!(answer.status, 200, "{prefix}: {}", answer.text());
        let mut found = rows(&answer.json());
        found.sort();
        let mut expected: Vec<_> = expected.iter().map(|row| (*row).to_owned()).collect();
        expected.sort();
        assert_eq!(found, expected, "{prefix}");
    }
    let whole = test.ask(&uri("pump/2/f", "")).await.json();
    let expected = json!({ "candidates": [{ "part": "metric", "text": "flow", "typed": "f", "insert": "flow", "then": "", "series": 1 }], "more": false });
    assert_eq!(whole, expected);
}

#[actix_web::test]
async fn the_first_are_told_in_order_and_that_there_are_more() {
    let test = filled().await;
    let answer = test.ask(&uri("", "&limit=2")).await.json();
    assert_eq!(rows(&answer), ["device greenhouse-1×3", "device greenhouse-2×1"]);
    assert_eq!(answer["more"], true);
    for (more, part) in [("&limit=0", "limit=0: expected a whole number from 1 to 1000"), ("&limt=1", "unknown parameter limt")] {
        let answer = test.ask(&uri("", more)).await;
        assert_eq!(answer.refusal(), (400, "bad_parameter".to_owned()));
        assert!(answer.text().contains(part), "{}", answer.text());
    }
    assert_eq!(test.ask(&uri("a/b{x=1", "")).await.refusal(), (400, "bad_selector".to_owned()));
}

#[actix_web::test]
async fn what_is_out_of_scope_is_not_completed() {
    let test = filled().await;
    let scopes = [
        (Some("green*"), None, vec!["device greenhouse-1×3", "device greenhouse-2×1"]),
        (None, Some("*/*{@site=\"hall 1\",cpu=\"\"}"), vec!["device greenhouse-1×1"]),
        (Some("nobody"), None, vec![]),
    ];
    for (devices, select, expected) in scopes {
        let token = test.token(Role::Viewer, devices, select);
        let request = actix_web::test::TestRequest::get().uri(&uri("", ""));
        assert_eq!(rows(&test.call(request, Some(&token)).await.json()), expected);
        let request = actix_web::test::TestRequest::get().uri(&uri("*/*{@site=\"hall \\\"", ""));
        assert_eq!(rows(&test.call(request, Some(&token)).await.json()), [""; 0], "the pump's site is not known to it");
    }
}
