//! An open connection: a reading half, and a writer task of its own behind a small bounded queue, so that acks are read also
//! while the socket takes no more.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::stream::SplitStream;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::connect::Socket;
use crate::outgoing::Encoder;

/// Batches of frames that wait for the socket; more wait in the spool.
const OUTBOX_BATCHES: usize = 4;
/// For our own close frame to be written.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);
/// After the hub's close frame was answered, for the hub to end the connection; then this side does.
pub(crate) const CLOSED_DEADLINE: Duration = Duration::from_millis(200);

/// An open connection.
pub(crate) struct Link {
    pub(crate) incoming: SplitStream<Socket>,
    pub(crate) outbox: mpsc::Sender<Vec<Message>>,
    writer: JoinHandle<()>,
    pub(crate) encoder: Encoder,
    /// By sequence number: place in the frame -> row of the batch, to understand refusals.
    pub(crate) orders: BTreeMap<u64, Vec<u32>>,
    /// The hub's close frame, and until when its end of the connection is waited for.
    pub(crate) closed: Option<Closed>,
}

pub(crate) struct Closed {
    pub(crate) code: Option<u16>,
    pub(crate) reason: String,
    pub(crate) until: Instant,
}

impl Link {
    pub(crate) fn new(socket: Socket) -> Link {
        let (sink, incoming) = socket.split();
        let (outbox, mut frames) = mpsc::channel::<Vec<Message>>(OUTBOX_BATCHES);
        let writer = tokio::spawn(async move {
            let mut sink = sink;
            while let Some(batch) = frames.recv().await {
                for frame in batch {
                    if sink.feed(frame).await.is_err() {
                        return; // the reading side sees the end of the connection too
                    }
                }
                if frames.is_empty() && sink.flush().await.is_err() {
                    return;
                }
            }
        });
        let encoder = Encoder::new(telltale_wire::Limits::default());
        Link { incoming, outbox, writer, encoder, orders: BTreeMap::new(), closed: None }
    }

    /// Says that this side ends; what the hub still has to say is not waited for.
    pub(crate) async fn close(mut self) {
        let frame = CloseFrame { code: CloseCode::Away, reason: "the agent is stopping".into() };
        if self.closed.is_none() && self.outbox.try_send(vec![Message::Close(Some(frame))]).is_ok() {
            let (outbox, _) = mpsc::channel(1);
            self.outbox = outbox; // the writer ends when it has written all
            if tokio::time::timeout(CLOSE_DEADLINE, &mut self.writer).await.is_err() {
                tracing::debug!("the close frame could not be written");
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.writer.abort();
    }
}
