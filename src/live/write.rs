//! One small writing interface over JSON and MessagePack, so that each message is laid out once. Lengths are told up front,
//! because MessagePack needs them; JSON ignores them.

use crate::model::{TimeNs, Value};
use crate::query::time::write_ms;

/// Writes one message. Calls that would not make a well-formed message are bugs of this module's callers, found by its tests.
pub(super) trait Write: Sized {
    /// Appends one WebSocket message to `out`, header first.
    fn message(out: &mut Vec<u8>, fill: impl FnOnce(&mut Self));
    fn map(&mut self, len: usize);
    fn end_map(&mut self);
    fn key(&mut self, key: &str);
    fn array(&mut self, len: usize);
    fn end_array(&mut self);
    fn text(&mut self, text: &str);
    fn uint(&mut self, n: u64);
    fn boolean(&mut self, b: bool);
    fn null(&mut self);
    fn time(&mut self, time: TimeNs);
    fn value(&mut self, value: &Value);
}

/// JSON text. Times are milliseconds, exact to the nanosecond in decimal.
#[derive(Debug, Default)]
pub(super) struct Json {
    out: Vec<u8>,
    comma: bool,
}

impl Json {
    fn open(&mut self, bracket: u8) {
        self.separate();
        self.out.push(bracket);
        self.comma = false;
    }

    fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.comma = true;
    }

    fn separate(&mut self) {
        if self.comma {
            self.out.push(b',');
        }
        self.comma = true;
    }

    fn scalar(&mut self, scalar: impl serde::Serialize) {
        self.separate();
        serde_json::to_writer(&mut self.out, &scalar).expect("numbers, bools and text always have a JSON form, and a Vec takes all");
    }
}

impl Write for Json {
    fn message(out: &mut Vec<u8>, fill: impl FnOnce(&mut Self)) {
        let mut json = Self::default();
        fill(&mut json);
        ws_frame(out, OP_TEXT, &json.out);
    }

    fn map(&mut self, _len: usize) {
        self.open(b'{');
    }

    fn end_map(&mut self) {
        self.close(b'}');
    }

    fn key(&mut self, key: &str) {
        self.scalar(key);
        self.out.push(b':');
        self.comma = false;
    }

    fn array(&mut self, _len: usize) {
        self.open(b'[');
    }

    fn end_array(&mut self) {
        self.close(b']');
    }

    fn text(&mut self, text: &str) {
        self.scalar(text);
    }

    fn uint(&mut self, n: u64) {
        self.scalar(n);
    }

    fn boolean(&mut self, b: bool) {
        self.scalar(b);
    }

    fn null(&mut self) {
        self.scalar(());
    }

    fn time(&mut self, time: TimeNs) {
        self.separate();
        write_ms(time, &mut self.out);
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Int(i) => self.scalar(i),
            Value::Float(f) => self.scalar(f),
            Value::Bool(b) => self.scalar(b),
            Value::Text(text) => self.scalar(&**text),
        }
    }
}

/// MessagePack. Times are integers of nanoseconds.
#[derive(Debug, Default)]
pub(super) struct MsgPack(Vec<u8>);

const VEC_TAKES_ALL: &str = "a Vec takes all";

fn length(len: usize) -> u32 {
    u32::try_from(len).expect("messages are split far below 2^32 items")
}

impl Write for MsgPack {
    fn message(out: &mut Vec<u8>, fill: impl FnOnce(&mut Self)) {
        let mut packed = Self::default();
        fill(&mut packed);
        ws_frame(out, OP_BINARY, &packed.0);
    }

    fn map(&mut self, len: usize) {
        rmp::encode::write_map_len(&mut self.0, length(len)).expect(VEC_TAKES_ALL);
    }

    fn end_map(&mut self) {}

    fn key(&mut self, key: &str) {
        self.text(key);
    }

    fn array(&mut self, len: usize) {
        rmp::encode::write_array_len(&mut self.0, length(len)).expect(VEC_TAKES_ALL);
    }

    fn end_array(&mut self) {}

    fn text(&mut self, text: &str) {
        rmp::encode::write_str(&mut self.0, text).expect(VEC_TAKES_ALL);
    }

    fn uint(&mut self, n: u64) {
        rmp::encode::write_uint(&mut self.0, n).expect(VEC_TAKES_ALL);
    }

    fn boolean(&mut self, b: bool) {
        rmp::encode::write_bool(&mut self.0, b).expect(VEC_TAKES_ALL);
    }

    fn null(&mut self) {
        rmp::encode::write_nil(&mut self.0).expect(VEC_TAKES_ALL);
    }

    fn time(&mut self, time: TimeNs) {
        rmp::encode::write_sint(&mut self.0, time).expect(VEC_TAKES_ALL);
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Int(i) => drop(rmp::encode::write_sint(&mut self.0, *i).expect(VEC_TAKES_ALL)),
            Value::Float(f) => rmp::encode::write_f64(&mut self.0, *f).expect(VEC_TAKES_ALL),
            Value::Bool(b) => self.boolean(*b),
            Value::Text(text) => self.text(text),
        }
    }
}

const OP_TEXT: u8 = 1;
const OP_BINARY: u8 = 2;

/// One unfragmented, unmasked frame.
fn ws_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match payload.len() {
        len @ 0..126 => out.push(u8::try_from(len).expect("below 126")),
        len @ 126..65_536 => {
            out.push(126);
            out.extend_from_slice(&u16::try_from(len).expect("below 65,536").to_be_bytes());
        }
        len => {
            out.push(127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(fill: impl FnOnce(&mut Json)) -> String {
        let mut json = Json::default();
        fill(&mut json);
        String::from_utf8(json.out).unwrap()
    }

    #[test]
    fn a_time_is_milliseconds_with_the_fraction_it_has() {
        for (ns, text) in [
            (0, "0"),
            (1_795_396_030_123_000_000, "1795396030123"),
            (1_795_396_030_123_456_789, "1795396030123.456789"),
            (1_500_000, "1.5"),
            (1_000_010, "1.00001"),
            (-1_500_000, "-1.5"),
            (i64::MAX, "9223372036854.775807"),
        ] {
            assert_eq!(json(|w| w.time(ns)), text);
        }
    }

    #[test]
    fn values_keep_their_type() {
        let rows = [
            (Value::Int(i64::MAX), "9223372036854775807"),
            (Value::Float(1.0), "1.0"),
            (Value::Float(0.1), "0.1"),
            (Value::Bool(true), "true"),
            (Value::Text("a\"b\n".into()), r#""a\"b\n""#),
        ];
        for (value, text) in rows {
            assert_eq!(json(|w| w.value(&value)), text);
        }
    }

    #[test]
    fn frame_headers_follow_rfc_6455() {
        for (len, header) in [
            (0_usize, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_535, vec![0x81, 126, 255, 255]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut out = Vec::new();
            ws_frame(&mut out, OP_TEXT, &vec![b'x'; len]);
            assert_eq!(out[..header.len()], header);
            assert_eq!(out.len(), header.len() + len);
        }
    }
}
