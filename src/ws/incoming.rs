//! What a client sends, as whole messages. Pings are answered, close frames are answered with their own code, fragments are put
//! together into one buffer; the session sees data and, once, how it ended.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_http::BoxedPayloadStream;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_ws::{CloseReason, Item, MessageStream, ProtocolError};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use telltale_wire::CloseCode;

use super::guard::{Guard, Violation};
use super::peer::Peer;
use crate::limits::LINGER;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Binary(Bytes),
    /// UTF-8.
    Text(Bytes),
}

/// How a client's side ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With a close frame, which has been answered.
    Closed,
    /// The connection broke.
    Gone,
    /// It broke a rule; this is the code and reason to close with.
    Broke(CloseCode, String),
}

pub struct Incoming {
    messages: MessageStream,
    source: Rc<Source>,
    peer: Arc<Peer>,
    fragments: Option<(bool, BytesMut)>,
    max: usize,
    /// actix-ws tells of a broken message before the good ones that came with it. They are given first.
    broken: Option<End>,
    end: Option<End>,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("source", &self.source).field("end", &self.end).finish_non_exhaustive()
    }
}

/// The bytes of the connection and the guard on them.
pub(super) struct Source {
    payload: RefCell<Payload>,
    guard: RefCell<Guard>,
    violation: RefCell<Option<Violation>>,
    /// No more bytes are given on.
    stopped: Cell<bool>,
    peer: Arc<Peer>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("guard", &self.guard).field("violation", &self.violation).finish_non_exhaustive()
    }
}

struct Guarded(Rc<Source>);

/// The payload as actix-ws may see it, and what is behind it.
pub(super) fn guarded(payload: Payload, max: usize, peer: &Arc<Peer>) -> (BoxedPayloadStream, Rc<Source>) {
    let source = Rc::new(Source {
        payload: RefCell::new(payload),
        guard: RefCell::new(Guard::new(max)),
        violation: RefCell::new(None),
        stopped: Cell::new(false),
        peer: Arc::clone(peer),
    });
    (Box::pin(Guarded(Rc::clone(&source))), source)
}

impl Stream for Guarded {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let source = &self.0;
        if source.stopped.get() || source.violation.borrow().is_some() {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut *source.payload.borrow_mut()).poll_next(cx);
        let Poll::Ready(Some(Ok(bytes))) = polled else {
            return polled;
        };
        source.peer.hear();
        match source.guard.borrow_mut().pass(&bytes) {
            Ok(()) => Poll::Ready(Some(Ok(bytes))),
            // The good frames before it are still to be read.
            Err((good, violation)) => {
                *source.violation.borrow_mut() = Some(violation);
                Poll::Ready((good > 0).then(|| Ok(bytes.slice(..good))))
            }
        }
    }
}

impl Incoming {
    pub(super) fn new(messages: MessageStream, source: Rc<Source>, peer: Arc<Peer>, max: usize) -> Self {
        Self { messages, source, peer, fragments: None, max, broken: None, end: None }
    }

    /// The next whole message. May be dropped and asked again. After an end it gives the same end.
    pub async fn next(&mut self) -> Result<Message, End> {
        loop {
            if let Some(end) = &self.end {
                return Err(end.clone());
            }
            let message = self.messages.recv().await;
            match self.take(message) {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(end) => self.end = Some(end),
            }
        }
    }

    /// After a close frame: lets the peer read it and answer, for a bounded time, and then ends the connection. Ending at once
    /// while its bytes are unread would reset the connection and take the close frame with it.
    pub async fn linger(mut self) {
        let peer = Arc::clone(&self.peer);
        let answered = async {
            while self.next().await.is_ok() {}
            if let Some(End::Broke(..)) = self.end {
                self.discard().await;
            }
        };
        // Both outcomes are the same: the connection ends.
        drop(tokio::time::timeout(LINGER, answered).await);
        peer.finish();
    }

    /// Takes and drops bytes until the peer ends: after a broken rule nobody knows where a frame begins.
    async fn discard(&self) {
        poll_fn(|cx| {
            loop {
                match Pin::new(&mut *self.source.payload.borrow_mut()).poll_next(cx) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await;
    }

    fn take(&mut self, message: Option<Result<actix_ws::Message, ProtocolError>>) -> Result<Option<Message>, End> {
        match message {
            None | Some(Err(_)) if self.broken.is_some() => Err(self.broken.take().unwrap_or(End::Gone)),
            None => Err(self.source.violation.borrow().as_ref().map_or(End::Gone, broke)),
            Some(Err(error)) => {
                self.source.stopped.set(true);
                self.broken = Some(self.failed(&error));
                Ok(None)
            }
            Some(Ok(actix_ws::Message::Binary(bytes))) => Ok(Some(Message::Binary(bytes))),
            Some(Ok(actix_ws::Message::Text(text))) => Ok(Some(Message::Text(text.into_bytes()))),
            Some(Ok(actix_ws::Message::Continuation(item))) => self.fragment(item),
            Some(Ok(actix_ws::Message::Ping(payload))) => {
                self.peer.pong(&payload);
                Ok(None)
            }
            Some(Ok(actix_ws::Message::Close(reason))) => Err(self.closed(reason)),
            Some(Ok(actix_ws::Message::Pong(_) | actix_ws::Message::Nop)) => Ok(None),
        }
    }

    fn fragment(&mut self, item: Item) -> Result<Option<Message>, End> {
        let (bytes, last) = match item {
            Item::FirstText(bytes) => {
                self.fragments = Some((true, BytesMut::from(bytes)));
                return Ok(None);
            }
            Item::FirstBinary(bytes) => {
                self.fragments = Some((false, BytesMut::from(bytes)));
                return Ok(None);
            }
            Item::Continue(bytes) => (bytes, false),
            Item::Last(bytes) => (bytes, true),
        };
        let broken = |what: &str| End::Broke(CloseCode::Protocol, what.to_owned());
        let (_, whole) = self.fragments.as_mut().ok_or_else(|| broken("a continuation of no message"))?;
        debug_assert!(whole.len() + bytes.len() <= self.max, "the guard counts fragments");
        whole.extend_from_slice(&bytes);
        if !last {
            return Ok(None);
        }
        let (text, whole) = self.fragments.take().ok_or_else(|| broken("a continuation of no message"))?;
        let whole = whole.freeze();
        match (text, std::str::from_utf8(&whole)) {
            (false, _) => Ok(Some(Message::Binary(whole))),
            (true, Ok(_)) => Ok(Some(Message::Text(whole))),
            (true, Err(_)) => Err(not_utf8()),
        }
    }

    /// RFC 6455 7.4: a code that may not travel is a broken rule, any other comes back.
    fn closed(&self, reason: Option<CloseReason>) -> End {
        let Some(reason) = reason else {
            self.peer.close_without_code();
            return End::Closed;
        };
        let code = u16::from(reason.code);
        if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
            return End::Broke(CloseCode::Protocol, format!("close code {code} may not be sent"));
        }
        self.peer.close_with(code, "");
        End::Closed
    }

    fn failed(&self, error: &ProtocolError) -> End {
        match error {
            ProtocolError::Io(error) if error.kind() == io::ErrorKind::InvalidData => not_utf8(),
            ProtocolError::Io(_) => End::Gone,
            ProtocolError::Overflow => End::Broke(CloseCode::TooBig, format!("a frame of more than {} bytes", self.max)),
            error => End::Broke(CloseCode::Protocol, error.to_string()),
        }
    }
}

fn not_utf8() -> End {
    End::Broke(CloseCode::BadData, "text that is not UTF-8".to_owned())
}

fn broke(violation: &Violation) -> End {
    match violation {
        Violation::Protocol(what) => End::Broke(CloseCode::Protocol, (*what).to_owned()),
        Violation::TooBig { bytes, max } => End::Broke(CloseCode::TooBig, format!("a message of {bytes} bytes, at most {max}")),
    }
}
