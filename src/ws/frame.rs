//! Frames from the hub. They are not masked, so one `Bytes` with its header serves every peer.

use bytes::{BufMut, Bytes, BytesMut};

/// What a frame carries: RFC 6455's opcodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// A whole, unfragmented frame, ready to be written.
#[must_use]
pub fn frame(kind: Kind, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(payload.len() + 10);
    out.put_u8(0x80 | kind as u8);
    match payload.len() {
        len @ 0..=125 => out.put_u8(u8::try_from(len).expect("at most 125")),
        len @ 126..=0xffff => {
            out.put_u8(126);
            out.put_u16(u16::try_from(len).expect("at most 65535"));
        }
        len => {
            out.put_u8(127);
            out.put_u64(len as u64);
        }
    }
    out.extend_from_slice(payload);
    out.freeze()
}

/// A close frame; the reason is cut to what fits beside the code.
pub(super) fn close(code: u16, reason: &str) -> Bytes {
    let mut payload = BytesMut::with_capacity(125);
    payload.put_u16(code);
    let end = (0..=reason.len().min(123)).rev().find(|at| reason.is_char_boundary(*at)).unwrap_or(0);
    payload.extend_from_slice(&reason.as_bytes()[..end]);
    frame(Kind::Close, &payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_the_shortest_length_that_fits() {
        for (len, header) in [
            (0, vec![0x82, 0]),
            (125, vec![0x82, 125]),
            (126, vec![0x82, 126, 0, 126]),
            (65535, vec![0x82, 126, 255, 255]),
            (65536, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = frame(Kind::Binary, &vec![7; len]);
            assert_eq!(frame[..header.len()], header, "{len}");
            assert_eq!(frame.len(), header.len() + len);
        }
        assert_eq!(frame(Kind::Text, b"x")[..], [0x81, 1, b'x']);
    }

    #[test]
    fn a_close_reason_is_cut_between_characters() {
        assert_eq!(close(1001, "bye")[..], [0x88, 5, 0x03, 0xe9, b'b', b'y', b'e']);
        let long = close(1001, &"ä".repeat(100));
        assert_eq!(long[1], 2 + 122);
        assert!(std::str::from_utf8(&long[4..]).is_ok());
    }
}
