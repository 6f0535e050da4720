//! Login, logout, sessions: `POST login`, `POST logout`, `GET session`, `POST login/link`, `GET sessions`, `DELETE sessions/{id}`.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, ORIGIN, USER_AGENT};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Admin, Door, Known};
use super::error::{ApiError, ErrorCode};
use super::openapi::forms::RoleName;
use super::params::NoParams;
use super::short::JsonBody;
use crate::auth::By;
use crate::auth::access::Role;
use crate::catalog::tokens::SessionId;
use crate::clock::NS_PER_MS;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginBody {
    /// The code of a login link.
    code: Option<String>,
    /// Or a token, whose role and scope the session gets.
    token: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SessionBody {
    #[schema(value_type = RoleName)]
    role: &'static str,
    name: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkBody {
    /// Admin unless it is said.
    #[schema(value_type = Option<RoleName>)]
    role: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct LinkAnswer {
    link: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SessionsBody {
    sessions: Vec<SessionRow>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SessionRow {
    id: i64,
    #[schema(value_type = RoleName)]
    role: &'static str,
    /// The token that was typed in; absent for a login link.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<u32>,
    /// The browser, as it names itself.
    client: String,
    /// Milliseconds since 1970 UTC.
    created: i64,
    used: i64,
    /// Whether it is the session of this request.
    current: bool,
}

/// Opens a session: 204 and a cookie.
#[utoipa::path(post, path = "/api/v1/login", tag = "access", request_body = LoginBody, security(()),
    responses((status = 204, description = "A cookie is set."), (status = 401, description = "The code or token is not valid."),
    (status = 403, description = "The Origin is not one of the hub's.")))]
pub async fn login(_: NoParams, request: HttpRequest, door: web::Data<Door>, body: JsonBody<LoginBody>) -> Result<HttpResponse, ApiError> {
    // A browser always names the page; another's page must not log a user in under its own account.
    if request.headers().contains_key(ORIGIN) {
        door.check_origin(&request)?;
    }
    let client = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let auth = Arc::clone(&door.auth);
    let session = match body.into_inner() {
        LoginBody { code: Some(code), token: None } => web::block(move || auth.login_by_code(&code, &client)).await??.ok_or_else(|| {
            ApiError::new(ErrorCode::Unauthorized, "the login link is unknown, used or older than 15 minutes")
                .with_hint("`telltale login` prints a new one")
        }),
        LoginBody { code: None, token: Some(token) } => web::block(move || auth.login_by_token(token.trim(), &client))
            .await??
            .ok_or_else(|| ApiError::new(ErrorCode::Unauthorized, "the token is unknown or was revoked")),
        _ => Err(ApiError::parameter("expected either `code` or `token`")),
    }?;
    Ok(HttpResponse::NoContent().cookie(door.session_cookie(&session)).finish())
}

/// Ends the session of this request.
#[utoipa::path(post, path = "/api/v1/logout", tag = "access", responses((status = 204, description = "The cookie is taken away.")))]
pub async fn logout(known: Known, _: NoParams, door: web::Data<Door>) -> Result<HttpResponse, ApiError> {
    let Some(By::Session(id)) = known.by else {
        return Err(ApiError::parameter("this request has no session to end").with_hint("a token is ended with DELETE tokens/{id}"));
    };
    let auth = Arc::clone(&door.auth);
    web::block(move || auth.end_session(id)).await??;
    Ok(HttpResponse::NoContent().cookie(door.empty_cookie()).finish())
}

/// Who this request is.
#[utoipa::path(get, path = "/api/v1/session", tag = "access", responses((status = 200, body = SessionBody)))]
pub async fn session(known: Known, _: NoParams) -> HttpResponse {
    let body = SessionBody { role: known.access.role().as_str(), name: known.access.name().to_owned() };
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(body)
}

/// A link that logs in once, within 15 minutes. `telltale login` asks for it.
#[utoipa::path(post, path = "/api/v1/login/link", tag = "access", request_body = LinkBody, responses((status = 201, body = LinkAnswer)))]
pub async fn create_link(_: Admin, _: NoParams, door: web::Data<Door>, body: JsonBody<LinkBody>) -> Result<HttpResponse, ApiError> {
    let LinkBody { role } = body.into_inner();
    let role = role.as_deref().map_or(Ok(Role::Admin), super::tokens::role)?;
    if !role.may_read() {
        let message = format!("role {}: a login link is for admin or viewer", role.as_str());
        return Err(ApiError::parameter(message).with_hint("an agent gets a token: telltale token create --role agent"));
    }
    let auth = Arc::clone(&door.auth);
    let code = web::block(move || auth.create_login_code(role)).await??;
    Ok(HttpResponse::Created().json(LinkAnswer { link: door.login_link(&code) }))
}

/// Every session that is open.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "access", responses((status = 200, body = SessionsBody)))]
pub async fn list(_: Admin, known: Known, _: NoParams, door: web::Data<Door>) -> Result<HttpResponse, ApiError> {
    let auth = Arc::clone(&door.auth);
    let sessions = web::block(move || auth.sessions()).await??;
    let rows = sessions.into_iter().map(|session| SessionRow {
        id: session.id.0,
        role: session.role.as_str(),
        token: session.token.map(|token| token.id.0),
        client: session.client,
        created: session.created / NS_PER_MS,
        used: session.used / NS_PER_MS,
        current: known.by == Some(By::Session(session.id)),
    });
    Ok(HttpResponse::Ok().json(SessionsBody { sessions: rows.collect() }))
}

/// Ends a session; its sockets close within a second.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "access", params(("id" = i64, Path, description = "The session.")),
    responses((status = 204, description = "It has ended."), (status = 404, description = "There is no such session.")))]
pub async fn end(_: Admin, _: NoParams, door: web::Data<Door>, id: web::Path<i64>) -> Result<HttpResponse, ApiError> {
    let auth = Arc::clone(&door.auth);
    let id = id.into_inner();
    if web::block(move || auth.end_session(SessionId(id))).await?? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(ApiError::not_found(format!("there is no session {id}")))
    }
}
