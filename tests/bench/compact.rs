//! A connection that speaks `telltale.v1`: prepared batches go out on one thread, acks come in on another, with a bound on what is
//! under way.

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use telltale_wire::{Hello, HubFrame, varint};

use crate::sensors::Body;
use crate::socket::{Socket, frame};

#[derive(Debug)]
pub(crate) struct Compact {
    socket: Socket,
    write: TcpStream,
    seq: u64,
}

/// How batches follow each other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// As fast as acks let it, with so many under way.
    Full(usize),
    /// So many readings a second, whatever the hub does.
    Readings(f64),
}

#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) readings: usize,
    /// From when each batch was due to its ack.
    pub(crate) acks: Vec<Duration>,
}

impl Compact {
    pub(crate) fn connect(address: &str, token: &str, agent: &str, definitions: &[Vec<u8>]) -> Self {
        let mut socket = Socket::connect_as(address, "/api/v1/ingest", token, Some(telltale_wire::SUBPROTOCOL));
        let mut hello = Vec::new();
        let clock_ns = jiff::Timestamp::now().as_nanosecond() as i64;
        Hello { agent, boot: fastrand::u64(..), clock_ns, program: "bench", attributes: Vec::new() }.encode(&mut hello);
        socket.send(&frame(2, &hello));
        let mut answer = Vec::new();
        socket.receive(&mut answer);
        assert!(matches!(HubFrame::parse(&answer), Ok(HubFrame::Welcome(_))), "the hub welcomes");
        definitions.iter().for_each(|define| socket.send(&frame(2, define)));
        let write = socket.write.try_clone().expect("a socket can be cloned");
        Self { socket, write, seq: 0 }
    }

    /// Sends these batches, whose times count from `start_ns`, until `goes_on` says no; then waits for the last ack.
    /// `acked` is told the time of each batch once it is acked.
    pub(crate) fn send(
        &mut self,
        bodies: &[Body],
        start_ns: i64,
        pace: Pace,
        goes_on: impl Fn() -> bool,
        mut acked: impl FnMut(i64) + Send,
    ) -> Sent {
        let Self { socket, write, seq } = self;
        let bound = if let Pace::Full(under_way) = pace { under_way } else { 1 << 20 };
        let (tell, under_way) = sync_channel(bound);
        std::thread::scope(|scope| {
            let acks = scope.spawn(move || read_acks(socket, &under_way, &mut acked));
            let (begun, mut readings, mut buffer) = (Instant::now(), 0, Vec::new());
            for body in bodies.iter().take_while(|_| goes_on()) {
                let due = match pace {
                    Pace::Full(_) => Instant::now(),
                    Pace::Readings(a_second) => begun + Duration::from_secs_f64(readings as f64 / a_second),
                };
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                *seq += 1;
                let base = i64::from_le_bytes(body.bytes[..8].try_into().expect("eight bytes")) + start_ns;
                put_batch(&mut buffer, *seq, base, &body.bytes[8..]);
                tell.send((*seq, due, base)).expect("acks are read");
                write.write_all(&buffer).expect("the hub reads");
                readings += body.readings;
            }
            drop(tell);
            Sent { readings, acks: acks.join().expect("all is acked") }
        })
    }
}

/// One WebSocket frame with one batch, masked with zeros.
fn put_batch(out: &mut Vec<u8>, seq: u64, base_ns: i64, rest: &[u8]) {
    let mut start = vec![0x03];
    varint::put(&mut start, seq);
    start.extend_from_slice(&base_ns.to_le_bytes());
    out.clear();
    out.extend_from_slice(&[0x82, 0x80 | 127]);
    out.extend_from_slice(&((start.len() + rest.len()) as u64).to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&start);
    out.extend_from_slice(rest);
}

fn read_acks(socket: &mut Socket, under_way: &Receiver<(u64, Instant, i64)>, acked: &mut impl FnMut(i64)) -> Vec<Duration> {
    let (mut acks, mut up_to, mut message) = (Vec::new(), 0, Vec::new());
    while let Ok((seq, due, time)) = under_way.recv() {
        while up_to < seq {
            // Pings are passed over: the hub hears from this side all the time.
            if socket.receive_any(&mut message) != 2 {
                continue;
            }
            match HubFrame::parse(&message).expect("the hub's frames are good") {
                HubFrame::Ack(ack) => {
                    assert!(ack.rejected.is_empty(), "{:?}", ack.rejected);
                    up_to = ack.up_to;
                }
                HubFrame::SlowDown(_) => {}
                other => panic!("{other:?}"),
            }
        }
        acks.push(due.elapsed());
        acked(time);
    }
    acks
}
