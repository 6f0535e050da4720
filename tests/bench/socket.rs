//! A WebSocket client of the fewest instructions: blocking, frames masked with zeros, server frames taken whole.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;

#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) write: TcpStream,
    pub(crate) read: BufReader<TcpStream>,
}

impl Socket {
    pub(crate) fn connect(address: &str, path: &str, token: &str) -> Self {
        Self::connect_as(address, path, token, None)
    }

    pub(crate) fn connect_as(address: &str, path: &str, token: &str, protocol: Option<&str>) -> Self {
        let mut write = TcpStream::connect(address).expect("the hub accepts");
        write.set_nodelay(true).expect("TCP_NODELAY can be set");
        let protocol = protocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{protocol}\r\n"
        );
        write.write_all(request.as_bytes()).expect("the hub reads");
        let mut read = BufReader::with_capacity(1 << 16, write.try_clone().expect("a socket can be cloned"));
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            read.read_exact(&mut byte).expect("the hub answers the handshake");
            head.extend_from_slice(&byte);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        Self { write, read }
    }

    pub(crate) fn send(&mut self, frame: &[u8]) {
        self.write.write_all(frame).expect("the hub reads");
    }

    /// The next message that is not a ping, into `into`; pings are answered.
    pub(crate) fn receive(&mut self, into: &mut Vec<u8>) {
        loop {
            let opcode = self.receive_any(into);
            match opcode {
                1 | 2 => return,
                9 => self.write.write_all(&frame(10, into)).expect("the hub reads"),
                8 => panic!("the hub closed: {}", String::from_utf8_lossy(into)),
                _ => {}
            }
        }
    }

    pub(crate) fn receive_any(&mut self, into: &mut Vec<u8>) -> u8 {
        let mut head = [0; 2];
        self.read.read_exact(&mut head).expect("the hub is there");
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.read.read_exact(&mut length).expect("the hub is there");
                u64::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.read.read_exact(&mut length).expect("the hub is there");
                u64::from_be_bytes(length)
            }
            short => u64::from(short),
        };
        into.resize(usize::try_from(length).expect("a message fits memory"), 0);
        self.read.read_exact(into).expect("the hub is there");
        head[0] & 0x0f
    }
}

/// One client frame. A mask of zeros leaves the payload as it is, so that parts of it can be changed in place.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        length @ ..126 => frame.push(0x80 | length as u8),
        length @ 126..65536 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}
