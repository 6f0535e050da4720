//! What the document says of forms: patterns and examples of parameters by their name, refusals of every route, and names that are few.
//! Said once for all routes, on the document as JSON, since macros take literals alone.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::http::error::ErrorCode;
use crate::limits::{LABEL_VALUE_BYTES, NAME_BYTES, SELECTORS};

/// What a token or session may do.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the names for the document; Role::parse reads them")]
pub(in crate::http) enum RoleName {
    Agent,
    Viewer,
    Admin,
}

/// What the values of a series mean.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "as above; Kind::as_str writes them")]
pub(in crate::http) enum KindName {
    Gauge,
    Counter,
    State,
    Text,
}

/// What the values of a series are; fixed by the first reading.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "as above; ValueType::as_str writes them")]
pub(in crate::http) enum TypeName {
    Number,
    Bool,
    Text,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "as above; State::as_str writes them")]
pub(in crate::http) enum StateName {
    Online,
    Silent,
    Offline,
    Unknown,
}

/// By what series are grouped.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "as above; By::parse reads them")]
pub(in crate::http) enum ByName {
    Token,
    Device,
    Metric,
    Label,
}

/// What an answer to `/api/v2/write` says when not all of the body is stored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape for the document")]
pub(in crate::http) struct InfluxRefusal {
    /// A code of InfluxDB 2: `invalid`, `unauthorized`, `unprocessable entity`, ...
    code: String,
    message: String,
    /// The first line that is not well-formed, from 1.
    line: Option<u32>,
}

/// The same for clients of InfluxDB 1; also in the header `X-Influxdb-Error`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "as above")]
pub(in crate::http) struct InfluxRefusalV1 {
    error: String,
}

/// `query::selector` as a regular expression.
const SELECTOR: &str = r#"^([^\\{]|\\[\s\S])+/([^\\{/]|\\[\s\S])+(\{ *(@? *[A-Za-z_][A-Za-z0-9_.\-]* *(=~|!~|!=|=) *"([^"\\]|\\[\s\S])*" *(, *@? *[A-Za-z_][A-Za-z0-9_.\-]* *(=~|!~|!=|=) *"([^"\\]|\\[\s\S])*" *)*)?\})?$"#;
/// `query::selector::is_name`.
const NAME: &str = r"^[A-Za-z_][A-Za-z0-9_.\-]*$";
const NO_CONTROL: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";
/// `query::time`, as far as a pattern can tell a date.
const TIME: &str = r"^(now|(now)?[+\- ]([0-9]+(ns|us|ms|s|m|h|d))+|[0-9]+(\.[0-9]+)?(s|ms|us|ns)|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?([Zz]|[+\- ][0-9]{2}(:?[0-9]{2})?))$";
const LENGTH: &str = "^([0-9]+(ns|us|ms|s|m|h|d))+$";
const EVERY: &str = "^(([0-9]+(ns|us|ms|s|m|h|d))+|[0-9]+(w|mo|y))$";
const AGGS: &str = "^(mean|min|max|first|last|count|sum|stddev|p50|p90|p99|increase|rate|time_in_state)(,(mean|min|max|first|last|count|sum|stddev|p50|p90|p99|increase|rate|time_in_state))*$";

/// By the name of a query parameter: what its schema says besides, and an example.
fn form(name: &str) -> Option<(Value, &'static str)> {
    Some(match name {
        "select" => (json!({ "pattern": SELECTOR, "maxLength": 4096 }), "greenhouse-*/temp{@site=\"hall 1\"}"),
        "from" => (json!({ "pattern": TIME }), "-1h"),
        "to" => (json!({ "pattern": TIME }), "now"),
        "since" => (json!({ "pattern": LENGTH }), "1h"),
        "history" => (json!({ "pattern": LENGTH }), "15m"),
        "every" => (json!({ "pattern": EVERY }), "15m"),
        "agg" => (json!({ "pattern": AGGS }), "mean,max"),
        _ => return None,
    })
}

/// Writes all of it into the document.
pub(super) fn put(document: &mut Value) {
    put_attributes(&mut document["components"]["schemas"]["DeviceEdit"]["properties"]["attributes"]);
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for (path, item) in paths {
        let Some(operations) = item.as_object_mut() else { continue };
        for (method, operation) in operations {
            operation["operationId"] = json!(operation_id(method, path));
            operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten().for_each(put_form);
            put_refusals(path, method, operation);
        }
    }
}

/// `get_devices_by_id`: what generated clients call it. Handlers of different resources have the same names, so these are not theirs.
fn operation_id(method: &str, path: &str) -> String {
    let path = path.strip_prefix("/api/v1").unwrap_or(path).replace(['{', '}'], "").replace("/id", "/by_id");
    format!("{method}{}", path.replace(['/', '.'], "_"))
}

/// Names of attributes are those of labels, and values have no control characters.
fn put_attributes(attributes: &mut Value) {
    attributes["propertyNames"] = json!({ "pattern": NAME, "maxLength": NAME_BYTES });
    attributes["additionalProperties"] = json!({ "type": ["string", "null"], "pattern": NO_CONTROL, "maxLength": LABEL_VALUE_BYTES });
}

fn put_form(parameter: &mut Value) {
    let Some((more, example)) = parameter["name"].as_str().filter(|_| parameter["in"] == "query").and_then(form) else { return };
    let is_list = parameter["schema"]["items"].is_object();
    parameter["example"] = if is_list { json!([example]) } else { json!(example) };
    // Several are a union; none is only where there is a default.
    if is_list {
        parameter["schema"]["maxItems"] = json!(SELECTORS);
        parameter["schema"]["minItems"] = json!(1);
    }
    let schema = if is_list { &mut parameter["schema"]["items"] } else { &mut parameter["schema"] };
    if let (Some(schema), Value::Object(more)) = (schema.as_object_mut(), more) {
        schema.extend(more);
    }
}

/// What any resource may answer besides what its handler names.
fn put_refusals(path: &str, method: &str, operation: &mut Value) {
    let is_open = operation["security"].as_array().is_some_and(|needs| needs.contains(&json!({})));
    // These say it in InfluxDB's words.
    let influx = match path {
        "/api/v2/write" => Some("InfluxRefusal"),
        "/write" | "/query" => Some("InfluxRefusalV1"),
        _ => None,
    };
    let is_probe = matches!(path, "/healthz" | "/ping" | "/readyz" | "/health");
    let has_body = operation["requestBody"].is_object();
    let writes = method != "get";
    let rows = [
        (!is_open, "401", "no token or session, or one that has ended."),
        (!is_open && path != "/metrics", "403", "the role or the Origin does not allow it."),
        (path.starts_with("/api/v1/"), "400", "`bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is."),
        (path.contains('{'), "404", "there is none, or none within the token's scope."),
        (has_body, "413", "the body is larger than what is taken."),
        (!is_probe, "500", "the hub failed; its log says why."),
        (!is_probe, "503", "not now."),
        (writes && influx.is_none(), "507", "the disk has no room."),
    ];
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (_, status, what) in rows.into_iter().filter(|(applies, ..)| *applies) {
        responses.entry(status).or_insert_with(|| json!({ "description": what }));
    }
    if influx.is_none() && !is_probe {
        for (status, response) in responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])) {
            put_codes(status, reaches_writer(path, method), &mut response["description"]);
        }
    }
    for (status, response) in responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])) {
        let is_told = response["content"].is_object() && influx.is_none();
        // A probe says 503 in words of its own.
        if !is_told && !is_probe {
            response["content"] = json!({ "application/json": { "schema": reference(influx.unwrap_or("ErrorBody")) } });
        }
        if status == "401" {
            let header = json!({ "description": "How to ask.", "schema": { "type": "string" } });
            response["headers"] = Value::Object(Map::from_iter([("WWW-Authenticate".to_owned(), header)]));
        }
    }
}

/// Whether it hands something to the one task that orders readings, and answers what that does not take now.
fn reaches_writer(path: &str, method: &str) -> bool {
    path == "/api/v1/import" || (path == "/api/v1/history" && method == "delete")
}

/// The codes that any route may answer with a status, before what is said of it; after it, where the handler named some of them itself.
/// Of 400 each handler names its own.
fn put_codes(status: &str, reaches_writer: bool, text: &mut Value) {
    let told = text.as_str().unwrap_or_default();
    let with_status = ErrorCode::ALL.iter().filter(|code| code.status().as_str() == status && code.status().as_u16() != 400);
    let said = with_status.filter(|code| reaches_writer || !code.is_of_writer()).map(|code| format!("`{}`", code.as_str()));
    let (named, left): (Vec<_>, Vec<_>) = said.partition(|code| told.contains(code.as_str()));
    if left.is_empty() {
        return;
    }
    let listed = left.join(", ");
    *text = json!(if named.is_empty() { format!("{listed}: {told}") } else { format!("{told} Also {listed}.") });
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
