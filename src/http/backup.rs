//! `POST backup`: into a directory of the hub's machine, so only by way of `DATA/hub.sock`.

use std::path::PathBuf;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Admin, LocalPeer};
use super::error::{ApiError, ErrorCode, ErrorDetail};
use super::params::NoParams;
use super::short::JsonBody;
use super::task;
use crate::hub::Hub;
use crate::tools::Progress;
use crate::tools::backup::{BackupError, Done, run};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupRequest {
    /// An absolute path: empty, or an earlier backup.
    dir: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct BackupBody {
    /// Up to where everything is in it: epoch and position.
    epoch: String,
    position: u64,
    files: usize,
    /// Of these, those that changed since the backup before.
    copied: usize,
    copied_bytes: u64,
    series: usize,
    readings: u64,
}

/// A line of the answer: one of these.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape for the document; task.rs writes the lines")]
struct BackupLine {
    /// Bytes done, of how many.
    progress: Option<[u64; 2]>,
    /// The last line.
    answer: Option<BackupBody>,
    /// Or this, where it failed.
    error: Option<ErrorDetail<'static>>,
}

/// Copies everything that is stored into a directory. Only over the hub's own socket.
///
/// The answer is lines of JSON: `{"progress":[done,total]}` in bytes while it goes on, then `{"answer":...}` or `{"error":...}`.
#[utoipa::path(post, path = "/api/v1/backup", tag = "health", request_body = BackupRequest,
    responses((status = 200, body = [BackupLine], content_type = "application/x-ndjson", description = "An item a line."),
        (status = 409, description = "`conflict`: another runs.")))]
pub async fn backup(
    hub: web::Data<Hub>,
    request: HttpRequest,
    admin: Admin,
    _: NoParams,
    body: JsonBody<BackupRequest>,
) -> Result<HttpResponse, ApiError> {
    if request.conn_data::<LocalPeer>().is_none() {
        return Err(ApiError::forbidden("a backup is made on the hub's machine").with_hint("telltale backup DIR"));
    }
    let BackupRequest { dir } = body.into_inner();
    let dir = PathBuf::from(dir);
    if !dir.is_absolute() {
        return Err(ApiError::parameter(format!("dir={}: expected an absolute path", dir.display())));
    }
    let place = task::place(&hub.tasks)?;
    let run = move |progress: &mut Progress<'_>| run(&hub, &dir, progress).map(BackupBody::from).map_err(|error| refusal(&error));
    Ok(task::answer(&admin.0, place, "backup", run))
}

/// The asker owns the hub's directory, and may know what failed.
fn refusal(error: &BackupError) -> ApiError {
    let message = crate::logging::chain(error);
    tracing::error!(cause = message, "a backup failed");
    ApiError::new(ErrorCode::Internal, message)
}

impl From<Done> for BackupBody {
    fn from(done: Done) -> Self {
        let Done { epoch, position, files, copied, copied_bytes, series, readings } = done;
        Self { epoch: format!("{epoch:016x}"), position: position.0, files, copied, copied_bytes, series, readings }
    }
}
