//! The routes of `http` against a real catalog, without a network. What the other resources answer is tested beside them.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, ORIGIN, SET_COOKIE, UPGRADE,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, Error, web};
use serde_json::{Value, json};

use super::auth::{Door, LiveReader, Scraper, Writer};
use super::testing::check_described;
use crate::auth::Auth;
use crate::auth::access::Role;
use crate::catalog::Catalog;
use crate::catalog::tokens::TokenSpec;
use crate::clock::Clock;
use crate::config::Config;

const HUB: &str = "127.0.0.1:8080";
const PAGE: &str = "http://127.0.0.1:8080";

struct Bench {
    _dir: tempfile::TempDir,
    door: web::Data<Door>,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(1_800_000_000_000_000_000);
    let auth = Arc::new(Auth::open(Arc::new(Catalog::open(dir.path()).unwrap()), clock).unwrap());
    let door = web::Data::new(Door::new(auth, &Config::default(), HUB.parse().unwrap()));
    Bench { _dir: dir, door }
}

impl Bench {
    fn token(&self, role: Role) -> String {
        self.scoped_token(role, None)
    }

    fn scoped_token(&self, role: Role, devices: Option<&str>) -> String {
        let spec = TokenSpec { name: "t".to_owned(), role, devices: devices.map(str::to_owned), select: None };
        self.door.auth.create_token(spec).unwrap().0.reveal().to_owned()
    }

    /// A cookie as a browser would send it, for a session of this role.
    fn cookie(&self, role: Role) -> String {
        let code = self.door.auth.create_login_code(role).unwrap();
        let session = self.door.auth.login_by_code(code.reveal(), "test").unwrap().unwrap();
        self.door.session_cookie(&session).stripped().to_string()
    }

    async fn service(&self) -> impl Service<actix_http::Request, Response = ServiceResponse, Error = Error> {
        let probes = |app: &mut web::ServiceConfig| {
            app.route("/probe/live", web::get().to(|_: LiveReader| async { "in" }))
                .route("/probe/ingest", web::get().to(|_: Writer| async { "in" }))
                .route("/probe/metrics", web::get().to(|_: Scraper| async { "in" }));
        };
        init_service(App::new().app_data(self.door.clone()).configure(probes).configure(super::routes)).await
    }

    async fn call(&self, request: TestRequest) -> ServiceResponse {
        self.service().await.call(request.to_request()).await.expect("the service answers")
    }
}

fn bearer(request: TestRequest, token: &str) -> TestRequest {
    request.insert_header((AUTHORIZATION, format!("Bearer {token}")))
}

/// As the hub's own page would send it.
fn from_page(request: TestRequest, cookie: &str) -> TestRequest {
    request.insert_header((COOKIE, cookie)).insert_header((ORIGIN, PAGE)).insert_header((HOST, HUB))
}

async fn body(answer: ServiceResponse) -> Value {
    let bytes = to_bytes(answer.into_body()).await.unwrap();
    if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() }
}

/// Status and code of a refusal.
async fn refusal(answer: ServiceResponse) -> (u16, String) {
    let (status, method, path) = (answer.status().as_u16(), answer.request().method().clone(), answer.request().path().to_owned());
    let body = body(answer).await;
    assert!(body["error"]["message"].is_string(), "{body}");
    check_described(&method, &path, status, body["error"]["code"].as_str().unwrap());
    (status, body["error"]["code"].as_str().unwrap().to_owned())
}

#[actix_web::test]
async fn a_role_reaches_its_own_resources_and_no_others() {
    let b = bench();
    let rows = [
        ("/probe/ingest", Role::Agent, 200),
        ("/probe/ingest", Role::Viewer, 403),
        ("/probe/ingest", Role::Admin, 200),
        ("/probe/live", Role::Agent, 403),
        ("/probe/live", Role::Viewer, 200),
        ("/probe/live", Role::Admin, 200),
        ("/probe/metrics", Role::Agent, 200),
        ("/api/v1/tokens", Role::Agent, 403),
        ("/api/v1/tokens", Role::Viewer, 403),
        ("/api/v1/tokens", Role::Admin, 200),
        ("/api/v1/sessions", Role::Viewer, 403),
        ("/api/v1/session", Role::Agent, 200),
    ];
    for (path, role, status) in rows {
        let answer = b.call(bearer(TestRequest::get().uri(path), &b.token(role))).await;
        assert_eq!(answer.status().as_u16(), status, "{path} {role:?}");
    }
    let scoped = b.scoped_token(Role::Admin, Some("pump-*"));
    assert_eq!(refusal(b.call(bearer(TestRequest::get().uri("/api/v1/tokens"), &scoped)).await).await, (403, "forbidden".to_owned()));
}

#[actix_web::test]
async fn without_good_credentials_the_answer_is_unauthorized_and_says_how() {
    let b = bench();
    let cookie = b.cookie(Role::Admin);
    let name = cookie.split('=').next().unwrap();
    let get = || TestRequest::get().uri("/api/v1/session");
    let requests = [
        get(),
        bearer(get(), "tt_wrong"),
        bearer(get(), ""),
        get().insert_header((AUTHORIZATION, "Digest x")),
        get().insert_header((COOKIE, format!("{name}=tts_wrong"))),
        get().insert_header((COOKIE, "telltale_other=x")),
        // A bad header is not made good by a cookie.
        bearer(get().insert_header((COOKIE, cookie.clone())), "tt_wrong"),
        // Neither a session's secret nor a token serves as the other.
        bearer(get(), cookie.split('=').nth(1).unwrap()),
        get().insert_header((COOKIE, format!("{name}={}", b.token(Role::Admin)))),
    ];
    for request in requests {
        let answer = b.call(request).await;
        assert_eq!(answer.headers().get(WWW_AUTHENTICATE).unwrap(), "Bearer realm=\"telltale\"");
        assert_eq!(refusal(answer).await, (401, "unauthorized".to_owned()));
    }
}

#[actix_web::test]
async fn a_cookie_changes_things_and_opens_sockets_only_from_the_hubs_own_page() {
    let b = bench();
    let cookie = b.cookie(Role::Admin);
    let ticket = || TestRequest::post().uri("/api/v1/live/ticket").insert_header((COOKIE, cookie.clone())).insert_header((HOST, HUB));
    let socket = || {
        let upgrade = TestRequest::get().uri("/probe/live").insert_header((UPGRADE, "websocket"));
        upgrade.insert_header((COOKIE, cookie.clone())).insert_header((HOST, HUB))
    };
    for request in [&ticket as &dyn Fn() -> TestRequest, &socket] {
        assert_eq!(b.call(request().insert_header((ORIGIN, PAGE))).await.status(), StatusCode::OK);
        let refused = [
            request(),
            request().insert_header((ORIGIN, "http://evil.example")),
            request().insert_header((ORIGIN, "null")),
            request().insert_header((ORIGIN, PAGE)).insert_header((HOST, "rebound.example:8080")),
        ];
        for request in refused {
            assert_eq!(refusal(b.call(request).await).await, (403, "forbidden".to_owned()));
        }
    }
    let reads = TestRequest::get().uri("/api/v1/session").insert_header((COOKIE, cookie));
    assert_eq!(b.call(reads).await.status(), StatusCode::OK, "reading needs no Origin: browsers do not send one");
}

#[actix_web::test]
async fn a_ticket_opens_one_live_socket_from_anywhere() {
    let b = bench();
    let token = b.token(Role::Viewer);
    let made = body(b.call(bearer(TestRequest::post().uri("/api/v1/live/ticket"), &token)).await).await;
    let uri = format!("/probe/live?x=1&ticket={}", made["ticket"].as_str().unwrap());
    let open = || TestRequest::get().uri(&uri).insert_header((UPGRADE, "websocket")).insert_header((ORIGIN, "http://wall.example"));
    assert_eq!(b.call(open()).await.status(), StatusCode::OK);
    assert_eq!(refusal(b.call(open()).await).await, (401, "unauthorized".to_owned()), "once");
    let elsewhere = TestRequest::get().uri("/api/v1/session?ticket=ttk_x");
    assert_eq!(refusal(b.call(elsewhere).await).await, (401, "unauthorized".to_owned()));
    let agent = bearer(TestRequest::post().uri("/api/v1/live/ticket"), &b.token(Role::Agent));
    assert_eq!(refusal(b.call(agent).await).await, (403, "forbidden".to_owned()));
}

#[actix_web::test]
async fn a_login_code_sets_a_cookie_once() {
    let b = bench();
    let code = b.door.auth.create_login_code(Role::Admin).unwrap();
    let login = || TestRequest::post().uri("/api/v1/login").set_json(json!({"code": code.reveal()}));
    let foreign = login().insert_header((ORIGIN, "http://evil.example")).insert_header((HOST, HUB));
    assert_eq!(refusal(b.call(foreign).await).await, (403, "forbidden".to_owned()));
    let answer = b.call(login().insert_header((ORIGIN, PAGE)).insert_header((HOST, HUB))).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let set = answer.headers().get(SET_COOKIE).unwrap().to_str().unwrap().to_owned();
    assert!(set.starts_with(&format!("telltale_{}=tts_", b.door.auth.hub_id())), "{set}");
    assert!(set.ends_with("; HttpOnly; SameSite=Strict; Path=/; Max-Age=2592000"), "{set}");
    assert_eq!(refusal(b.call(login()).await).await, (401, "unauthorized".to_owned()), "used");

    let cookie = set.split(';').next().unwrap();
    let who = body(b.call(TestRequest::get().uri("/api/v1/session").insert_header((COOKIE, cookie))).await).await;
    assert_eq!(who, json!({"role": "admin", "name": "admin by login link"}));
    let out = b.call(from_page(TestRequest::post().uri("/api/v1/logout"), cookie)).await;
    assert!(out.headers().get(SET_COOKIE).unwrap().to_str().unwrap().contains("Max-Age=0"));
    let again = TestRequest::get().uri("/api/v1/session").insert_header((COOKIE, cookie));
    assert_eq!(b.call(again).await.status(), StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn the_cookie_is_secure_under_tls() {
    let b = bench();
    let tls = crate::config::TlsFiles { cert: "c".into(), key: "k".into() };
    let config = Config { listen: crate::config::Listen { tls: Some(tls), ..Config::default().listen }, ..Config::default() };
    let door = Door::new(Arc::clone(&b.door.auth), &config, HUB.parse().unwrap());
    assert!(door.empty_cookie().to_string().contains("; Secure"));
    let proxy = crate::config::Http { public_urls: vec![crate::config::PublicUrl::parse("https://hub.example").unwrap()] };
    let door = Door::new(Arc::clone(&b.door.auth), &Config { http: proxy, ..Config::default() }, HUB.parse().unwrap());
    assert!(door.empty_cookie().to_string().contains("; Secure"));
    assert!(!b.door.empty_cookie().to_string().contains("; Secure"));
}

#[actix_web::test]
async fn a_session_by_token_has_its_role_and_ends_with_it() {
    let b = bench();
    let admin = b.token(Role::Admin);
    let made =
        body(b.call(bearer(TestRequest::post().uri("/api/v1/tokens").set_json(json!({"role": "viewer", "name": "wall"})), &admin)).await)
            .await;
    let token = made["token"].as_str().unwrap();
    let answer = b.call(TestRequest::post().uri("/api/v1/login").set_json(json!({"token": token}))).await;
    let cookie = answer.headers().get(SET_COOKIE).unwrap().to_str().unwrap().split(';').next().unwrap().to_owned();
    let session = || TestRequest::get().uri("/api/v1/session").insert_header((COOKIE, cookie.clone()));
    assert_eq!(body(b.call(session()).await).await, json!({"role": "viewer", "name": "wall"}));

    let listed = body(b.call(bearer(TestRequest::get().uri("/api/v1/tokens"), &admin)).await).await;
    assert_eq!(listed["tokens"][1]["name"], "wall");
    assert!(!listed.to_string().contains(token), "a secret is shown once");
    let sessions = body(b.call(bearer(TestRequest::get().uri("/api/v1/sessions"), &admin)).await).await;
    assert_eq!(sessions["sessions"][0]["token"], made["id"]);

    let revoke = || bearer(TestRequest::delete().uri(&format!("/api/v1/tokens/{}", made["id"])), &admin);
    assert_eq!(b.call(revoke()).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(refusal(b.call(revoke()).await).await, (404, "not_found".to_owned()));
    assert_eq!(b.call(session()).await.status(), StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn metrics_are_open_to_this_machine_but_not_through_a_proxy() {
    let b = bench();
    let near: SocketAddr = "127.0.0.1:5".parse().unwrap();
    let mapped: SocketAddr = "[::ffff:127.0.0.1]:5".parse().unwrap();
    let far: SocketAddr = "192.0.2.1:5".parse().unwrap();
    let get = |peer| TestRequest::get().uri("/probe/metrics").peer_addr(peer);
    let rows = [
        (get(near), 200),
        (get(mapped), 200),
        (get(far), 401),
        (TestRequest::get().uri("/probe/metrics"), 401),
        (get(near).insert_header(("X-Forwarded-For", "192.0.2.1")), 401),
        (get(near).insert_header(("Forwarded", "for=192.0.2.1")), 401),
        (bearer(get(near), "tt_wrong"), 401),
        (bearer(get(far), &b.token(Role::Agent)), 200),
    ];
    for (i, (request, status)) in rows.into_iter().enumerate() {
        assert_eq!(b.call(request).await.status().as_u16(), status, "row {i}");
    }
}

#[actix_web::test]
async fn every_wrong_request_gets_its_named_refusal() {
    let b = bench();
    let admin = b.token(Role::Admin);
    let tokens = || bearer(TestRequest::post().uri("/api/v1/tokens"), &admin);
    let rows = [
        (TestRequest::get().uri("/api/v1/nothing"), 404, "not_found"),
        (TestRequest::get().uri("/api/v2/buckets"), 404, "not_found"),
        (TestRequest::post().uri("/api/v2/query"), 404, "not_found"),
        (TestRequest::get().uri("/api/v1/login"), 405, "method_not_allowed"),
        (TestRequest::patch().uri("/api/v1/tokens"), 405, "method_not_allowed"),
        (TestRequest::post().uri("/some/page"), 405, "method_not_allowed"),
        (TestRequest::get().uri("/assets/gone.js"), 404, "not_found"),
        (TestRequest::get().uri("/../../etc/passwd.txt"), 404, "not_found"),
        (bearer(TestRequest::delete().uri("/api/v1/tokens/x"), &admin), 404, "not_found"),
        (bearer(TestRequest::delete().uri("/api/v1/sessions/99"), &admin), 404, "not_found"),
        (tokens().set_payload("{"), 400, "bad_parameter"),
        (tokens().insert_header((CONTENT_TYPE, "application/json")).set_payload("{"), 400, "bad_parameter"),
        (tokens().set_json(json!({"role": "boss"})), 400, "bad_parameter"),
        (tokens().set_json(json!({"rank": "admin"})), 400, "bad_parameter"),
        (tokens().set_json(json!({"role": "viewer", "name": "a\nb"})), 400, "bad_parameter"),
        (tokens().set_json(json!({"role": "viewer", "select": "no-slash"})), 400, "bad_selector"),
        (tokens().set_json("x".repeat(2 << 20)), 413, "too_large"),
        (TestRequest::post().uri("/api/v1/login").set_json(json!({})), 400, "bad_parameter"),
        (TestRequest::post().uri("/api/v1/login").set_json(json!({"code": "ttl_x"})), 401, "unauthorized"),
        (bearer(TestRequest::post().uri("/api/v1/logout"), &admin), 400, "bad_parameter"),
    ];
    for (request, status, code) in rows {
        let request = request.to_request();
        let what = format!("{:?} {}", request.method(), request.uri());
        let answer = b.service().await.call(request).await.unwrap();
        assert_eq!(answer.headers().get(CONTENT_TYPE).unwrap(), "application/json", "{what}");
        if status == 405 {
            assert!(answer.headers().contains_key(ALLOW), "{what}");
        }
        assert_eq!(refusal(answer).await, (status, code.to_owned()), "{what}");
    }
}

#[actix_web::test]
async fn every_answer_carries_the_security_headers() {
    let b = bench();
    for path in ["/", "/api/v1/session", "/api/v1/nothing", "/healthz"] {
        let answer = b.call(TestRequest::get().uri(path)).await;
        let policy = answer.headers().get(CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.headers().get(X_CONTENT_TYPE_OPTIONS).unwrap(), "nosniff", "{path}");
        let kept = if path == "/" { "no-cache" } else { "no-store" };
        assert_eq!(answer.headers().get_all(CACHE_CONTROL).collect::<Vec<_>>(), [kept], "{path}");
    }
}

#[actix_web::test]
async fn the_page_is_served_for_its_own_paths_and_not_cached() {
    let b = bench();
    for path in ["/", "/devices/pump-1"] {
        let answer = b.call(TestRequest::get().uri(path)).await;
        assert_eq!(
            (answer.status(), answer.headers().get(CACHE_CONTROL).unwrap().to_str().unwrap()),
            (StatusCode::OK, "no-cache"),
            "{path}"
        );
        let page = to_bytes(answer.into_body()).await.unwrap();
        assert!(page.starts_with(b"<!doctype html>") || page.starts_with(b"<!DOCTYPE html>"), "{path}");
    }
}
