//! The body of the 101 response. actix asks it for bytes whenever it can write, and puts several frames into one write; so merging
//! and choosing can happen until the last instant, and nobody waits for a peer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;
use tokio::sync::mpsc;

use super::peer::{Peer, Turn};
use crate::limits::FRAMES_BEFORE_CLOSE;

/// Where the frames of a socket come from, whole and with their headers (see [`super::frame`]).
pub trait Frames: Unpin {
    /// The next frame. Pending: none is ready, and the waker is called when one is. None: there will be no more.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>>;
}

impl Frames for mpsc::Receiver<Bytes> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match self.poll_recv(cx) {
            // tokio says Pending also to a task that has had its share; a close frame must not overtake what is ready.
            Poll::Pending => self.try_recv().map_or(Poll::Pending, |frame| Poll::Ready(Some(frame))),
            ready => ready,
        }
    }
}

pub(super) struct Body<F> {
    /// actix-ws's own body. It is never asked for anything; dropping it tells the message stream that the connection is gone.
    _held: BoxBody,
    peer: Arc<Peer>,
    frames: F,
    /// Frames written since a close was asked for.
    behind_close: usize,
}

impl<F> Body<F> {
    pub(super) fn new(held: BoxBody, peer: Arc<Peer>, frames: F) -> Self {
        Self { _held: held, peer, frames, behind_close: 0 }
    }
}

impl<F: Frames> Body<F> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let closing = match self.peer.turn(cx) {
            Turn::Write(control) => return Poll::Ready(Some(control)),
            Turn::Wait => return Poll::Pending,
            Turn::End => return Poll::Ready(None),
            Turn::Frames { closing } => closing,
        };
        if !closing || self.behind_close < FRAMES_BEFORE_CLOSE {
            if let Poll::Ready(Some(frame)) = self.frames.poll_frame(cx) {
                self.behind_close += usize::from(closing);
                self.peer.wrote();
                return Poll::Ready(Some(frame));
            }
            if !closing {
                return Poll::Pending;
            }
        }
        self.peer.take_close().map_or(Poll::Pending, |close| Poll::Ready(Some(close)))
    }
}

impl<F: Frames> MessageBody for Body<F> {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        self.get_mut().poll(cx).map(|frame| frame.map(Ok))
    }
}

impl<F> Drop for Body<F> {
    fn drop(&mut self) {
        self.peer.set_over();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::time::Duration;

    use telltale_wire::CloseCode;

    use super::super::peer::Lifetime;
    use super::*;

    fn body(frames: usize) -> (Body<mpsc::Receiver<Bytes>>, mpsc::Sender<Bytes>, Arc<Peer>) {
        let (sender, receiver) = mpsc::channel(1000);
        (0..frames).for_each(|_| sender.try_send(Bytes::from_static(b"f")).unwrap());
        let peer = Peer::new(Lifetime::Heard(Duration::from_secs(1)));
        (Body::new(BoxBody::new(()), Arc::clone(&peer), receiver), sender, peer)
    }

    /// The first bytes of all that is written now: `f` a frame, else an opcode; `.` when it waits, `|` at the end.
    fn written(body: &mut Body<mpsc::Receiver<Bytes>>) -> String {
        let mut out = String::new();
        loop {
            match body.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Some(bytes)) => out += if bytes[0] == b'f' { "f".to_owned() } else { format!("{:x}", bytes[0] & 0xf) }.as_str(),
                Poll::Ready(None) => return out + "|",
                Poll::Pending => return out + ".",
            }
        }
    }

    #[tokio::test]
    async fn frames_that_are_ready_go_before_the_close_frame_and_nothing_after_it() {
        let (mut body, sender, peer) = body(2);
        peer.ping();
        peer.pong(b"x");
        peer.close(CloseCode::Draining, "bye");
        assert_eq!(written(&mut body), "a9ff8.");
        sender.try_send(Bytes::from_static(b"f")).unwrap();
        peer.ping();
        peer.close(CloseCode::Failed, "again");
        assert_eq!(written(&mut body), ".");
        peer.finish();
        assert_eq!(written(&mut body), "|");
    }

    #[tokio::test]
    async fn a_source_without_end_does_not_hold_up_the_close_frame() {
        let (mut body, _sender, peer) = body(FRAMES_BEFORE_CLOSE + 5);
        peer.close(CloseCode::Draining, "bye");
        peer.finish();
        assert_eq!(written(&mut body), "f".repeat(FRAMES_BEFORE_CLOSE) + "8|");
    }

    #[tokio::test]
    async fn without_a_close_frame_it_ends_when_told() {
        let (mut body, sender, peer) = body(1);
        drop(sender);
        assert_eq!(written(&mut body), "f.");
        peer.finish();
        assert_eq!(written(&mut body), "|");
        drop(body);
        assert!(peer.is_over());
    }
}
