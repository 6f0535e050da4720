//! Answers that are written while their token is revoked.

use actix_web::body::to_bytes;
use actix_web::http::Method;
use actix_web::http::header::ACCEPT_ENCODING;
use actix_web::test::TestRequest;

use super::testing::{NOW, TestHub};
use crate::auth::access::Role;
use crate::catalog::tokens::TokenSpec;
use crate::model::Value;

#[actix_web::test]
async fn every_streamed_answer_ends_broken_with_its_token() {
    let test = TestHub::open();
    test.put("d", "m", &[], &[(NOW, Value::Int(1))]).await;
    let rows = [
        ("GET", "history?select=*/*&from=-1h", Role::Viewer),
        ("GET", "history?select=*/*&from=-1h&format=csv", Role::Viewer),
        ("GET", "history?select=*/*&from=-1h&format=ndjson", Role::Viewer),
        ("GET", "history?select=*/*&from=-1h&format=msgpack", Role::Viewer),
        ("GET", "export?select=*/*", Role::Viewer),
        ("GET", "last?select=*/*", Role::Viewer),
        ("POST", "check", Role::Admin),
    ];
    for (method, uri, role) in rows {
        // A check goes on, and another cannot begin; its lines are never packed.
        for accepts in if method == "GET" { &["identity", "gzip"][..] } else { &["identity"] } {
            let spec = TokenSpec { name: "t".to_owned(), role, devices: None, select: None };
            let (secret, token) = test.hub.auth.create_token(spec).unwrap();
            let request = TestRequest::default().method(Method::from_bytes(method.as_bytes()).unwrap());
            let request = request.uri(&format!("/api/v1/{uri}")).insert_header((ACCEPT_ENCODING, *accepts));
            let answer = test.begun(request, Some(secret.reveal())).await;
            assert_eq!(answer.status().as_u16(), 200, "{uri}");
            assert!(test.hub.auth.revoke_token(token.id).unwrap());
            let body = to_bytes(answer.into_body()).await;
            assert!(body.is_err(), "{uri} {accepts}: {body:?}");
        }
    }
}
