//! Bodies of Parquet. A file is read from its end, so a body is spooled in the data directory first: a file without a name, that goes with
//! whoever holds it, also when the hub is killed. Then its rows are decided as lines, piece by piece.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use actix_web::web;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio::time::timeout;

use super::body::{BodyError, Encoding};
use super::error::{ApiError, ErrorCode};
use super::import::{Imported, carry_out};
use crate::auth::access::Access;
use crate::hub::Hub;
use crate::limits::{
    BODY_STALLED, HISTORY_CHUNK_BYTES, HISTORY_CHUNKS_AHEAD, HISTORY_WAIT, PARQUET_BODIES, PARQUET_BODY_BYTES, PARQUET_BODY_WITHIN,
};
use crate::rows::RowFormat;
use crate::rows::parquet::{Lines, ReadError};

static PLACES: Semaphore = Semaphore::const_new(PARQUET_BODIES);

/// All of a body of Parquet.
pub(super) async fn import(hub: Arc<Hub>, access: Access, encoding: Encoding, body: web::Payload) -> Result<Imported, ApiError> {
    if !matches!(encoding, Encoding::Plain) {
        return Err(ApiError::parameter("format=parquet goes without Content-Encoding: it is packed already"));
    }
    let _place = place().await?;
    let file = timeout(PARQUET_BODY_WITHIN, spooled(&hub, &access, body)).await.map_err(|_| too_slow())??;
    let lines = web::block(move || Lines::open(file)).await?.map_err(|error| ApiError::parameter(error.to_string()))?;
    carry_out(hub, access, RowFormat::Ndjson, Encoding::Plain, pieces(lines)).await
}

async fn place() -> Result<SemaphorePermit<'static>, ApiError> {
    timeout(HISTORY_WAIT, PLACES.acquire()).await.ok().and_then(Result::ok).ok_or_else(|| {
        let message = format!("{PARQUET_BODIES} bodies of Parquet are being taken already");
        ApiError::new(ErrorCode::TooSlow, message).with_hint("try again later")
    })
}

fn too_slow() -> ApiError {
    let message = format!("the body did not come within {} s", PARQUET_BODY_WITHIN.as_secs());
    ApiError::new(ErrorCode::TooSlow, message).with_hint("`telltale import` has no such bound; or send several files")
}

async fn spooled(hub: &Hub, access: &Access, mut body: web::Payload) -> Result<File, ApiError> {
    let dir = hub.config.data.dir.clone();
    let mut file = web::block(move || nameless(&dir)).await?.map_err(|error| disk(&error))?;
    let (mut bytes, mut waiting) = (0, Vec::new());
    loop {
        let chunk = timeout(BODY_STALLED, body.next()).await.map_err(|_| BodyError::Stalled)?.transpose();
        let chunk = chunk.map_err(|error| BodyError::BrokeOff(error.to_string()))?;
        if access.has_ended() {
            return Err(BodyError::Ended.into());
        }
        bytes += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        if bytes > PARQUET_BODY_BYTES {
            let message = format!("the body is longer than {PARQUET_BODY_BYTES} bytes, which are spooled of Parquet");
            return Err(ApiError::new(ErrorCode::TooLarge, message).with_hint("`telltale import` has no such bound; or send several files"));
        }
        if hub.health.is_disk_full() {
            return Err(ApiError::new(ErrorCode::DiskFull, "the disk is full: nothing is spooled".to_owned()));
        }
        waiting.extend_from_slice(chunk.as_deref().unwrap_or_default());
        if waiting.len() >= 1 << 20 || chunk.is_none() {
            let piece = std::mem::take(&mut waiting);
            file = web::block(move || file.write_all(&piece).map(|()| file)).await?.map_err(|error| disk(&error))?;
        }
        if chunk.is_none() {
            return Ok(file);
        }
    }
}

/// Gone with its last handle. Its name is one that nothing else has, and is there for a moment only: a hub that is killed in it leaves an
/// empty file.
fn nameless(dir: &Path) -> io::Result<File> {
    loop {
        let path = dir.join(format!(".import-{:016x}", getrandom::u64().map_err(io::Error::other)?));
        match File::options().read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            file => {
                let file = file?;
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
        }
    }
}

fn disk(error: &io::Error) -> ApiError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ApiError::new(ErrorCode::DiskFull, format!("the body cannot be spooled: {error}"))
        }
        _ => ApiError::internal(error),
    }
}

/// Read by a thread of its own, a few pieces ahead.
fn pieces(mut lines: Lines) -> impl Stream<Item = Result<Bytes, ReadError>> + Unpin {
    let (sender, receiver) = mpsc::channel(HISTORY_CHUNKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        loop {
            let next = lines.next_piece(HISTORY_CHUNK_BYTES).transpose();
            let is_last = !matches!(next, Some(Ok(_)));
            let Some(next) = next else { return };
            if sender.blocking_send(next.map(|piece| Bytes::from(piece.text))).is_err() || is_last {
                return;
            }
        }
    });
    Box::pin(stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver))))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _, SeekFrom};

    use super::*;

    #[test]
    fn a_spooled_body_leaves_no_name_and_takes_nobodys() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("import-0.parquet");
        std::fs::write(&own, "mine").unwrap();
        let mut file = nameless(dir.path()).unwrap();
        assert_eq!((std::fs::read_dir(dir.path()).unwrap().count(), &*std::fs::read(&own).unwrap()), (1, &b"mine"[..]));
        file.write_all(b"theirs").unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "theirs");
    }
}
