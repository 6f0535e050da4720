//! History that comes from another store rather than from the log: rows series by series, as the forwarder would have written them.
//!
//! Invariant: what is imported twice is there once, since a row of the same series and time takes the place of the one before.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::join_all;

use super::client::{Client, Failed};
use super::group::{Body, Row};
use super::line::Form;
use super::retry::{self, Waits};
use super::{DIR_NAME, InfluxStore, forward, line};
use crate::block::Block;
use crate::model::{Position, SeriesId, TimeNs};
use crate::series::Series;
use crate::store::StoreError;

/// Rows of a request, and bytes from which it is cut before: texts may be long.
const BODY_ROWS: usize = 20_000;
const BODY_BYTES: usize = 4 << 20;
/// Requests that are under way at once. Their rows have different series or times, so their order is nothing.
const AT_ONCE: usize = 4;
/// How often a request is tried while InfluxDB is away: half a minute or so, doubled from the first wait to the last.
const TRIES: usize = 10;
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(8));

const BUG: &str = "a request ended by a bug of the hub";

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("InfluxDB does not take it: {0}")]
    Away(String),
    #[error("InfluxDB refuses a reading of series number {} at {time} ns: {why}", series.0)]
    Refused { series: SeriesId, time: TimeNs, why: String },
}

/// Notes in a data directory that everything up to here is in InfluxDB. On disk when it returns.
pub fn note_forwarded(data: &Path, epoch: u64, position: Position) -> std::io::Result<()> {
    let dir = data.join(DIR_NAME);
    std::fs::create_dir_all(&dir)?;
    forward::note(&dir, epoch, position, Form::NEWEST)?;
    std::fs::File::open(&dir)?.sync_all()
}

impl InfluxStore {
    /// How long the bucket keeps readings; None: for ever.
    pub fn keeps(&self) -> Result<Option<Duration>, StoreError> {
        let client = Arc::clone(&self.client);
        let bucket = self.worker.run(async move { client.bucket().await }).unwrap_or_else(|| Err(Failed::Away(BUG.to_owned())));
        bucket.map(|bucket| bucket.keep).map_err(|failed| StoreError::Away { reason: failed.why() })
    }

    /// Durable when it returns.
    pub fn import(&self, runs: &[(Arc<Series>, Vec<Arc<Block>>)]) -> Result<(), ImportError> {
        let mut bodies = Bodies::default();
        for (series, blocks) in runs {
            let Some(first) = blocks.first().map(|block| block.value(0)) else { continue };
            let head = line::head(&self.names, &series.key, series.id, first.value_type());
            for block in blocks {
                for (i, time) in block.times().iter().enumerate() {
                    line::point(&mut bodies.bytes, &head, &block.value(i), *time);
                    bodies.end_row(series.id, *time);
                    if bodies.whole.len() == AT_ONCE {
                        self.deliver(std::mem::take(&mut bodies.whole))?;
                    }
                }
            }
        }
        bodies.cut();
        self.deliver(bodies.whole)
    }

    fn deliver(&self, bodies: Vec<Body>) -> Result<(), ImportError> {
        let client = Arc::clone(&self.client);
        let all = async move {
            join_all(bodies.iter().map(|body| deliver(&client, body))).await.into_iter().collect::<Result<(), ImportError>>()
        };
        self.worker.run(all).unwrap_or_else(|| Err(ImportError::Away(BUG.to_owned())))
    }

    /// Everything that stands of a series.
    pub fn erase(&self, series: &Series) -> Result<(), ImportError> {
        let (metric, names, id) = (line::measurement(&series.key.metric), self.names.clone(), series.id);
        let client = Arc::clone(&self.client);
        let all = async move { until_answered(|| client.delete(&metric, (&names, id), (TimeNs::MIN, TimeNs::MAX))).await };
        let done = self.worker.run(all).unwrap_or_else(|| Err(ImportError::Away(BUG.to_owned())))?;
        done.map_err(|why| ImportError::Refused { series: series.id, time: TimeNs::MIN, why })
    }
}

/// The first row that is refused ends it.
async fn deliver(client: &Client, body: &Body) -> Result<(), ImportError> {
    let send = |bytes: Bytes| until_answered(move || client.write(bytes.clone()));
    retry::deliver(
        body,
        send,
        |_, _| None,
        |refused, why| refused.rows.first().map_or(Ok(()), |row| Err(ImportError::Refused { series: row.series, time: row.time, why })),
    )
    .await
}

/// Inside: it will not be taken, and why.
async fn until_answered<F: Future<Output = Result<(), Failed>>>(request: impl Fn() -> F) -> Result<Result<(), String>, ImportError> {
    let mut waits = Waits::new(AGAIN.0, AGAIN.1);
    for tried in 1.. {
        match request().await {
            Ok(()) => break,
            Err(Failed::Refused(why)) => return Ok(Err(why)),
            Err(Failed::Away(_) | Failed::Open(_)) if tried < TRIES => tokio::time::sleep(waits.next()).await,
            Err(failed) => return Err(ImportError::Away(failed.why())),
        }
    }
    Ok(Ok(()))
}

/// Rows on their way into requests.
#[derive(Debug, Default)]
struct Bodies {
    whole: Vec<Body>,
    bytes: BytesMut,
    rows: Vec<Row>,
}

impl Bodies {
    fn end_row(&mut self, series: SeriesId, time: TimeNs) {
        self.rows.push(Row { end: self.bytes.len(), series, time });
        if self.rows.len() >= BODY_ROWS || self.bytes.len() >= BODY_BYTES {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if !self.rows.is_empty() {
            let (bytes, rows) = (self.bytes.split().freeze(), std::mem::take(&mut self.rows));
            self.whole.push(Body { bytes, rows });
        }
    }
}
