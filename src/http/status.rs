//! `GET status` and `GET status/refusals`: what the hub says of itself, for whoever runs it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Admin;
use super::devices::devices;
use super::error::ApiError;
use super::health::Reason;
use super::metrics::counters;
use super::params::NoParams;
use crate::auth::access::Access;
use crate::clock::NS_PER_SEC;
use crate::growth::{Forecast, Full};
use crate::hub::Hub;
use crate::hub::disk::Disk;
use crate::ingest::agents::Missing;
use crate::limits::{HISTORY_ANSWERS, REFUSALS_KEPT, WRITER_QUEUE_BATCHES};
use crate::live::presence::State;
use crate::log::loss::Loss;
use crate::metrics::Percentiles;
use crate::query::time::ms_f64;

/// Who sent late readings within it is shown as working off a backlog.
const BACKLOG_NS: i64 = 60 * NS_PER_SEC;

#[derive(Debug, Serialize, ToSchema)]
pub struct StatusBody {
    version: &'static str,
    hub_id: String,
    /// The hub's clock, ms since 1970 UTC.
    now: f64,
    started: f64,
    uptime_s: i64,
    /// Whether readings are taken now.
    ready: bool,
    /// Why not.
    reasons: Vec<Reason>,
    /// Of cursors; new after a restore or after damage.
    epoch: String,
    /// Of the newest commit.
    position: u64,
    series: usize,
    /// Readings in memory.
    head_points: usize,
    /// Sealed history.
    store: StoreStatus,
    disk: DiskStatus,
    queue: Filled,
    /// How long the newest commits took; null before the first.
    commits: Option<CommitTimes>,
    long_answers: Filled,
    /// Since the start.
    counters: BTreeMap<&'static str, u64>,
    /// Readings refused since the start, by code.
    refused: BTreeMap<&'static str, u64>,
    /// Devices by state.
    devices: BTreeMap<&'static str, usize>,
    /// Who brings devices: agents and tokens.
    gateways: Vec<Gateway>,
    /// Batches that came after the backup that this hub was restored from, newest first; the last 100 since the start.
    missing: Vec<MissingRow>,
    limits: BTreeMap<&'static str, u64>,
    recovered: RecoveredStatus,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct StoreStatus {
    points: u64,
    bytes: u64,
    /// Places that were found to be unreadable since the start; `telltale check` finds all of them.
    damaged: Vec<String>,
    /// When the store is InfluxDB.
    #[serde(skip_serializing_if = "Option::is_none")]
    influxdb: Option<InfluxStatus>,
}

/// What the data directory takes, what is left, and until when.
#[derive(Debug, Serialize, ToSchema)]
pub struct DiskStatus {
    /// Of everything in the data directory.
    used_bytes: u64,
    /// Of the file system that it is on; null where it could not be asked.
    free_bytes: Option<u64>,
    size_bytes: Option<u64>,
    /// `[store] reserve_bytes`: with less free, readings are refused.
    reserve_bytes: u64,
    /// `[store] max_bytes`; null: no bound.
    max_bytes: Option<u64>,
    /// Readings of a `[[retention]]` rule go by their age too: the forecast is then how it goes at the soonest.
    expires_by_age: bool,
    /// Null: not known yet. It takes ten minutes of a running hub and 10,000 sealed readings. With InfluxDB as the store: never.
    forecast: Option<ForecastStatus>,
}

/// Readings stored in the last day, or since the start, times what a sealed one takes.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForecastStatus {
    readings_per_s: f64,
    /// Over how long that was measured.
    measured_s: i64,
    bytes_per_reading: f64,
    bytes_per_day: f64,
    /// Null: never at this rate.
    full_in_s: Option<f64>,
    /// What is full then: the `disk` (readings are refused) or `max_bytes` (the oldest days go).
    full_of: Option<&'static str>,
}

/// Of the newest commits, appended and synced.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommitTimes {
    /// How many they are, up to 1024.
    of: usize,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

/// How far InfluxDB is behind, and what it does not take.
#[derive(Debug, Serialize, ToSchema)]
pub struct InfluxStatus {
    /// Why it takes nothing now, and since when, ms since 1970 UTC.
    away: Option<String>,
    away_since: Option<f64>,
    /// Of the newest commit that is there.
    forwarded: u64,
    /// Bytes of the log that are not, and for how long the oldest have waited.
    backlog_bytes: u64,
    backlog_s: i64,
    /// Readings that were older than the bucket keeps before it took them.
    expired: u64,
    /// Rows that it refused for good: they are in `set-aside/`.
    refused: u64,
    refused_last: Option<String>,
}

#[cfg(feature = "influxdb")]
fn influx(hub: &Hub) -> Option<InfluxStatus> {
    let status = hub.influx.as_ref()?.status();
    let (refused, refused_last) = status.refused;
    Some(InfluxStatus {
        away_since: status.away.as_ref().map(|away| ms_f64(away.since)),
        away: status.away.map(|away| away.why),
        forwarded: status.forwarded.0,
        backlog_bytes: status.backlog.bytes,
        backlog_s: status.backlog.since.map_or(0, |since| hub.clock.now().saturating_sub(since) / NS_PER_SEC),
        expired: status.expired_readings,
        refused,
        refused_last,
    })
}

#[cfg(not(feature = "influxdb"))]
fn influx(_: &Hub) -> Option<InfluxStatus> {
    None
}

/// Something bounded.
#[derive(Debug, Serialize, ToSchema)]
pub struct Filled {
    now: usize,
    max: usize,
}

#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Gateway {
    /// The agent's or token's name.
    via: String,
    /// Devices that it brought last, by state.
    devices: BTreeMap<&'static str, usize>,
    /// When the hub last heard of one of them, ms since 1970 UTC.
    seen: Option<f64>,
    /// It works off a backlog: the oldest reading of the last late ones that came within a minute, ms since 1970 UTC. What an agent
    /// still holds, only the agent knows. WebSockets alone.
    backlog_from: Option<f64>,
}

/// An agent had sent these before, and they were acked.
#[derive(Debug, Serialize, ToSchema)]
pub struct MissingRow {
    /// When the agent came with a later one, ms since 1970 UTC.
    at: f64,
    agent: String,
    /// Of its spool.
    boot: String,
    /// Numbers of batches; both are missing too.
    from: u64,
    to: u64,
}

impl From<Missing> for MissingRow {
    fn from(missing: Missing) -> Self {
        let Missing { at, agent, boot, from, to } = missing;
        Self { at: ms_f64(at), agent: agent.as_ref().into(), boot: format!("{boot:016x}"), from, to }
    }
}

/// What the start found in the commit log.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecoveredStatus {
    commits: u64,
    bytes: u64,
    /// The last stop was in order.
    clean: bool,
    /// All cursors began anew.
    epoch_changed: bool,
    set_aside: Vec<SetAsideRow>,
}

/// Bytes of the log that could not be read; kept, never erased.
#[derive(Debug, Serialize, ToSchema)]
pub struct SetAsideRow {
    segment: String,
    offset: u64,
    bytes: u64,
    what: String,
    kept_in: String,
    /// The last commit before a crash, which was never acked.
    unfinished: bool,
    /// `unfinished`; `unclear`: a last commit that was cut off or is damaged, nobody can tell; `damage`: what was acked is lost.
    loss: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RefusalsBody {
    /// Newest first.
    refusals: Vec<RefusalRow>,
    /// How many are remembered at most.
    max: usize,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RefusalRow {
    /// When it was refused, ms since 1970 UTC.
    time: f64,
    /// The number of the token that sent it.
    token: u32,
    /// Its name; null when it was revoked.
    token_name: Option<String>,
    device: String,
    metric: String,
    code: &'static str,
    message: String,
}

/// What the hub says of itself.
#[utoipa::path(get, path = "/api/v1/status", tag = "health", responses((status = 200, body = StatusBody)))]
pub async fn status(hub: web::Data<Hub>, admin: Admin, _: NoParams) -> Result<HttpResponse, ApiError> {
    let hub = hub.into_inner();
    Ok(HttpResponse::Ok().json(web::block(move || body(&hub, &admin.0)).await?))
}

/// The last refused readings.
#[utoipa::path(get, path = "/api/v1/status/refusals", tag = "health", responses((status = 200, body = RefusalsBody)))]
pub async fn refusals(hub: web::Data<Hub>, _: Admin, _: NoParams) -> Result<HttpResponse, ApiError> {
    let auth = Arc::clone(&hub.auth);
    let names: BTreeMap<_, _> = web::block(move || auth.tokens()).await??.into_iter().map(|token| (token.id, token.spec.name)).collect();
    let row = |refused: crate::ingest::refusals::Refused| RefusalRow {
        time: ms_f64(refused.at),
        token: refused.token.0,
        token_name: names.get(&refused.token).cloned(),
        device: refused.device.as_ref().into(),
        metric: refused.metric.as_ref().into(),
        code: refused.code.as_str(),
        message: refused.message.into(),
    };
    let refusals = hub.refusals.recent().into_iter().map(row).collect();
    Ok(HttpResponse::Ok().json(RefusalsBody { refusals, max: REFUSALS_KEPT }))
}

fn body(hub: &Hub, access: &Access) -> StatusBody {
    let now = hub.clock.now();
    let store = hub.store.stats();
    let reasons: Vec<Reason> = hub.reasons().into_iter().map(Reason::from).collect();
    let (devices, gateways) = presence(hub, access);
    StatusBody {
        version: env!("CARGO_PKG_VERSION"),
        hub_id: hub.auth.hub_id().to_owned(),
        now: ms_f64(now),
        started: ms_f64(hub.started),
        uptime_s: now.saturating_sub(hub.started) / NS_PER_SEC,
        ready: reasons.is_empty(),
        reasons,
        epoch: format!("{:016x}", hub.log.epoch()),
        position: hub.head.position().0,
        series: hub.series.len(),
        head_points: hub.head.points(),
        store: StoreStatus {
            points: store.points,
            bytes: store.bytes,
            damaged: hub.store.damaged().iter().map(ToString::to_string).collect(),
            influxdb: influx(hub),
        },
        disk: disk(hub),
        queue: Filled { now: hub.queue.depth(), max: WRITER_QUEUE_BATCHES },
        commits: hub.metrics.commit_times.percentiles().map(CommitTimes::from),
        long_answers: Filled { now: HISTORY_ANSWERS - hub.long_answers.available_permits(), max: HISTORY_ANSWERS },
        counters: counters(&hub.metrics).collect(),
        refused: hub.refusals.by_code().into_iter().map(|(code, count)| (code.as_str(), count)).collect(),
        devices,
        gateways,
        missing: hub.agents.missing().into_iter().map(MissingRow::from).collect(),
        limits: limits(hub),
        recovered: recovered(hub),
    }
}

fn disk(hub: &Hub) -> DiskStatus {
    let Disk { free_and_size, used, forecast } = hub.disk();
    let store = &hub.config.store;
    DiskStatus {
        used_bytes: used,
        free_bytes: free_and_size.map(|(free, _)| free),
        size_bytes: free_and_size.map(|(_, size)| size),
        reserve_bytes: store.reserve_bytes,
        max_bytes: (store.max_bytes > 0).then_some(store.max_bytes),
        expires_by_age: hub.config.retention.iter().any(|rule| rule.keep.is_some()),
        forecast: forecast.map(ForecastStatus::from),
    }
}

impl From<Forecast> for ForecastStatus {
    fn from(forecast: Forecast) -> Self {
        let Forecast { rate, bytes_per_reading, bytes_per_day, full } = forecast;
        Self {
            readings_per_s: rate.readings_per_s,
            measured_s: rate.measured_s,
            bytes_per_reading,
            bytes_per_day,
            full_in_s: full.map(|(seconds, _)| seconds),
            full_of: full.map(|(_, of)| match of {
                Full::Disk => "disk",
                Full::Budget => "max_bytes",
            }),
        }
    }
}

impl From<Percentiles> for CommitTimes {
    fn from(Percentiles { of, p50, p99, max }: Percentiles) -> Self {
        let ms = |took: Duration| took.as_secs_f64() * 1000.0;
        Self { of, p50_ms: ms(p50), p99_ms: ms(p99), max_ms: ms(max) }
    }
}

/// Devices by state, and by who brought them last.
fn presence(hub: &Hub, access: &Access) -> (BTreeMap<&'static str, usize>, Vec<Gateway>) {
    let mut by_state: BTreeMap<_, _> =
        [State::Online, State::Silent, State::Offline, State::Unknown].into_iter().map(|state| (state.as_str(), 0)).collect();
    let mut gateways = BTreeMap::<Arc<str>, Gateway>::new();
    let (devices, _) = devices(hub, access, usize::MAX, |_| true);
    for device in hub.presence.of_all(devices.iter().map(|(device, _)| &**device)) {
        *by_state.entry(device.state.as_str()).or_default() += 1;
        let Some(via) = device.via else { continue };
        let gateway = gateways.entry(Arc::clone(&via)).or_default();
        gateway.via = via.to_string();
        *gateway.devices.entry(device.state.as_str()).or_default() += 1;
        let seen = device.seen.map(ms_f64);
        gateway.seen = if gateway.seen < seen { seen } else { gateway.seen };
    }
    for (via, from) in hub.presence.backlogs(hub.clock.now().saturating_sub(BACKLOG_NS)) {
        if let Some(gateway) = gateways.get_mut(&via) {
            gateway.backlog_from = Some(ms_f64(from));
        }
    }
    (by_state, gateways.into_values().collect())
}

fn limits(hub: &Hub) -> BTreeMap<&'static str, u64> {
    let (ingest, limits) = (&hub.config.ingest, &hub.config.limits);
    BTreeMap::from([
        ("frame_bytes", ingest.frame_bytes as u64),
        ("batch_readings", ingest.batch_readings as u64),
        ("series_per_token", limits.series_per_token as u64),
        ("series_per_hub", limits.series_per_hub as u64),
        ("history_points", limits.history_points as u64),
    ])
}

fn recovered(hub: &Hub) -> RecoveredStatus {
    let recovered = &hub.recovered;
    let set_aside = recovered.set_aside.iter().map(|aside| SetAsideRow {
        segment: aside.segment.display().to_string(),
        offset: aside.offset,
        bytes: aside.bytes,
        what: aside.what.clone(),
        kept_in: aside.kept_in.display().to_string(),
        unfinished: aside.loss == Loss::Unfinished,
        loss: aside.loss.as_str(),
    });
    RecoveredStatus {
        commits: recovered.commits,
        bytes: recovered.bytes,
        clean: recovered.clean,
        epoch_changed: recovered.epoch_changed,
        set_aside: set_aside.collect(),
    }
}
