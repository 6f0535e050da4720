//! `GET devices`, `GET|PATCH devices/{id}`: what there is, how it is, and what people call it.
//!
//! A device exists for a caller who reaches one of its series. One that only has a description (nothing sent yet) exists for those
//! whose token is not scoped.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::auth::{Admin, Reader};
use super::error::{ApiError, ErrorBody};
use super::openapi::forms::StateName;
use super::params::{NoParams, Page, Params};
use super::short::JsonBody;
use crate::auth::access::Access;
use crate::catalog::devices::{Description, DescriptionEdit};
use crate::hub::Hub;
use crate::hub::describe::describe;
use crate::limits::{LABEL_VALUE_BYTES, NAME_BYTES, NOTE_BYTES};
use crate::live::presence::{DeviceState, State};
use crate::query::complete::Tokens;
use crate::query::selector::is_name;
use crate::query::time::ms_f64;

/// A page of devices, sorted by id.
#[derive(Debug, Serialize, ToSchema)]
pub struct DevicesBody {
    devices: Vec<DeviceRow>,
    /// Give it as `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceRow {
    /// The id, as it is sent.
    device: String,
    /// What people call it.
    name: Option<String>,
    note: Option<String>,
    attributes: BTreeMap<String, String>,
    /// Grows with each edit of name, note and attributes; 0: never edited.
    version: i64,
    /// `online`: some agent's session brings it; `silent`: but no reading came for a while; `offline`; `unknown`.
    #[schema(value_type = StateName)]
    state: &'static str,
    /// When that state began, ms since 1970 UTC.
    since: Option<f64>,
    /// When the hub last heard of it, ms since 1970 UTC.
    seen: Option<f64>,
    /// The agent or token that brought it last.
    via: Option<String>,
    /// How many series of it there are.
    series: u64,
}

/// An edit: what is not named stays as it is, null takes it away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceEdit {
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>, max_length = 256, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>, max_length = 4096, pattern = r"^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f]*$")]
    note: Option<Option<String>>,
    /// By name; null takes that one away.
    #[serde(default)]
    attributes: BTreeMap<String, Option<String>>,
    /// The version that was edited: refused as `conflict` when it is another by now.
    #[serde(default, deserialize_with = "whole")]
    #[schema(value_type = Option<i64>, minimum = 0)]
    version: Option<i64>,
}

/// Tells null from absent.
fn named<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(field).map(Some)
}

/// To JSON `1.0` is the whole number `1`, and some clients write it so.
fn whole<'de, D: Deserializer<'de>>(field: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(field)? else { return Ok(None) };
    if number.fract() != 0.0 || number < 0.0 {
        return Err(D::Error::custom(format!("version {number}: expected a whole number, 0 or more")));
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole; one that is too large is no version, whichever it becomes")]
    Ok(Some(number as i64))
}

/// The devices there are.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices",
    params(
        ("search" = Option<String>, Query, description = "Only those with this text in id, name or an attribute; case does not count."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 10000, description = "Rows of a page: 1 to 10000, default 1000."),
        ("after" = Option<String>, Query, description = "`next` of the page before.")),
    responses((status = 200, body = DevicesBody), (status = 400, body = ErrorBody, description = "`bad_parameter`.")))]
pub async fn list(hub: web::Data<Hub>, reader: Reader, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let params = Params::read(&request, &["search", "limit", "after"])?;
    let page = Page::read(&params)?;
    let (search, after) = (params.one("search")?.map(str::to_lowercase), params.one("after")?.map(str::to_owned));
    let hub = hub.into_inner();
    let body = web::block(move || {
        let is_behind = |device: &str| after.as_deref().is_none_or(|after| device > after);
        let is_sought = |device: &str| search.as_deref().is_none_or(|search| mentions(&hub, device, search));
        let (shown, more) = devices(&hub, &reader.0, page.rows(), |device| is_behind(device) && is_sought(device));
        let next = shown.last().filter(|_| more).map(|(device, _)| device.to_string());
        DevicesBody { devices: shown.iter().map(|(device, series)| row(&hub, device, *series)).collect(), next }
    });
    Ok(HttpResponse::Ok().json(body.await?))
}

/// One device.
#[utoipa::path(get, path = "/api/v1/devices/{id}", tag = "devices",
    params(("id" = String, Path, min_length = 1, max_length = 256, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$", description = "The device's id; a `/` in it is sent as `%2F`.")),
    responses((status = 200, body = DeviceRow), (status = 404, body = ErrorBody, description = "`not_found`.")))]
pub async fn one(hub: web::Data<Hub>, reader: Reader, _: NoParams, id: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let (hub, id) = (hub.into_inner(), id.into_inner());
    let row = web::block(move || {
        let found = devices(&hub, &reader.0, 1, |device| device == id).0;
        let found = found.first().map(|(_, series)| row(&hub, &id, *series));
        found.ok_or_else(|| ApiError::not_found(format!("there is no device {id}")))
    });
    Ok(HttpResponse::Ok().json(row.await??))
}

/// Changes name, note or attributes. A device that has sent nothing yet can be described, too.
#[utoipa::path(patch, path = "/api/v1/devices/{id}", tag = "devices",
    params(("id" = String, Path, min_length = 1, max_length = 256, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$", description = "The device's id; a `/` in it is sent as `%2F`.")),
    request_body = DeviceEdit,
    responses(
        (status = 200, body = DeviceRow),
        (status = 400, body = ErrorBody, description = "`bad_parameter`."),
        (status = 409, body = ErrorBody, description = "`conflict`: edited by someone else since `version`.")))]
pub async fn edit(
    hub: web::Data<Hub>,
    admin: Admin,
    _: NoParams,
    id: web::Path<String>,
    body: JsonBody<DeviceEdit>,
) -> Result<HttpResponse, ApiError> {
    let (hub, id) = (hub.into_inner(), id.into_inner());
    check_text("device", &id, NAME_BYTES)?;
    if id.is_empty() {
        return Err(ApiError::parameter("a device id is not empty"));
    }
    let edit = checked(body.into_inner())?;
    describe(&hub, id.clone(), edit).await?;
    let row = web::block(move || {
        let found = devices(&hub, &admin.0, 1, |device| device == id).0;
        row(&hub, &id, found.first().map_or(0, |(_, series)| *series))
    });
    Ok(HttpResponse::Ok().json(row.await?))
}

fn checked(edit: DeviceEdit) -> Result<DescriptionEdit, ApiError> {
    let text = |what: &str, given: Option<Option<String>>, max| {
        let text = given.map(Option::unwrap_or_default);
        text.as_deref().map_or(Ok(()), |text| check_text(what, text, max)).map(|()| text)
    };
    let (name, note) = (text("name", edit.name, NAME_BYTES)?, text("note", edit.note, NOTE_BYTES)?);
    let mut attributes = BTreeMap::new();
    for (attribute, value) in edit.attributes {
        if !is_name(&attribute) || attribute.len() > NAME_BYTES {
            let message =
                format!("attribute {attribute:?}: expected a name of letters, digits, `_`, `.` and `-` that begins with a letter or `_`");
            return Err(ApiError::parameter(message));
        }
        let value = value.unwrap_or_default();
        check_text(&format!("attribute {attribute}"), &value, LABEL_VALUE_BYTES)?;
        attributes.insert(attribute, value);
    }
    Ok(DescriptionEdit { name, note, attributes, seen: edit.version })
}

/// A note may have several lines; nothing else has control characters.
fn check_text(what: &str, text: &str, max: usize) -> Result<(), ApiError> {
    if text.len() > max {
        return Err(ApiError::parameter(format!("{what}: {} bytes are more than {max}", text.len())));
    }
    match text.chars().find(|c| c.is_control() && !(what == "note" && matches!(c, '\n' | '\t'))) {
        Some(c) => Err(ApiError::parameter(format!("{what}: the control character {c:?} is not allowed"))),
        None => Ok(()),
    }
}

/// The first devices that exist for the caller and are wanted, by id, each with its number of series; and whether there are more. A
/// look at each series.
pub(super) fn devices(hub: &Hub, access: &Access, most: usize, wanted: impl Fn(&str) -> bool) -> (Vec<(Box<str>, u64)>, bool) {
    let (scope, mut found) = (access.scope(), Tokens::new(most));
    // Series of a device lie together.
    let mut asked: Option<(Arc<str>, bool)> = None;
    hub.series.each_listed(|series| {
        let device = &series.key.device;
        let known = asked.as_ref().filter(|(of, _)| of == device).map(|(_, is_wanted)| *is_wanted);
        let is_wanted = known.unwrap_or_else(|| wanted(device));
        if known.is_none() {
            asked = Some((Arc::clone(device), is_wanted));
        }
        if is_wanted && scope.reaches(&series.key, &*hub.devices) {
            found.add(device);
        }
    });
    if scope.is_everything() {
        hub.devices.described().iter().filter(|device| wanted(device)).for_each(|device| found.mention(device));
    }
    found.finish()
}

fn mentions(hub: &Hub, device: &str, search: &str) -> bool {
    let holds = |text: &str| text.to_lowercase().contains(search);
    let described = |is: Arc<Description>| is.name.as_deref().is_some_and(holds) || is.attributes.values().any(|value| holds(value));
    holds(device) || hub.devices.description(device).is_some_and(described)
}

fn row(hub: &Hub, device: &str, series: u64) -> DeviceRow {
    let is = hub.devices.description(device).unwrap_or_default();
    let presence: Option<DeviceState> = hub.presence.of(device);
    DeviceRow {
        device: device.to_owned(),
        name: is.name.clone(),
        note: is.note.clone(),
        attributes: is.attributes.clone(),
        version: is.version,
        state: presence.as_ref().map_or(State::Unknown, |presence| presence.state).as_str(),
        since: presence.as_ref().map(|presence| ms_f64(presence.since)),
        seen: presence.as_ref().and_then(|presence| presence.seen).map(ms_f64),
        via: presence.and_then(|presence| presence.via).map(|via| via.to_string()),
        series,
    }
}
