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
        self.poll_recv(cx)
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
