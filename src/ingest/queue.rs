//! The way to the writer. Bounded in batches and in bytes: when it is full, who submits waits, and so does its peer.

use std::sync::Arc;

use telltale_wire::BatchCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::late::{Desk, LookedUp};
use super::{Batch, Later};
use crate::limits::{DELETES_PER_COMMIT, WRITER_QUEUE_BATCHES, WRITER_QUEUE_BYTES};
use crate::model::{Delete, Position, Reading, Value};

/// What a refused batch is told to wait.
const RETRY_DRAINING_MS: u32 = 1_000;
/// Room is counted in pieces of so many bytes.
const PIECE_BYTES: usize = 1 << 10;
const PIECES: usize = WRITER_QUEUE_BYTES / PIECE_BYTES;

/// The room that a batch takes from its submit to its answer.
pub(super) type Room = OwnedSemaphorePermit;

#[derive(Debug)]
pub(super) enum Input {
    Batch(Batch, LookedUp, Room),
    Delete(Vec<Delete>, oneshot::Sender<Result<Position, Later>>),
    Stop(oneshot::Sender<()>),
}

#[derive(Clone, Debug)]
pub struct Queue {
    inputs: mpsc::Sender<Input>,
    room: Arc<Semaphore>,
    pub(super) late: Desk,
}

impl Queue {
    pub(super) fn new(late: Desk) -> (Self, mpsc::Receiver<Input>) {
        let (inputs, receiver) = mpsc::channel(WRITER_QUEUE_BATCHES);
        (Self { inputs, room: Arc::new(Semaphore::new(PIECES)), late }, receiver)
    }

    pub async fn submit(&self, batch: Batch) -> Result<(), Later> {
        let looked_up = self.late.look(&batch).await?;
        // One that is larger than all the room waits until nothing else is there.
        let pieces = weight(&batch).div_ceil(PIECE_BYTES).clamp(1, PIECES);
        let pieces = u32::try_from(pieces).expect("the room has far fewer pieces than 2^32");
        let room = Arc::clone(&self.room).acquire_many_owned(pieces).await.map_err(|_| draining())?;
        self.inputs.send(Input::Batch(batch, looked_up, room)).await.map_err(|_| draining())
    }

    /// Deletes ranges of series, durably; the position of the last commit it took. Readings that come in later are kept, also
    /// within the ranges.
    pub async fn delete(&self, deletes: &[Delete]) -> Result<Option<Position>, Later> {
        let mut position = None;
        for some in deletes.chunks(DELETES_PER_COMMIT) {
            let (done, deleted) = oneshot::channel();
            self.inputs.send(Input::Delete(some.to_vec(), done)).await.map_err(|_| draining())?;
            position = Some(deleted.await.map_err(|_| draining())??);
        }
        Ok(position)
    }

    /// Batches that wait now.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.inputs.max_capacity() - self.inputs.capacity()
    }

    /// About the bytes of the batches that wait or are being committed.
    #[must_use]
    pub fn bytes(&self) -> usize {
        (PIECES - self.room.available_permits()) * PIECE_BYTES
    }

    /// More than half full: senders do well to pause.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.depth() > self.inputs.max_capacity() / 2 || self.bytes() > WRITER_QUEUE_BYTES / 2
    }

    /// Commits what waits, writes the end record, and ends the writer. Later submits are answered `draining`.
    pub async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        if self.inputs.send(Input::Stop(done)).await.is_ok() {
            // An error means that the writer ended without an answer, which is an end as well.
            drop(ended.await);
        }
    }
}

fn draining() -> Later {
    Later {
        code: BatchCode::Draining,
        after_ms: RETRY_DRAINING_MS,
        message: "the hub is stopping; send it again after the restart".to_owned(),
    }
}

/// About the bytes of a batch in memory.
pub(super) fn weight(batch: &Batch) -> usize {
    let text = |reading: &Reading| if let Value::Text(text) = &reading.value { text.len() } else { 0 };
    size_of_val(&batch.readings[..]) + batch.readings.iter().map(text).sum::<usize>()
}
