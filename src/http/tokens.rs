//! `GET|POST tokens`, `DELETE tokens/{id}`. A token's secret is in the answer to its POST and nowhere else.

use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Admin, Door};
use super::error::ApiError;
use super::openapi::forms::RoleName;
use super::params::NoParams;
use super::short::JsonBody;
use crate::auth::access::Role;
use crate::catalog::tokens::{Token, TokenSpec};
use crate::clock::NS_PER_MS;
use crate::limits;
use crate::model::TokenId;
use crate::query::selector::{Glob, Selector, SelectorError};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// `agent` sends readings, `viewer` sees them, `admin` does everything.
    #[schema(value_type = RoleName)]
    role: String,
    /// For people; the role unless it is said.
    name: Option<String>,
    /// A glob: only devices whose id matches. Absent: every device.
    #[schema(min_length = 1)]
    devices: Option<String>,
    /// A selector: only series that it matches. Absent: every series.
    #[schema(min_length = 1)]
    select: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TokensBody {
    tokens: Vec<TokenRow>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TokenRow {
    id: u32,
    name: String,
    #[schema(value_type = RoleName)]
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    select: Option<String>,
    /// Milliseconds since 1970 UTC.
    created: i64,
    /// The secret; only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl From<Token> for TokenRow {
    fn from(token: Token) -> Self {
        let TokenSpec { name, role, devices, select } = token.spec;
        Self { id: token.id.0, name, role: role.as_str(), devices, select, created: token.created / NS_PER_MS, token: None }
    }
}

/// Checks what a user wrote about a token; `telltale token create` uses it too. Each message begins with the name of what is wrong.
pub fn spec(role: &str, name: Option<&str>, devices: Option<&str>, select: Option<&str>) -> Result<TokenSpec, ApiError> {
    let role = self::role(role)?;
    let name = name.unwrap_or(role.as_str()).to_owned();
    if name.is_empty() || name.len() > limits::NAME_BYTES || name.chars().any(char::is_control) {
        return Err(ApiError::parameter(format!("name = {name:?}: expected 1 to {} bytes without control characters", limits::NAME_BYTES)));
    }
    if let Some(devices) = devices.filter(|glob| glob.is_empty() || glob.chars().any(char::is_control)) {
        // No device has such an id: the token would reach nothing.
        let expected =
            "expected a glob of device ids, such as pump-*, without control characters; without it the token reaches every device";
        return Err(ApiError::parameter(format!("devices = {devices:?}: {expected}")));
    }
    let named = |name: &str, error: SelectorError| {
        let mut error = ApiError::from(error);
        error.message = format!("{name}: {}", error.message);
        error
    };
    devices.map(Glob::parse).transpose().map_err(|error| named("devices", error))?;
    select.map(Selector::parse).transpose().map_err(|error| named("select", error))?;
    Ok(TokenSpec { name, role, devices: devices.map(str::to_owned), select: select.map(str::to_owned) })
}

pub(super) fn role(text: &str) -> Result<Role, ApiError> {
    Role::parse(text).ok_or_else(|| ApiError::parameter(format!("role = {text:?}: expected agent, viewer or admin")))
}

/// Every token that is not revoked.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "access", responses((status = 200, body = TokensBody)))]
pub async fn list(_: Admin, _: NoParams, door: web::Data<Door>) -> Result<HttpResponse, ApiError> {
    let auth = Arc::clone(&door.auth);
    let tokens = web::block(move || auth.tokens()).await??;
    Ok(HttpResponse::Ok().json(TokensBody { tokens: tokens.into_iter().map(TokenRow::from).collect() }))
}

/// Makes a token. Its secret is shown this once.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "access", request_body = NewToken, responses((status = 201, body = TokenRow),
    (status = 400, description = "`bad_parameter`, or `bad_selector` for `devices` and `select`.")))]
pub async fn create(_: Admin, _: NoParams, door: web::Data<Door>, body: JsonBody<NewToken>) -> Result<HttpResponse, ApiError> {
    let body = body.into_inner();
    let spec = spec(&body.role, body.name.as_deref(), body.devices.as_deref(), body.select.as_deref())?;
    let auth = Arc::clone(&door.auth);
    let (secret, token) = web::block(move || auth.create_token(spec)).await??;
    let row = TokenRow { token: Some(secret.reveal().to_owned()), ..token.into() };
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(row))
}

/// Revokes a token; its sockets close within a second, its sessions end.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "access", params(("id" = u32, Path, description = "The token.")),
    responses((status = 204, description = "It is revoked."), (status = 404, description = "There is no such token.")))]
pub async fn revoke(_: Admin, _: NoParams, door: web::Data<Door>, id: web::Path<u32>) -> Result<HttpResponse, ApiError> {
    let auth = Arc::clone(&door.auth);
    let id = id.into_inner();
    if web::block(move || auth.revoke_token(TokenId(id))).await?? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(ApiError::not_found(format!("there is no token {id}, or it was revoked before")))
    }
}
