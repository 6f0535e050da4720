//! What a viewer may send: subscribe, unsubscribe and ping, as JSON text or a MessagePack map of the same keys. Parsed once, strictly;
//! after that nobody checks again. Pure.
//!
//! Invariant: no type here is recursive, so that a nested message cannot exhaust the stack (rmp-serde follows depth 1,024).

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::cursor::Cursor;
use crate::limits::{LIVE_COLUMNS, MAX_HZ, SELECTORS, SUBSCRIPTION_ID_BYTES};
use crate::query::selector::Selector;
use crate::query::time::parse_duration;

/// How messages travel on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Text frames; times are milliseconds.
    Json,
    /// Binary frames by subprotocol `telltale.live.v1.msgpack`; times are integers of nanoseconds.
    MsgPack,
    /// The same text as server-sent events, in the body of an answer.
    Events,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ClientMessage {
    Subscribe(Subscribe),
    Unsubscribe {
        id: String,
    },
    /// Is anybody there? A browser sees no pings of the WebSocket's own.
    Ping,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Subscribe {
    pub wish: Wish,
    /// A cursor that no hub wrote is taken as one that cannot be honoured: the answer is a full snapshot.
    pub cursor: Option<Cursor>,
}

/// What a viewer asked to see. Equal wishes of equal access and encoding share a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    pub id: String,
    pub select: Vec<Selector>,
    /// How far back the first snapshot goes, ns. None: last known values.
    pub history: Option<i64>,
    /// The width of a pixel where `points` was given, ns.
    pub column_ns: Option<i64>,
    pub max_hz: f64,
}

impl Wish {
    /// Nanoseconds between two frames.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "max_hz is within limits::MAX_HZ: at most 10 s")]
    pub fn interval_ns(&self) -> u64 {
        (1e9 / self.max_hz).ceil() as u64
    }
}

/// A message that is refused. The connection stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The subscription it spoke of, where that could be read.
    pub id: Option<String>,
    pub code: &'static str,
    pub message: String,
    pub hint: Option<String>,
}

impl Refused {
    pub(super) fn new(id: Option<&str>, code: &'static str, message: impl Into<String>) -> Self {
        Self { id: id.map(str::to_owned), code, message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

const BAD_PARAMETER: &str = "bad_parameter";
const TYPES: &str = "\"subscribe\", \"unsubscribe\" or \"ping\"";
const KEYS: &[&str] = &["type", "id", "select", "history", "max_hz", "points", "cursor"];

pub fn parse_json(text: &str) -> Result<ClientMessage, Refused> {
    let mut raw = Raw::default();
    let mut json = serde_json::Deserializer::from_str(text);
    match json.deserialize_map(RawVisitor(&mut raw)).and_then(|()| json.end()) {
        Ok(()) => raw.check(),
        Err(error) => Err(raw.unreadable(&error)),
    }
}

pub fn parse_msgpack(bytes: &[u8]) -> Result<ClientMessage, Refused> {
    let mut raw = Raw::default();
    let mut rest = bytes;
    match rmp_serde::Deserializer::new(&mut rest).deserialize_map(RawVisitor(&mut raw)) {
        Ok(()) if !rest.is_empty() => {
            Err(Refused::new(None, BAD_PARAMETER, format!("{} bytes follow the message; one frame holds one map", rest.len())))
        }
        Ok(()) => raw.check(),
        Err(error) => Err(raw.unreadable(&error)),
    }
}

/// A subscribe whose parts came in a query string; the same rules.
pub fn subscribe(
    id: &str,
    select: Vec<String>,
    history: Option<String>,
    max_hz: Option<f64>,
    points: Option<u64>,
    cursor: Option<String>,
) -> Result<Subscribe, Refused> {
    let (id, select) = (Some(id.to_owned()), Some(select));
    Raw { id, select, history, max_hz, points, cursor, ..Raw::default() }.subscribe()
}

/// The message's keys as they came. Unknown keys are kept by name only, so that the refusal can still carry the id.
#[derive(Debug, Default)]
struct Raw {
    kind: Option<String>,
    id: Option<String>,
    select: Option<Vec<String>>,
    history: Option<String>,
    max_hz: Option<f64>,
    points: Option<u64>,
    cursor: Option<String>,
    unknown: Option<String>,
}

/// Fills the message in place: what was read before a fault stays, so that the refusal can name the subscription.
struct RawVisitor<'a>(&'a mut Raw);

impl<'de> Visitor<'de> for RawVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map with the key `type`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let raw = self.0;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "type" => once(&mut raw.kind, &key, &mut map)?,
                "id" => once(&mut raw.id, &key, &mut map)?,
                "select" => once(&mut raw.select, &key, &mut map)?,
                "history" => once(&mut raw.history, &key, &mut map)?,
                "max_hz" => once(&mut raw.max_hz, &key, &mut map)?,
                "points" => once(&mut raw.points, &key, &mut map)?,
                "cursor" => once(&mut raw.cursor, &key, &mut map)?,
                _ => {
                    // Its value is skipped only when it is flat: what nests is an error of the reader, never followed.
                    map.next_value::<Flat>().map_err(|e| de::Error::custom(format!("unknown key `{key}`, and {e}")))?;
                    raw.unknown.get_or_insert(key);
                }
            }
        }
        Ok(())
    }
}

/// Null is the same as an absent key: scripts write `cursor: null` the first time.
fn once<'de, T: Deserialize<'de>, A: MapAccess<'de>>(slot: &mut Option<T>, key: &str, map: &mut A) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(de::Error::custom(format!("key `{key}` stands there twice")));
    }
    *slot = map.next_value::<Option<T>>().map_err(|error| de::Error::custom(format!("key `{key}`: {error}")))?;
    Ok(())
}

/// The value of an unknown key: read and forgotten.
struct Flat;

impl<'de> Deserialize<'de> for Flat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlatVisitor;
        impl Visitor<'_> for FlatVisitor {
            type Value = Flat;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a plain value")
            }
            fn visit_bool<E>(self, _: bool) -> Result<Flat, E> {
                Ok(Flat)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Flat, E> {
                Ok(Flat)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Flat, E> {
                Ok(Flat)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Flat, E> {
                Ok(Flat)
            }
            fn visit_str<E>(self, _: &str) -> Result<Flat, E> {
                Ok(Flat)
            }
            fn visit_bytes<E>(self, _: &[u8]) -> Result<Flat, E> {
                Ok(Flat)
            }
            fn visit_unit<E>(self) -> Result<Flat, E> {
                Ok(Flat)
            }
        }
        deserializer.deserialize_any(FlatVisitor)
    }
}

impl Raw {
    /// Whoever asked waits for the answer to its id; an id that stands after the fault was not read.
    fn unreadable(self, error: &dyn fmt::Display) -> Refused {
        let id = checked_id(self.id).ok();
        Refused::new(id.as_deref(), BAD_PARAMETER, format!("cannot read the message: {error}"))
    }

    fn check(self) -> Result<ClientMessage, Refused> {
        let id = self.id.as_deref();
        let refuse = |message: String| Refused::new(id, BAD_PARAMETER, message);
        if let Some(key) = &self.unknown {
            let refused = refuse(format!("unknown key `{key}`"));
            return Err(match nearest(key, KEYS) {
                Some(known) => refused.hint(format!("did you mean `{known}`?")),
                None => refused.hint(format!("known keys: {}", KEYS.join(", "))),
            });
        }
        match self.kind.as_deref() {
            Some("subscribe") => self.subscribe().map(ClientMessage::Subscribe),
            Some("unsubscribe") => {
                let id = checked_id(self.id)?;
                Ok(ClientMessage::Unsubscribe { id })
            }
            Some("ping") => Ok(ClientMessage::Ping),
            Some(other) => Err(refuse(format!("unknown type {other:?}; expected {TYPES}"))),
            None => Err(refuse(format!("the key `type` is missing; expected {TYPES}"))),
        }
    }

    fn subscribe(self) -> Result<Subscribe, Refused> {
        let id = checked_id(self.id)?;
        let refuse = |message: String| Refused::new(Some(&id), BAD_PARAMETER, message);
        let texts = self.select.unwrap_or_default();
        if texts.is_empty() {
            return Err(refuse("`select` is missing or empty; expected a list of selectors such as \"*/*\"".to_owned()));
        }
        if texts.len() > SELECTORS {
            return Err(refuse(format!("`select` holds {} selectors, more than {SELECTORS}", texts.len())));
        }
        let mut select = Vec::with_capacity(texts.len());
        for text in &texts {
            let parsed = Selector::parse(text);
            select.push(parsed.map_err(|error| Refused { hint: error.hint, ..Refused::new(Some(&id), "bad_selector", error.message) })?);
        }
        let history = match self.history.as_deref().map(|text| parse_duration("history", text)) {
            Some(Ok(0)) => return Err(refuse("`history` is 0; expected a length of time such as 15m, or no `history`".to_owned())),
            Some(Ok(ns)) => Some(ns),
            Some(Err(error)) => return Err(Refused { hint: error.hint, ..Refused::new(Some(&id), error.code.as_str(), error.message) }),
            None => None,
        };
        let (min, max, default) = MAX_HZ;
        let max_hz = self.max_hz.unwrap_or(default);
        if !(min..=max).contains(&max_hz) {
            return Err(refuse(format!("`max_hz` is {max_hz}; expected {min} to {max}")));
        }
        let column_ns = match (self.points.map(u32::try_from), history) {
            (Some(_), None) => return Err(refuse("`points` needs `history`: without it there is nothing to thin".to_owned())),
            (Some(Ok(columns @ 1..=LIVE_COLUMNS)), Some(history)) => Some(width_of(history, columns)),
            (Some(_), Some(_)) => {
                let points = self.points.unwrap_or_default();
                return Err(refuse(format!("`points` is {points}; expected 1 to {LIVE_COLUMNS}, the pixels that the history is drawn on")));
            }
            (None, _) => None,
        };
        let cursor =
            self.cursor.as_deref().map(|text| Cursor::parse(text).unwrap_or(Cursor { epoch: 0, position: NEVER, attributes: None }));
        Ok(Subscribe { wish: Wish { id, select, history, column_ns, max_hz }, cursor })
    }
}

/// Rounded up, so that there are never more columns than pixels but for the one that is cut at the start.
fn width_of(history: i64, columns: u32) -> i64 {
    let columns = i64::from(columns);
    (history / columns + i64::from(history % columns > 0)).max(1)
}

/// The place of a cursor that cannot be read: ahead of every commit, so it is answered like one of another epoch.
const NEVER: crate::model::Position = crate::model::Position(u64::MAX);

fn checked_id(id: Option<String>) -> Result<String, Refused> {
    match id {
        None => {
            Err(Refused::new(None, BAD_PARAMETER, "the key `id` is missing; expected a text of your choice that names the subscription"))
        }
        Some(id) if id.is_empty() || id.len() > SUBSCRIPTION_ID_BYTES => {
            let message = format!("`id` holds {} bytes; expected 1 to {SUBSCRIPTION_ID_BYTES}", id.len());
            Err(Refused::new(None, BAD_PARAMETER, message))
        }
        Some(id) => Ok(id),
    }
}

/// The known word that `word` most likely meant.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known.iter().map(|k| (strsim::osa_distance(word, k), *k)).filter(|(distance, _)| *distance <= 2).min().map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Position;

    fn check(text: &str) -> Result<ClientMessage, Refused> {
        let json = parse_json(text);
        // The same message as MessagePack means the same, where JSON can be read at all.
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(text) {
            let packed = rmp_serde::to_vec(&value).unwrap();
            match (&json, parse_msgpack(&packed)) {
                (Ok(a), Ok(b)) => assert_eq!(*a, b, "{text}"),
                (Err(a), Err(b)) => assert_eq!((&a.id, a.code), (&b.id, b.code), "{text}"),
                (a, b) => panic!("{text}: json {a:?}, msgpack {b:?}"),
            }
        }
        json
    }

    #[test]
    fn a_full_subscribe_is_read() {
        let text = r#"{"type":"subscribe","id":"a","select":["*/temp","x/*"],"history":"15m","max_hz":2.5,"cursor":"00000000000000ff-1f"}"#;
        let Ok(ClientMessage::Subscribe(subscribe)) = check(text) else { panic!("{:?}", check(text)) };
        assert_eq!(subscribe.cursor, Some(Cursor { epoch: 255, position: Position(31), attributes: None }));
        assert_eq!(subscribe.wish.history, Some(900_000_000_000));
        assert_eq!(subscribe.wish.select.len(), 2);
        assert_eq!(subscribe.wish.interval_ns(), 400_000_000);
        assert_eq!(check(r#"{"type":"unsubscribe","id":"a"}"#), Ok(ClientMessage::Unsubscribe { id: "a".into() }));
        assert_eq!(check(r#"{"type":"ping"}"#), Ok(ClientMessage::Ping));
        let Ok(ClientMessage::Subscribe(bare)) = check(r#"{"type":"subscribe","id":"a","select":["*/*"],"cursor":null,"max_hz":10}"#)
        else {
            panic!("a null cursor is no cursor");
        };
        assert_eq!((bare.cursor, bare.wish.max_hz, bare.wish.history), (None, 10.0, None));
    }

    #[test]
    fn refusals_name_the_key_the_value_and_what_was_expected() {
        let with = |rest: &str| format!(r#"{{"type":"subscribe","id":"a","select":["*/*"]{rest}}}"#);
        let rows: &[(String, &str, &str)] = &[
            (with(r#","histroy":"1m""#), "bad_parameter", "unknown key `histroy` did you mean `history`?"),
            (with(r#","history":"15""#), "bad_parameter", "history=15"),
            (with(r#","history":"0s""#), "bad_parameter", "`history` is 0"),
            (with(r#","history":"99999999999999d""#), "bad_parameter", "history="),
            (with(r#","max_hz":0.05"#), "bad_parameter", "`max_hz` is 0.05; expected 0.1 to 60"),
            (with(r#","max_hz":61"#), "bad_parameter", "`max_hz` is 61"),
            (with(r#","points":100"#), "bad_parameter", "`points` needs `history`"),
            (with(r#","points":0,"history":"1m""#), "bad_parameter", "`points` is 0; expected 1 to 20000"),
            (with(r#","points":20001,"history":"1m""#), "bad_parameter", "`points` is 20001"),
            (with(r#","points":5000000000,"history":"1m""#), "bad_parameter", "`points` is 5000000000"),
            (with(r#","points":"many","history":"1m""#), "bad_parameter", "key `points`"),
            (with(r#","id":"b""#), "bad_parameter", "key `id` stands there twice"),
            (r#"{"type":"subscribe","id":"a","select":["nothing"]}"#.into(), "bad_selector", "nothing/*"),
            (r#"{"type":"subscribe","id":"a","select":[]}"#.into(), "bad_parameter", "`select` is missing or empty"),
            (r#"{"type":"subscribe","select":["*/*"]}"#.into(), "bad_parameter", "`id` is missing"),
            (r#"{"type":"subscribe","id":"","select":["*/*"]}"#.into(), "bad_parameter", "`id` holds 0 bytes"),
            (r#"{"type":"watch","id":"a"}"#.into(), "bad_parameter", "unknown type \"watch\""),
            (r#"{"id":"a"}"#.into(), "bad_parameter", "`type` is missing"),
            ("[1]".into(), "bad_parameter", "a map with the key `type`"),
            ("{".into(), "bad_parameter", "cannot read the message"),
            (with(r#","x":[[[1]]]"#), "bad_parameter", "unknown key `x`"),
        ];
        for (text, code, expected) in rows {
            let refused = if text.contains(r#","id":"b""#) { parse_json(text) } else { check(text) }.expect_err(text);
            let said = format!("{} {}", refused.message, refused.hint.as_deref().unwrap_or_default());
            assert_eq!(refused.code, *code, "{text}");
            assert!(said.contains(expected), "{text}: {said}");
        }
        for text in [with(r#","max_hz":0"#), with(r#","points":"many""#), r#"{"type":"subscribe","id":"a","select":"*/*"}"#.into()] {
            assert_eq!(check(&text).unwrap_err().id.as_deref(), Some("a"), "{text}");
        }
        assert_eq!(check(r#"{"type":"subscribe","id":5,"select":["*/*"]}"#).unwrap_err().id, None);
    }

    #[test]
    fn a_cursor_that_no_hub_wrote_asks_for_a_full_snapshot() {
        let Ok(ClientMessage::Subscribe(s)) = check(r#"{"type":"subscribe","id":"a","select":["*/*"],"cursor":"yesterday"}"#) else {
            panic!("it is not refused");
        };
        assert_eq!(s.cursor.unwrap().position, NEVER);
    }

    #[test]
    fn deep_nesting_is_refused_without_being_followed() {
        let mut deep = vec![0x81, 0xa1, b'x'];
        deep.extend(std::iter::repeat_n(0x91, 60_000));
        assert_eq!(parse_msgpack(&deep).unwrap_err().code, "bad_parameter");
        let text = format!(r#"{{"x":{}"#, "[".repeat(60_000));
        assert_eq!(parse_json(&text).unwrap_err().code, "bad_parameter");
    }
}
