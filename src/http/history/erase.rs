//! `DELETE history`: readings of a range go, for good. First a dry run, which counts; the deletion is a commit as any other.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::plan::{Plan, Sources};
use crate::auth::access::Scope;
use crate::http::auth::Admin;
use crate::http::error::{ApiError, ErrorBody, ErrorCode};
use crate::http::params::Params;
use crate::hub::Hub;
use crate::live::cursor::Cursor;
use crate::model::Delete;
use crate::query::request::History;

/// What a deletion took, or would take.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Erased {
    pub series: usize,
    pub readings: usize,
    /// Nothing was deleted: `dry_run=false` does it.
    pub dry_run: bool,
    /// Where in the order of commits it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// What to delete, as query parameters write it.
#[derive(Clone, Debug)]
pub struct Wish {
    pub select: Vec<String>,
    pub from: String,
    pub to: Option<String>,
    pub dry_run: bool,
}

impl Wish {
    fn read(params: &Params) -> Result<Self, ApiError> {
        let text = |name| params.one(name).map(|text| text.map(str::to_owned));
        let from = text("from")?.ok_or_else(|| ApiError::parameter("from is missing: since when?").with_hint("from=-1h"))?;
        let dry_run = match params.one("dry_run")? {
            None | Some("true") => true,
            Some("false") => false,
            Some(other) => return Err(ApiError::parameter(format!("dry_run={other}: expected true or false"))),
        };
        let select = params.all("select").into_iter().map(str::to_owned).collect();
        Ok(Self { select, from, to: text("to")?, dry_run })
    }

    fn question(&self, hub: &Hub) -> Result<History, ApiError> {
        let ends = [("from", Some(self.from.as_str())), ("to", self.to.as_deref())];
        let ends = ends.into_iter().filter_map(|(name, text)| Some((name, text?)));
        Ok(History::parse(self.select.iter().map(|select| ("select", select.as_str())).chain(ends), hub.clock.now())?)
    }
}

/// Deletes readings of a range, [from, to). Readings that come in later are kept, also at the same times.
#[utoipa::path(delete, path = "/api/v1/history", tag = "readings",
    params(
        ("select" = Vec<String>, Query, description = "Selector. Several are a union."),
        ("from" = String, Query, description = "As for GET."),
        ("to" = Option<String>, Query, description = "As for GET. Default: now."),
        ("dry_run" = Option<bool>, Query, description = "`true` (default) counts and deletes nothing.")),
    responses(
        (status = 200, body = Erased),
        (status = 400, body = ErrorBody, description = "`bad_selector`, `bad_time` or `bad_parameter`."),
        (status = 503, body = ErrorBody, description = "`store_away`, `store_failed` or `disk_full`: nothing was deleted, or not all of it.")))]
pub async fn erase(hub: web::Data<Hub>, admin: Admin, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let wish = Wish::read(&Params::read(&request, &["select", "from", "to", "dry_run"])?)?;
    // A task of its own: a client that goes away does not leave it half done.
    let erased = actix_web::rt::spawn(carry_out(hub.into_inner(), wish, admin.0.scope().clone())).await;
    Ok(HttpResponse::Ok().json(erased.map_err(|error| ApiError::internal(&error))??))
}

/// Also for the command when no hub runs.
pub async fn carry_out(hub: std::sync::Arc<Hub>, wish: Wish, scope: Scope) -> Result<Erased, ApiError> {
    let (asked, dry_run) = (std::sync::Arc::clone(&hub), wish.dry_run);
    let plan = tokio::task::spawn_blocking(move || {
        let question = wish.question(&asked)?;
        let sources = Sources { series: &asked.series, head: &asked.head, store: Some(&asked.store), retention: &asked.retention };
        Ok::<_, ApiError>(Plan::make(question, sources, &scope, &*asked.devices, usize::MAX, &|| true)?)
    });
    let plan = plan.await.map_err(|_| ApiError::new(ErrorCode::StoreFailed, "counting did not end; the log says why"))??;
    let found: Vec<_> = plan.series.iter().filter(|planned| planned.points > 0).collect();
    let (series, readings) = (found.len(), found.iter().map(|planned| planned.points).sum());
    let range = plan.range();
    let mut cursor = None;
    if !dry_run && range.from < range.to {
        // Of every series that was selected: one may have got readings since they were counted.
        let delete = |planned: &super::plan::Planned| Delete { series: planned.series.id, from: range.from, to: range.to - 1 };
        let deletes: Vec<_> = plan.series.iter().map(delete).collect();
        let position = hub.queue.delete(&deletes).await.map_err(|later| ApiError::from(&later))?;
        cursor = position.map(|position| Cursor { epoch: hub.log.epoch(), position, attributes: None }.to_string());
        tracing::info!(series, readings, "readings were deleted");
    }
    Ok(Erased { series, readings, dry_run, cursor })
}
