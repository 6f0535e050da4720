//! `/metrics`: the hub's own counters in the text form of Prometheus. A field of [`Metrics`] that is not here does not compile.

use std::fmt::Write;

use actix_web::{HttpResponse, web};

use super::auth::Scraper;
use crate::hub::Hub;
use crate::metrics::{Counter, Metrics};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grows {
    /// Only ever: `_total`.
    Only,
    /// It goes up and down.
    AndShrinks,
}

/// Name, what it does, its meaning, its value.
type Row<'a> = (&'static str, Grows, &'static str, &'a Counter);

macro_rules! rows {
    ($metrics:ident: $($field:ident $grows:ident $help:literal;)+) => {{
        let Metrics { commit_times: _, $($field,)+ } = $metrics;
        vec![$((stringify!($field), Grows::$grows, $help, $field),)+]
    }};
}

fn rows(metrics: &Metrics) -> Vec<Row<'_>> {
    rows! { metrics:
        readings_received Only "Readings that came in, taken or refused.";
        readings_stored Only "Readings committed: new or rewritten.";
        readings_duplicate Only "Readings that were there already with the same value.";
        readings_refused Only "Readings refused for good or for now.";
        frames_received Only "Binary frames from agents.";
        bodies_received Only "Bodies of line protocol, and of imports.";
        frames_refused Only "Frames refused whole.";
        batches_later Only "Batches not taken when they came, to be sent again.";
        slow_downs Only "Pauses that agents were asked for while the queue was more than half full.";
        answers_dropped Only "Refusals of frames without a number that the peer did not read.";
        late_looked_up Only "Late readings that were looked up in the store.";
        late_looked_up_by_writer Only "Of these, by the writer itself, since a generation was sealed while they waited.";
        seals Only "Generations sealed into the store.";
        seal_ns Only "Nanoseconds spent sealing.";
        sealed_readings Only "Readings sealed into the store.";
        tend_ns Only "Nanoseconds the store spent on its own work between seals: WALs moved, days merged, deletes and retention applied.";
        tending AndShrinks "1 while more of that work waits.";
        deletes Only "Ranges of series deleted.";
        commits Only "Commits synced to the log.";
        commit_bytes Only "Bytes of these commits.";
        commit_ns Only "Nanoseconds from batches in hand to their readings shown: deciding, appending, syncing.";
        agents_ahead Only "Agents whose batches are missing, since they came after the backup that this hub was restored from.";
        agents_forgotten Only "Boots of agents whose newest batch is not known any more, for others that sent after them.";
        agents_open AndShrinks "Ingest connections open.";
        viewers_open AndShrinks "Live connections open.";
        live_subscriptions AndShrinks "Subscriptions of live connections.";
        live_groups AndShrinks "Groups of equal subscriptions, which share their frames.";
        live_mailbox_bytes AndShrinks "Bytes of frames that wait for viewers.";
        live_snapshot_bytes AndShrinks "Bytes of snapshots in the making or on their way, out of store, log or overlaps of the head.";
        live_frames Only "Frames made for viewers.";
        live_readings_merged Only "Readings left out of frames: for slow viewers, and for those that gave `points`.";
        live_log_reads Only "Times live read the log because memory did not reach back far enough.";
    }
}

/// The counters by name, for `status`.
pub(super) fn counters(metrics: &Metrics) -> impl Iterator<Item = (&'static str, u64)> {
    rows(metrics).into_iter().map(|(name, _, _, counter)| (name, counter.value()))
}

/// The hub's own counters, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health", security((), ("token" = []), ("session" = [])),
    responses((status = 200, body = String, content_type = "text/plain", description = "Any token; from this machine, past no proxy, none.")))]
pub async fn metrics(hub: web::Data<Hub>, _: Scraper) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text(&hub))
}

fn text(hub: &Hub) -> String {
    let mut out = String::new();
    for (name, grows, help, counter) in rows(&hub.metrics) {
        match grows {
            Grows::Only => put(&mut out, &format!("{name}_total"), "counter", help, counter.value()),
            Grows::AndShrinks => put(&mut out, name, "gauge", help, counter.value()),
        }
    }
    let uptime = hub.clock.now().saturating_sub(hub.started).max(0).unsigned_abs() / crate::clock::NS_PER_SEC.unsigned_abs();
    let long_answers = crate::limits::HISTORY_ANSWERS - hub.long_answers.available_permits();
    put(&mut out, "series", "gauge", "Series that hold a reading.", hub.series.len() as u64);
    put(&mut out, "head_points", "gauge", "Readings in memory.", hub.head.points() as u64);
    put(&mut out, "position", "gauge", "Position of the newest commit.", hub.head.position().0);
    put(
        &mut out,
        "log_bytes_read_total",
        "counter",
        "Bytes of the log read for viewers that came back or fell behind.",
        hub.log.bytes_read(),
    );
    if let Some(times) = hub.metrics.commit_times.percentiles() {
        let ns = |took: std::time::Duration| u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        put(&mut out, "commit_p50_ns", "gauge", "What half of the newest 1024 commits took at most.", ns(times.p50));
        put(&mut out, "commit_p99_ns", "gauge", "What all of them but one in a hundred took at most.", ns(times.p99));
    }
    if let Some((free, _)) = crate::full::free_and_size(&hub.config.data.dir) {
        put(&mut out, "disk_free_bytes", "gauge", "Free on the disk of the data directory.", free);
    }
    put(&mut out, "queue_batches", "gauge", "Batches waiting for the writer.", hub.queue.depth() as u64);
    put(&mut out, "queue_bytes", "gauge", "Bytes of batches waiting for the writer or being committed.", hub.queue.bytes() as u64);
    put(&mut out, "long_answers", "gauge", "History answers being written.", long_answers as u64);
    put(&mut out, "uptime_seconds", "gauge", "Since the start.", uptime);
    put(&mut out, "ready", "gauge", "1 while readings are taken.", u64::from(hub.reasons().is_empty()));
    #[cfg(feature = "influxdb")]
    if let Some(influx) = &hub.influx {
        let status = influx.status();
        let waits = status.backlog.since.map_or(0, |since| hub.clock.now().saturating_sub(since)).max(0).unsigned_abs();
        put(&mut out, "influxdb_away", "gauge", "1 while InfluxDB takes nothing.", u64::from(status.away.is_some()));
        put(&mut out, "influxdb_backlog_bytes", "gauge", "Bytes of the log that are not in InfluxDB.", status.backlog.bytes);
        let seconds = waits / crate::clock::NS_PER_SEC.unsigned_abs();
        put(&mut out, "influxdb_backlog_seconds", "gauge", "How long the oldest of them have waited.", seconds);
        put(&mut out, "influxdb_forwarded_total", "counter", "Readings that InfluxDB took.", status.forwarded_readings);
        let expired = "Readings that were older than the bucket keeps before InfluxDB took them.";
        put(&mut out, "influxdb_expired_total", "counter", expired, status.expired_readings);
        put(&mut out, "influxdb_refused_total", "counter", "Rows that InfluxDB refused, set aside.", status.refused.0);
    }
    head(&mut out, "refused_total", "counter", "Readings refused, by code.");
    for (code, count) in hub.refusals.by_code() {
        line(&mut out, &format!("refused_total{{code=\"{code}\"}}"), count);
    }
    head(&mut out, "build_info", "gauge", "The version, as a label.");
    line(&mut out, concat!("build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1);
    out
}

fn put(out: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    head(out, name, kind, help);
    line(out, name, value);
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    writeln!(out, "# HELP telltale_{name} {help}\n# TYPE telltale_{name} {kind}").expect("writing to a String does not fail");
}

fn line(out: &mut String, name: &str, value: u64) {
    writeln!(out, "telltale_{name} {value}").expect("writing to a String does not fail");
}
