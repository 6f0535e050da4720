//! The store's own runtime, and waiting for it from any thread: also from one that drives futures itself, as the writer's does.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};

use tokio::runtime::Runtime;

/// Ends in the background when it is dropped.
#[derive(Debug)]
pub(super) struct Worker(Option<Runtime>);

impl Worker {
    pub(super) fn start() -> io::Result<Self> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("influx")
            .enable_all()
            .build()
            .map(|runtime| Self(Some(runtime)))
    }

    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            drop(runtime.spawn(work));
        }
    }

    /// Does it on the runtime, and waits. None: the work ended by a bug, which its thread told.
    pub(super) fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, outcome) = tokio::sync::oneshot::channel();
        self.spawn(async move { drop(done.send(work.await)) });
        wait(outcome).ok()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// For futures that other threads drive, such as the receiving end of a channel. Within a task of tokio such an end asks for a pause
/// every 128 times, and is woken by the runtime alone, which this thread holds up: so it is told not to.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    let waker = Arc::new(Unpark(thread::current())).into();
    let (mut future, mut context) = (pin!(tokio::task::unconstrained(future)), Context::from_waker(&waker));
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_may_wait_more_often_than_it_is_given_without_a_pause() {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        let sending = thread::spawn(move || (0..1000).for_each(|n| sender.blocking_send(n).unwrap()));
        for n in 0..1000 {
            assert_eq!(wait(receiver.recv()), Some(n));
        }
        sending.join().unwrap();
    }
}
