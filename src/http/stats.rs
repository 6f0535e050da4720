//! `GET stats`: what takes the room.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Admin;
use super::error::ApiError;
use super::params::Params;
use super::stream;
use crate::hub::Hub;
use crate::store::embedded::FileSize;
use crate::tools::stats::{SeriesSize, Stats, run};

/// Series that are shown when nobody says, and the most that may be asked for.
const TOP: usize = 20;
const TOP_MAX: usize = 10_000;

#[derive(Debug, Serialize, ToSchema)]
pub struct StatsBody {
    /// Of the store's files of days.
    bytes: u64,
    /// In them; what is only in memory and in the log yet is not counted.
    readings: u64,
    /// Null without readings.
    bytes_per_reading: Option<f64>,
    /// Readings in memory and in the log, which are not in the store yet; null where no hub runs.
    waiting: Option<u64>,
    log_bytes: u64,
    catalog_bytes: u64,
    /// Series that have sealed readings.
    series: usize,
    files: Vec<FileRow>,
    /// The series that take most. What series share is spread over them by readings.
    top: Vec<LargestRow>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct FileRow {
    file: String,
    /// UTC.
    day: String,
    /// raw or rollup
    kind: &'static str,
    bytes: u64,
    readings: u64,
    levels: Vec<LevelRow>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct LevelRow {
    /// Seconds of a bucket; 0 for readings.
    level: i64,
    /// Without what SQLite needs around them.
    bytes: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct LargestRow {
    /// Null for a series that the catalog does not know.
    name: Option<String>,
    number: u32,
    bytes: u64,
    readings: u64,
}

/// What takes the room: days, kinds, and the series that take most.
#[utoipa::path(get, path = "/api/v1/stats", tag = "health",
    params(("top" = Option<u32>, Query, minimum = 0, maximum = 10000, description = "How many series: up to 10000, default 20.")),
    responses((status = 200, body = StatsBody)))]
pub async fn stats(hub: web::Data<Hub>, request: HttpRequest, _: Admin) -> Result<HttpResponse, ApiError> {
    let top = Params::read(&request, &["top"])?.whole("top", 0..=TOP_MAX)?.unwrap_or(TOP);
    let _place = stream::place(&hub.long_answers).await?;
    let waiting = Some(hub.head.points() as u64);
    let stats = web::block(move || run(&hub.config.data.dir, top)).await?.map_err(|error| ApiError::internal(&error))?;
    Ok(HttpResponse::Ok().json(StatsBody { waiting, ..StatsBody::from(stats) }))
}

impl From<Stats> for StatsBody {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    fn from(stats: Stats) -> Self {
        let (bytes, readings) = (stats.bytes(), stats.readings());
        let Stats { log_bytes, catalog_bytes, files, top, series } = stats;
        Self {
            bytes,
            readings,
            waiting: None,
            bytes_per_reading: (readings > 0).then(|| bytes as f64 / readings as f64),
            log_bytes,
            catalog_bytes,
            series,
            files: files.into_iter().map(FileRow::from).collect(),
            top: top.into_iter().map(LargestRow::from).collect(),
        }
    }
}

impl From<FileSize> for FileRow {
    fn from(file: FileSize) -> Self {
        let FileSize { name, bytes, rollup, readings, levels } = file;
        let day = name.split('.').next().unwrap_or_default().to_owned();
        let levels = levels.into_iter().map(|(level, bytes)| LevelRow { level, bytes }).collect();
        Self { file: name, day, kind: if rollup { "rollup" } else { "raw" }, bytes, readings, levels }
    }
}

impl From<SeriesSize> for LargestRow {
    fn from(size: SeriesSize) -> Self {
        Self { name: size.name, number: size.id.0, bytes: size.bytes, readings: size.readings }
    }
}
