//! The connection under a request, looked at from aside: whether its client has closed its side. HTTP lets a client do so and wait for its
//! answer (`nc -N`), and one that is gone looks the same until something is written to it. So who waits long for the first bytes of an
//! answer asks here.

use std::any::Any;
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::rt::net::{TcpStream, UnixStream};
use parking_lot::Mutex;
use socket2::{SockRef, Socket};
use tokio::time::{MissedTickBehavior, interval};

use crate::limits::{CLOSED_SIDE_LOOKED_AT, CLOSED_SIDE_WAITED};

/// A handle of its own on the connection's socket. Those that speak otherwise than HTTP let it go.
#[derive(Debug)]
pub struct Line(Mutex<Option<Socket>>);

/// The socket of a connection, whatever is spoken on it.
pub fn socket(connection: &dyn Any) -> Option<BorrowedFd<'_>> {
    let secured = connection.downcast_ref::<TlsStream<TcpStream>>().map(|stream| stream.get_ref().0);
    let tcp = connection.downcast_ref::<TcpStream>().or(secured).map(AsFd::as_fd);
    tcp.or_else(|| connection.downcast_ref::<UnixStream>().map(AsFd::as_fd))
}

/// Called for each new connection, before its first request.
pub fn keep(connection: &dyn Any, data: &mut Extensions) {
    // Without one, a client that went is noticed when something is written to it.
    let kept = socket(connection).and_then(|socket| SockRef::from(&socket).try_clone().ok());
    data.insert(Line(Mutex::new(kept)));
}

/// This connection has its own ways to find out: one file less is open for it.
pub fn forget(request: &HttpRequest) {
    if let Some(line) = request.conn_data::<Line>() {
        drop(line.0.lock().take());
    }
}

/// Resolves when the client has closed its side and waited a while since.
pub async fn left(request: &HttpRequest) {
    let mut ticks = interval(CLOSED_SIDE_LOOKED_AT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut closed_for = Duration::ZERO;
    while closed_for < CLOSED_SIDE_WAITED {
        ticks.tick().await;
        let is_closed = request.conn_data::<Line>().is_some_and(Line::is_closed);
        closed_for = if is_closed { closed_for + CLOSED_SIDE_LOOKED_AT } else { Duration::ZERO };
    }
}

impl Line {
    /// Nothing more comes from the client, and what came is read.
    fn is_closed(&self) -> bool {
        let socket = self.0.lock();
        match socket.as_ref().map(|socket| socket.peek(&mut [MaybeUninit::uninit()])) {
            Some(Ok(bytes)) => bytes == 0,
            Some(Err(error)) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Shutdown, TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_closed_side_is_seen_behind_what_was_said() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        let line = Line(Mutex::new(Some(SockRef::from(&server).try_clone().unwrap())));
        assert!(!line.is_closed(), "it may say something yet");
        client.write_all(b"x").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        while std::io::Read::read(&mut server, &mut [0]).is_err() {
            std::thread::yield_now();
        }
        let closed = (0..1_000_000).any(|_| {
            std::thread::yield_now();
            line.is_closed()
        });
        assert!(closed);
        drop(line.0.lock().take());
        assert!(!line.is_closed(), "forgotten");
    }
}
