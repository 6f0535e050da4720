//! One small writing interface over JSON and MessagePack, so that each message is laid out once. Lengths are told up front,
//! because MessagePack needs them; JSON ignores them. A message is a WebSocket frame, or as JSON also a server-sent event.

use super::cursor::Cursor;
use crate::model::{TimeNs, Value};
use crate::query::time::write_ms;

/// Writes one message. Calls that would not make a well-formed message are bugs of this module's callers, found by its tests.
pub(super) trait Write: Sized {
    /// Appends one message to `out`, with what goes around it on its way.
    fn message(out: &mut Vec<u8>, fill: impl FnOnce(&mut Self));
    /// One entry: the message's type.
    fn kind(&mut self, kind: &'static str) {
        self.key("type");
        self.text(kind);
    }
    /// One entry: where a reader stands who has the message.
    fn cursor(&mut self, cursor: Cursor) {
        self.key("cursor");
        self.text(&cursor.to_string());
    }
    /// No entry: a reader who breaks off behind the message stands nowhere, since it forgot what it had.
    fn no_cursor(&mut self) {}
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

/// JSON text in WebSocket frames.
pub(super) type Json = JsonText<false>;
/// JSON text in server-sent events.
pub(super) type Events = JsonText<true>;

/// The id of an event behind which nobody can resume. As a cursor it is one that no hub wrote, so it asks for a full snapshot.
const NOWHERE: &str = "none";

/// JSON text. Times are milliseconds, exact to the nanosecond in decimal.
#[derive(Debug, Default)]
pub(super) struct JsonText<const EVENTS: bool> {
    out: Vec<u8>,
    comma: bool,
    kind: &'static str,
    id: Option<String>,
}

impl<const EVENTS: bool> JsonText<EVENTS> {
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

impl<const EVENTS: bool> Write for JsonText<EVENTS> {
    fn message(out: &mut Vec<u8>, fill: impl FnOnce(&mut Self)) {
        let mut json = Self::default();
        fill(&mut json);
        if EVENTS {
            event(out, json.kind, json.id.as_deref(), &json.out);
        } else {
            ws_frame(out, OP_TEXT, &json.out);
        }
    }

    fn kind(&mut self, kind: &'static str) {
        self.key("type");
        self.text(kind);
        self.kind = kind;
    }

    fn cursor(&mut self, cursor: Cursor) {
        let cursor = cursor.to_string();
        self.key("cursor");
        self.text(&cursor);
        self.id = Some(cursor);
    }

    fn no_cursor(&mut self) {
        self.id = Some(NOWHERE.to_owned());
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

/// One server-sent event. Its data is one line: JSON has line breaks in texts escaped, and none is written between its tokens.
fn event(out: &mut Vec<u8>, kind: &str, id: Option<&str>, data: &[u8]) {
    debug_assert!(!data.iter().any(|byte| matches!(byte, b'\n' | b'\r')), "the data is one line");
    for (name, value) in [("event: ", Some(kind)), ("id: ", id)] {
        if let Some(value) = value {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(value.as_bytes());
            out.push(b'\n');
        }
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Position;

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

    fn event(fill: impl FnOnce(&mut Events)) -> String {
        let mut out = Vec::new();
        Events::message(&mut out, fill);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_event_has_its_type_its_cursor_as_id_and_one_line_of_data() {
        let cursor = Cursor { epoch: 255, position: Position(31), attributes: None };
        let update = event(|w| {
            w.map(3);
            w.kind("update");
            w.cursor(cursor);
            w.key("text");
            w.text("a\nb\r\nc\u{2028}d");
            w.end_map();
        });
        let data = "{\"type\":\"update\",\"cursor\":\"00000000000000ff-1f\",\"text\":\"a\\nb\\r\\nc\u{2028}d\"}";
        assert_eq!(update, format!("event: update\nid: 00000000000000ff-1f\ndata: {data}\n\n"));
    }

    #[test]
    fn an_event_without_a_cursor_keeps_the_reader_s_place_or_takes_it() {
        let state = event(|w| {
            w.map(1);
            w.kind("state");
            w.end_map();
        });
        assert_eq!(state, "event: state\ndata: {\"type\":\"state\"}\n\n");
        let part = event(|w| {
            w.map(1);
            w.kind("snapshot");
            w.no_cursor();
            w.end_map();
        });
        assert_eq!(part, "event: snapshot\nid: none\ndata: {\"type\":\"snapshot\"}\n\n");
        assert_eq!(Cursor::parse(NOWHERE), None);
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
