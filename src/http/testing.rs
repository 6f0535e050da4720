//! A whole hub in a temporary folder, asked without a network: for the tests of resources.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::dev::{ServerHandle, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::AUTHORIZATION;
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, HttpServer, web};
use serde_json::Value as Json;
use tokio::sync::oneshot;

use super::auth::Door;
use super::openapi::DOCUMENT;
use crate::auth::access::Role;
use crate::catalog::tokens::TokenSpec;
use crate::clock::Clock;
use crate::config::Config;
use crate::hub::Hub;
use crate::ingest::{Batch, Outcome};
use crate::model::{Reading, TimeNs, TokenId, Value};
use crate::series::KeyRef;

/// 2026-11-23T01:07:10Z, where the hub's clock stands.
pub(super) const NOW: TimeNs = 1_795_396_030_000_000_000;

pub(super) struct TestHub {
    _dir: tempfile::TempDir,
    pub(super) hub: web::Data<Hub>,
    door: web::Data<Door>,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) encoding: String,
    pub(super) vary: String,
    pub(super) body: web::Bytes,
}

impl TestHub {
    pub(super) fn open() -> Self {
        Self::open_with(|_| ())
    }

    pub(super) fn open_with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.data.dir = dir.path().to_owned();
        change(&mut config);
        let hub = web::Data::new(Hub::open(config, Clock::manual(NOW)).unwrap());
        let door = web::Data::new(Door::new(Arc::clone(&hub.auth), &hub.config, "127.0.0.1:8080".parse().unwrap()));
        Self { _dir: dir, hub, door }
    }

    pub(super) fn token(&self, role: Role, devices: Option<&str>, select: Option<&str>) -> String {
        let spec = TokenSpec { name: "t".to_owned(), role, devices: devices.map(str::to_owned), select: select.map(str::to_owned) };
        self.hub.auth.create_token(spec).unwrap().0.reveal().to_owned()
    }

    /// Through the writer and the log, as any reading.
    pub(super) async fn put(&self, device: &str, metric: &str, labels: &[(&str, &str)], points: &[(TimeNs, Value)]) {
        let series = self.hub.series.resolve(KeyRef { device, metric, labels }, TokenId(1)).unwrap();
        let readings = points.iter().map(|(time, value)| Reading { series: series.id, time: *time, value: value.clone() }).collect();
        let (reply, outcome) = oneshot::channel();
        self.hub.queue.submit(Batch { readings, meta: Vec::new(), agent: None, received: NOW, reply }).await.unwrap();
        assert!(matches!(outcome.await.unwrap(), Outcome::Committed { refused, .. } if refused.is_empty()));
    }

    /// An answer whose body is not read yet.
    pub(super) async fn begun(&self, request: TestRequest, token: Option<&str>) -> ServiceResponse {
        let app = App::new().app_data(self.hub.clone()).app_data(self.door.clone()).configure(super::routes);
        let service = init_service(app).await;
        let request = match token {
            Some(token) => request.insert_header((AUTHORIZATION, format!("Bearer {token}"))),
            None => request,
        };
        actix_web::test::call_service(&service, request.to_request()).await
    }

    pub(super) async fn call(&self, request: TestRequest, token: Option<&str>) -> Answer {
        let answer = self.begun(request, token).await;
        let (method, path) = (answer.request().method().clone(), answer.request().path().to_owned());
        let status = answer.status().as_u16();
        let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (content_type, encoding, vary) = (header("content-type"), header("content-encoding"), header("vary"));
        let body = to_bytes(answer.into_body()).await.map_err(|_| "the body broke off").unwrap();
        if status >= 400 && content_type == "application/json" {
            let refusal: Json = serde_json::from_slice(&body).unwrap_or_default();
            check_described(&method, &path, status, refusal["error"]["code"].as_str().unwrap_or_default());
        }
        Answer { status, content_type, encoding, vary, body }
    }

    /// On a real port, for what shows on a connection alone.
    pub(super) fn serve(&self) -> Served {
        let each = (self.hub.clone(), self.door.clone());
        let server = HttpServer::new(move || App::new().app_data(each.0.clone()).app_data(each.1.clone()).configure(super::routes));
        let server = server.workers(1).on_connect(super::line::keep).disable_signals().bind("127.0.0.1:0").unwrap();
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        drop(actix_web::rt::spawn(server));
        Served { address, handle }
    }

    /// As a viewer who sees everything.
    pub(super) async fn ask(&self, uri: &str) -> Answer {
        let token = self.token(Role::Viewer, None, None);
        self.call(TestRequest::get().uri(uri), Some(&token)).await
    }
}

/// What a route refuses with, its document has with that status.
pub(super) fn check_described(method: &Method, path: &str, status: u16, code: &str) {
    let fits = |form: &str| {
        let (form, path): (Vec<_>, Vec<_>) = (form.split('/').collect(), path.split('/').collect());
        form.len() == path.len() && form.iter().zip(path).all(|(form, part)| *form == part || form.starts_with('{'))
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let Some((form, item)) = paths.iter().find(|(form, _)| fits(form)) else { return };
    // A method that it does not take is not in it either.
    let Some(operation) = item.get(method.as_str().to_lowercase()).filter(|_| !code.is_empty()) else { return };
    let text = operation["responses"][status.to_string()]["description"].as_str().unwrap_or_default();
    assert!(text.contains(&format!("`{code}`")), "{method} {form} answers {status} `{code}`, and its document says: {text:?}");
}

pub(super) struct Served {
    pub(super) address: SocketAddr,
    handle: ServerHandle,
}

impl Served {
    /// Does not wait for connections.
    pub(super) async fn stop(self) {
        self.handle.stop(false).await;
    }
}

impl Answer {
    pub(super) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Status and code of a refusal.
    pub(super) fn refusal(&self) -> (u16, String) {
        (self.status, self.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
    }
}
