//! `GET complete`: what may stand at the end of a selector that is being typed. What a token's scope does not reach is not told.
//!
//! A look at every series, off the sockets' threads; what is kept of it is bounded (`query::complete`).

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Reader;
use super::error::{ApiError, ErrorBody};
use super::params::Params;
use crate::auth::access::Scope;
use crate::catalog::devices::Description;
use crate::hub::Hub;
use crate::limits::{CANDIDATES, CANDIDATES_MAX};
use crate::query::complete::Tokens;
use crate::query::error::QueryError;
use crate::query::selector::Sought;
use crate::series::Series;

/// What may stand there: by part, sorted.
#[derive(Debug, Serialize, ToSchema)]
pub struct CompleteBody {
    candidates: Vec<Candidate>,
    /// There are others behind the last of a part.
    more: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Candidate {
    /// `device`, `metric`, `label`, `label_value`, `attribute` or `attribute_value`.
    part: &'static str,
    /// As it is called.
    text: String,
    /// The end of `prefix`, which it replaces.
    typed: String,
    /// What to write there: the same with escapes.
    insert: String,
    /// What follows it in a selector: `/`, `="`, `"` or nothing.
    then: &'static str,
    /// How many series have it, of those that the rest of `prefix` matches.
    series: u64,
}

/// Completes a selector that is being typed.
#[utoipa::path(get, path = "/api/v1/complete", tag = "readings",
    params(
        ("prefix" = Option<String>, Query, max_length = 4096, example = "*/*{@si",
            description = "The selector up to the caret: `greenhouse-1/temp`, `*/*{@si`, `*/*{cpu=\"`. Empty: devices. What is behind the caret is not regarded."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Candidates of a part: 1 to 1000, default 20.")),
    responses((status = 200, body = CompleteBody), (status = 400, body = ErrorBody, description = "`bad_selector`: no selector begins so; or `bad_parameter`.")))]
pub async fn complete(hub: web::Data<Hub>, reader: Reader, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let params = Params::read(&request, &["prefix", "limit"])?;
    let limit = params.whole("limit", 1..=CANDIDATES_MAX)?.unwrap_or(CANDIDATES);
    let prefix = params.one("prefix")?.unwrap_or_default().to_owned();
    let hub = hub.into_inner();
    let body = web::block(move || body(&hub, reader.0.scope(), &prefix, limit)).await?;
    Ok(HttpResponse::Ok().json(body.map_err(QueryError::from)?))
}

fn body(hub: &Hub, scope: &Scope, prefix: &str, limit: usize) -> Result<CompleteBody, crate::query::selector::SelectorError> {
    let mut sought: Vec<_> = Sought::parse(prefix)?.into_iter().map(|sought| (sought, Tokens::new(limit))).collect();
    if !sought.is_empty() {
        let mut attributes = AttributesOf { hub, of: None, nothing: BTreeMap::new() };
        hub.series.each_listed(|series| {
            for (sought, tokens) in &mut sought {
                // Whether it has such a token is told sooner than whether it is in reach.
                let attributes = if sought.needs_attributes() { attributes.of(series) } else { &attributes.nothing };
                let mut is_reached = None;
                sought.tokens(&series.key, attributes, &mut |token| {
                    let reaches = || sought.among.matches(&series.key, &*hub.devices) && scope.reaches(&series.key, &*hub.devices);
                    if *is_reached.get_or_insert_with(reaches) {
                        tokens.add(token);
                    }
                });
            }
        });
    }
    let (mut candidates, mut more) = (Vec::new(), false);
    for (sought, tokens) in sought {
        let (found, others) = tokens.finish();
        more |= others;
        candidates.extend(found.into_iter().map(|(text, series)| Candidate {
            part: sought.part.as_str(),
            insert: sought.written(&text),
            text: text.into(),
            typed: sought.typed.to_owned(),
            then: sought.part.then(),
            series,
        }));
    }
    Ok(CompleteBody { candidates, more })
}

/// Attributes of the device that was asked for last: series of a device lie together.
struct AttributesOf<'a> {
    hub: &'a Hub,
    of: Option<(Arc<str>, Option<Arc<Description>>)>,
    nothing: BTreeMap<String, String>,
}

impl AttributesOf<'_> {
    fn of(&mut self, series: &Series) -> &BTreeMap<String, String> {
        if self.of.as_ref().is_none_or(|(device, _)| *device != series.key.device) {
            self.of = Some((Arc::clone(&series.key.device), self.hub.devices.description(&series.key.device)));
        }
        let described = self.of.as_ref().and_then(|(_, described)| described.as_ref());
        described.map_or(&self.nothing, |described| &described.attributes)
    }
}

#[cfg(test)]
#[path = "complete_tests.rs"]
mod tests;
