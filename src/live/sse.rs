//! Server-sent events: one subscription as the body of an answer that does not end. Engine, mailbox and messages are the
//! socket's; what a viewer has to say is in its request, so nothing is read from it.
//!
//! Ends: the viewer goes; its token or session ends, or the hub stops (a `closing` event, then the end of the body); its
//! subscription is refused (an `error`, then the end). A comment now and then shows proxies that the connection is alive, and has
//! the kernel find a viewer that is dead: no byte could be written for a minute (TCP_USER_TIMEOUT, set in `app`).

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{Instant, interval_at, timeout};

use super::Stopped;
use super::engine::Input;
use super::outbox::{Outbox, Reading};
use super::protocol::{Encoding, Refused, Subscribe};
use super::socket::{RETRY_AFTER_MS, dismissed, say_closing};
use crate::auth::access::Access;
use crate::hub::Hub;
use crate::limits::{EVENTS_BEGIN, EVENTS_COMMENT_EVERY};

/// The id of the one subscription.
pub const SUBSCRIPTION: &str = "sse";

/// A line that readers pass over.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// What the body of the answer pulls when it can be written.
#[derive(Debug)]
pub struct Events {
    outbox: Arc<Outbox>,
    reading: Option<Reading>,
    /// What goes before all that is pulled.
    first: Option<Bytes>,
    /// Dropped with the connection, which ends the subscription.
    _open: oneshot::Sender<()>,
}

impl Events {
    /// Subscribes.
    pub async fn open(hub: Arc<Hub>, access: Access, subscribe: Subscribe) -> Result<Self, Stopped> {
        Self::open_with(hub, access, subscribe, EVENTS_COMMENT_EVERY).await
    }

    pub(super) async fn open_with(hub: Arc<Hub>, access: Access, subscribe: Subscribe, comment_every: Duration) -> Result<Self, Stopped> {
        let outbox = hub.live.outbox(Encoding::Events);
        hub.live.tell(Input::Opened(Arc::clone(&outbox))).await?;
        let (open, gone) = oneshot::channel();
        // From here on the engine hears of the end, whatever becomes of the request.
        actix_web::rt::spawn(watch(Arc::clone(&hub), access.clone(), Arc::clone(&outbox), gone, comment_every));
        let events = Self { outbox, reading: None, first: None, _open: open };
        hub.live.tell(Input::Subscribe { viewer: events.outbox.viewer, access, subscribe }).await?;
        Ok(events)
    }

    /// Waits for the first message, for a while. An error is a subscription that was refused.
    pub async fn begin(self) -> Result<Self, Refused> {
        self.begin_within(EVENTS_BEGIN).await
    }

    async fn begin_within(mut self, wait: Duration) -> Result<Self, Refused> {
        let first = timeout(wait, poll_fn(|cx| self.outbox.poll_next(&mut self.reading, cx))).await;
        if let Some(refused) = self.outbox.refusal() {
            return Err(refused.clone());
        }
        let mut out = format!("retry: {RETRY_AFTER_MS}\n\n").into_bytes();
        if let Ok(Some(message)) = first {
            out.extend_from_slice(&message);
        }
        self.first = Some(out.into());
        Ok(self)
    }

    /// The next bytes of the body; None at its end.
    pub fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => self.outbox.poll_next(&mut self.reading, cx),
        }
    }
}

/// Tells the engine when the connection is over, and the viewer why, where it is the hub that ends it.
async fn watch(hub: Arc<Hub>, access: Access, outbox: Arc<Outbox>, gone: oneshot::Receiver<()>, comment_every: Duration) {
    let comments = async {
        let mut due = interval_at(Instant::now() + comment_every, comment_every);
        loop {
            due.tick().await;
            outbox.with(|mailbox| mailbox.push_idle(COMMENT));
        }
    };
    let dismissal = tokio::select! {
        // Nothing is ever sent: it resolves when the body is dropped.
        _ = gone => None,
        dismissal = dismissed(&hub, &access) => Some(dismissal),
        () = comments => None,
    };
    if hub.live.tell(Input::Gone(outbox.viewer)).await.is_err() {
        tracing::debug!("a viewer left after live had stopped");
    }
    if let Some((code, reason)) = dismissal {
        say_closing(&outbox, code, reason);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::live::outbox::ViewerId;

    #[tokio::test]
    async fn a_stream_whose_first_message_takes_long_begins_without_it() {
        let outbox = Arc::new(Outbox::new(ViewerId(1), Encoding::Events, 1 << 20, Arc::default()));
        let (open, _gone) = oneshot::channel();
        let events = Events { outbox: Arc::clone(&outbox), reading: None, first: None, _open: open };
        let mut events = events.begin_within(Duration::ZERO).await.unwrap();
        let mut pull = || events.poll_next(&Context::from_waker(Waker::noop()));
        assert_eq!(pull(), Poll::Ready(Some("retry: 1000\n\n".into())));
        assert_eq!(pull(), Poll::Pending);
        outbox.with(|mailbox| mailbox.push_error("an error".into()));
        assert_eq!(pull(), Poll::Ready(Some("an error".into())));
        outbox.with(|mailbox| mailbox.close(Some("closing".into())));
        assert_eq!([pull(), pull()], [Poll::Ready(Some("closing".into())), Poll::Ready(None)]);
    }
}
