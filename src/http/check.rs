//! `POST check`: reads everything that is stored and names what is damaged.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Admin;
use super::error::{ApiError, ErrorDetail};
use super::params::NoParams;
use super::task;
use crate::hub::Hub;
use crate::query::time::ms_f64;
use crate::tools::check::{Bad, Beside, Report, run};

#[derive(Debug, Serialize, ToSchema)]
pub struct CheckBody {
    /// Files of the store.
    files: u64,
    /// Of these and of the log.
    bytes: u64,
    /// Chunks.
    rows: u64,
    /// Readings in chunks that can be read.
    readings: u64,
    /// Of the log.
    segments: u64,
    commits: u64,
    /// In the catalog.
    series: u64,
    /// Damaged places; the first 1,000 of each kind of file are named.
    damaged: u64,
    bad: Vec<BadRow>,
    /// What is worth knowing and no damage.
    notes: Vec<String>,
}

/// A line of the answer: one of these.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape for the document; task.rs writes the lines")]
struct CheckLine {
    /// Bytes done, of how many.
    progress: Option<[u64; 2]>,
    /// The last line.
    answer: Option<CheckBody>,
    /// Or this, where it failed.
    error: Option<ErrorDetail<'static>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct BadRow {
    /// Within the data directory.
    file: String,
    place: String,
    /// By number, the least and the greatest.
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<[u32; 2]>,
    /// The series' name, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// From the first reading to past the last, ms since 1970 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<[f64; 2]>,
    what: String,
    /// All of it for people.
    text: String,
}

/// Reads everything that is stored and names what is damaged.
///
/// The answer is lines of JSON: `{"progress":[done,total]}` in bytes while it goes on, then `{"answer":...}` or `{"error":...}`.
#[utoipa::path(post, path = "/api/v1/check", tag = "health",
    responses((status = 200, body = [CheckLine], content_type = "application/x-ndjson", description = "An item a line."),
        (status = 409, description = "`conflict`: another runs.")))]
pub async fn check(hub: web::Data<Hub>, admin: Admin, _: NoParams) -> Result<HttpResponse, ApiError> {
    let place = task::place(&hub.tasks)?;
    Ok(task::answer(&admin.0, place, "check", move |progress| {
        let dir = &hub.config.data.dir;
        run(dir, Beside::Hub, progress).map(CheckBody::from).map_err(|error| ApiError::internal(&error))
    }))
}

impl From<Report> for CheckBody {
    fn from(report: Report) -> Self {
        let Report { files, bytes, rows, readings, segments, commits, series, bad, bad_count, notes } = report;
        let bad = bad.into_iter().map(BadRow::from).collect();
        Self { files, bytes, rows, readings, segments, commits, series, damaged: bad_count, bad, notes }
    }
}

impl From<Bad> for BadRow {
    fn from(bad: Bad) -> Self {
        let text = text(&bad);
        let Bad { file, place, series, name, times, what } = bad;
        let series = series.map(|(lo, hi)| [lo.0, hi.0]);
        let times = times.map(|range| [ms_f64(range.from), ms_f64(range.to)]);
        Self { file, place, series, name, times, what, text }
    }
}

fn text(bad: &Bad) -> String {
    let place = if bad.place.is_empty() { String::new() } else { format!(" {}", bad.place) };
    let series = match (&bad.series, &bad.name) {
        (Some(_), Some(name)) => format!(", {name}"),
        (Some((lo, hi)), None) if lo == hi => format!(", series number {}", lo.0),
        (Some((lo, hi)), None) => format!(", series numbers {} to {}", lo.0, hi.0),
        (None, _) => String::new(),
    };
    let at = |time: i64| Timestamp::from_nanosecond(time.into()).map_or_else(|_| time.to_string(), |at| at.to_string());
    let times = bad.times.map_or_else(String::new, |range| format!(", {} to {}", at(range.from), at(range.to - 1)));
    format!("{}{place}{series}{times}: {}", bad.file, bad.what)
}
