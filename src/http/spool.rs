//! Bodies of Parquet. A file is read from its end, so a body is spooled in the data directory first: a file without a name, that goes with
//! whoever holds it, also when the hub is killed. Then its rows are decided as lines, piece by piece.

use std::fmt::Display;
use std::fs::{DirEntry, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

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

/// How the names of spooled bodies begin.
const PREFIX: &str = ".import-";

static PLACES: Semaphore = Semaphore::const_new(PARQUET_BODIES);

/// All of a body of Parquet.
pub(super) async fn import(hub: Arc<Hub>, access: Access, encoding: Encoding, body: web::Payload) -> Result<Imported, ApiError> {
    if !matches!(encoding, Encoding::Plain) {
        return Err(ApiError::parameter("format=parquet goes without Content-Encoding: it is packed already"));
    }
    let _place = place_within(&PLACES, HISTORY_WAIT).await?;
    let file = spooled_within(PARQUET_BODY_WITHIN, &hub, &access, body).await?;
    let lines = web::block(move || Lines::open(file)).await?.map_err(|error| ApiError::parameter(error.to_string()))?;
    carry_out(hub, access, RowFormat::Ndjson, Encoding::Plain, pieces(lines)).await
}

async fn place_within(places: &Semaphore, wait: Duration) -> Result<SemaphorePermit<'_>, ApiError> {
    timeout(wait, places.acquire()).await.ok().and_then(Result::ok).ok_or_else(|| {
        let message = format!("{PARQUET_BODIES} bodies of Parquet are being taken already");
        ApiError::new(ErrorCode::TooSlow, message).with_hint("try again later")
    })
}

async fn spooled_within<E: Display>(
    within: Duration,
    hub: &Hub,
    access: &Access,
    body: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<File, ApiError> {
    timeout(within, spooled(hub, access, body)).await.unwrap_or_else(|_| {
        let message = format!("the body did not come within {} s", within.as_secs());
        Err(ApiError::new(ErrorCode::TooSlow, message).with_hint("`telltale import` has no such bound; or send several files"))
    })
}

async fn spooled<E: Display>(hub: &Hub, access: &Access, mut body: impl Stream<Item = Result<Bytes, E>> + Unpin) -> Result<File, ApiError> {
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
/// empty file, which the next start takes away ([`sweep`]).
fn nameless(dir: &Path) -> io::Result<File> {
    loop {
        let path = dir.join(format!("{PREFIX}{:016x}", getrandom::u64().map_err(io::Error::other)?));
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

/// What a hub that was killed left of its spooling. Others' files in the directory are no matter of ours: a name of this form and nothing in
/// it is needed.
pub fn sweep(dir: &Path) {
    let left = |entry: &DirEntry| {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let is_named =
            number.is_some_and(|number| number.len() == 16 && number.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        is_named && entry.metadata().is_ok_and(|about| about.is_file() && about.len() == 0)
    };
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten().filter(left) {
        if let Err(error) = std::fs::remove_file(entry.path()) {
            tracing::warn!(path = %entry.path().display(), %error, "an empty file of an import that was cut off stays");
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
    use crate::auth::access::Role;
    use crate::catalog::tokens::TokenSpec;
    use crate::http::testing::TestHub;

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

    #[test]
    fn what_a_killed_hub_left_goes_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let left = ".import-0123456789abcdef";
        let others = [".import-0123456789abcdeg", ".import-0123456789abcde", "import-0123456789abcdef", ".import-00000000000000ff"];
        others.iter().chain([&left]).for_each(|name| std::fs::write(dir.path().join(name), "").unwrap());
        std::fs::write(dir.path().join(others[3]), "something of somebody").unwrap();
        sweep(dir.path());
        assert!(!dir.path().join(left).exists());
        assert!(others.iter().all(|name| dir.path().join(name).exists()));
    }

    #[actix_web::test]
    async fn a_body_that_takes_too_long_or_whose_token_ends_is_given_up() {
        let test = TestHub::open();
        let spec = TokenSpec { name: "t".to_owned(), role: Role::Agent, devices: None, select: None };
        let (secret, token) = test.hub.auth.create_token(spec).unwrap();
        let access = test.hub.auth.token(crate::auth::secret::Hash::of(secret.reveal())).unwrap().unwrap().access.clone();
        // It never stalls and never ends.
        let endless = || {
            Box::pin(stream::unfold((), async |()| {
                tokio::task::yield_now().await;
                Some((Ok::<_, io::Error>(Bytes::from_static(b"PAR1")), ()))
            }))
        };
        let refused = spooled_within(Duration::from_millis(20), &test.hub, &access, endless()).await.unwrap_err();
        assert!(refused.code == ErrorCode::TooSlow && refused.message.contains("did not come within"), "{refused:?}");
        let (hub, id) = (test.hub.clone(), token.id);
        let revoked = endless().enumerate().map(move |(n, chunk)| {
            if n == 10 {
                assert!(hub.auth.revoke_token(id).unwrap());
            }
            chunk
        });
        let refused = spooled_within(PARQUET_BODY_WITHIN, &test.hub, &access, revoked).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::Unauthorized);
        let names = std::fs::read_dir(&test.hub.config.data.dir).unwrap().flatten().map(|entry| entry.file_name());
        assert!(names.into_iter().all(|name| !name.to_string_lossy().starts_with(PREFIX)));
    }

    #[actix_web::test]
    async fn places_for_bodies_are_waited_for_in_turn() {
        let places = Semaphore::new(1);
        let taken = place_within(&places, HISTORY_WAIT).await.unwrap();
        let refused = place_within(&places, Duration::from_millis(1)).await.unwrap_err();
        assert!(refused.code == ErrorCode::TooSlow && refused.message.contains("bodies of Parquet"), "{refused:?}");
        drop(taken);
        assert!(place_within(&places, HISTORY_WAIT).await.is_ok());
    }
}
