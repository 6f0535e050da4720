//! The keys of one map of a plain frame, in any order, and what a reading or a row says with them.

use telltale_wire::RowCode;

use super::Names;
use super::msgpack::{Cursor, Field, Malformed, Token};
use crate::ingest::forms::{self, FormLimits, shown};
use crate::ingest::mapping::fits;
use crate::ingest::session::{Deciding, Meta, Session, When};
use crate::ingest::{Refusal, times};
use crate::keyed::KeyedMap;
use crate::model::{Kind, Value, ValueType};
use crate::series::KeyRef;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Key {
    Device,
    Metric,
    Value,
    Time,
    Labels,
    Unit,
    Kind,
    Values,
    Units,
    Name,
    Tags,
    Fields,
}

const KEYS: usize = 12;
const NAMES: [&str; KEYS] = ["device", "metric", "value", "time", "labels", "unit", "kind", "values", "units", "name", "tags", "fields"];
const ALL: [Key; KEYS] = [
    Key::Device,
    Key::Metric,
    Key::Value,
    Key::Time,
    Key::Labels,
    Key::Unit,
    Key::Kind,
    Key::Values,
    Key::Units,
    Key::Name,
    Key::Tags,
    Key::Fields,
];

/// What a map is, by the keys it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Reading,
    Row,
    Telegraf,
}

impl Shape {
    fn keys(self) -> &'static [Key] {
        match self {
            Self::Reading => &[Key::Device, Key::Metric, Key::Value, Key::Time, Key::Labels, Key::Unit, Key::Kind],
            Self::Row => &[Key::Device, Key::Time, Key::Labels, Key::Values, Key::Units],
            Self::Telegraf => &[Key::Name, Key::Time, Key::Tags, Key::Fields],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Reading => "a reading",
            Self::Row => "a row",
            Self::Telegraf => "a Telegraf metric",
        }
    }
}

/// One map, its values not yet looked into.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    fields: [Option<Field<'a>>; KEYS],
    stray: Option<Stray<'a>>,
}

#[derive(Clone, Copy, Debug)]
enum Stray<'a> {
    Unknown(Token<'a>),
    Twice(Key),
}

impl<'a> Parts<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>, pairs: u32, depth: usize) -> Result<Self, Malformed> {
        let mut parts = Self { fields: [None; KEYS], stray: None };
        for _ in 0..pairs {
            let key = cursor.field(depth + 1)?.token;
            let field = cursor.field(depth + 1)?;
            let stray = match key_of(key) {
                Some(key) => parts.fields[key as usize].replace(field).map(|_| Stray::Twice(key)),
                None => Some(Stray::Unknown(key)),
            };
            parts.stray = parts.stray.or(stray);
        }
        Ok(parts)
    }

    pub(super) fn shape(&self) -> Shape {
        let has = |key| self.field(key).is_some();
        let ours = has(Key::Device) || has(Key::Metric) || has(Key::Value) || has(Key::Values);
        if has(Key::Fields) || (!ours && (has(Key::Name) || has(Key::Tags))) {
            Shape::Telegraf
        } else if has(Key::Values) || has(Key::Units) {
            Shape::Row
        } else {
            Shape::Reading
        }
    }

    pub(super) fn field(&self, key: Key) -> Option<Field<'a>> {
        self.fields[key as usize]
    }

    /// The bytes of a text, for refusals; empty when it is absent or no text.
    pub(super) fn raw(&self, key: Key) -> &'a [u8] {
        match self.field(key) {
            Some(Field { token: Token::Text(bytes), .. }) => bytes,
            _ => &[],
        }
    }

    /// Refuses keys that are not of this shape, naming the nearest that is.
    pub(super) fn only(&self, shape: Shape) -> Result<(), Refusal> {
        let known = shape.keys();
        let stray = self.stray.or_else(|| {
            let foreign = ALL.into_iter().find(|key| self.field(*key).is_some() && !known.contains(key))?;
            Some(Stray::Unknown(Token::Text(NAMES[foreign as usize].as_bytes())))
        });
        let message = match stray {
            None => return Ok(()),
            Some(Stray::Twice(key)) => format!("key `{}` is given twice", NAMES[key as usize]),
            Some(Stray::Unknown(Token::Text(name))) => {
                let name = shown(name);
                let nearest = known.iter().map(|key| NAMES[*key as usize]).max_by(|a, b| {
                    let near = |known| strsim::jaro_winkler(&name, known);
                    near(a).total_cmp(&near(b))
                });
                format!("unknown key `{name}` in {}; the nearest known one is `{}`", shape.name(), nearest.unwrap_or_default())
            }
            Some(Stray::Unknown(key)) => format!("a key that is {}, expected text", key.name()),
        };
        Err(Refusal::new(RowCode::UnknownField, message))
    }
}

#[inline]
fn key_of(token: Token<'_>) -> Option<Key> {
    let Token::Text(name) = token else {
        return None;
    };
    Some(match name {
        b"device" => Key::Device,
        b"metric" => Key::Metric,
        b"value" => Key::Value,
        b"time" => Key::Time,
        b"labels" => Key::Labels,
        b"unit" => Key::Unit,
        b"kind" => Key::Kind,
        b"values" => Key::Values,
        b"units" => Key::Units,
        b"name" => Key::Name,
        b"tags" => Key::Tags,
        b"fields" => Key::Fields,
        _ => return None,
    })
}

/// `{device, metric, value, time?, labels?, unit?, kind?}`
pub(super) fn reading(session: &mut Session, names: &mut Names, batch: &mut Deciding, index: u32, parts: &Parts<'_>) {
    let forms = session.door().forms;
    let decided = parts.only(Shape::Reading).and_then(|()| {
        let device = text(parts, Key::Device)?;
        let metric = text(parts, Key::Metric)?;
        let value = session.keeps(value(parts.field(Key::Value), &forms)?)?;
        let when = time(session, parts)?;
        let meta = Meta { unit: unit(parts.field(Key::Unit), &forms)?, kind: kind(parts, value.value_type())? };
        let labels = Entries::of(parts, Key::Labels, RowCode::BadLabel)?;
        names.begin(b'r', device, labels);
        let met = names.series(session, metric, |session, raw| meet(session, raw, device, metric, labels))?;
        session.take(batch, index, met, when, value, meta)
    });
    if let Err(refusal) = decided {
        let metric = parts.field(Key::Metric).map(|_| parts.raw(Key::Metric));
        batch.refuse(index, parts.raw(Key::Device), metric, refusal);
    }
}

/// `{device, time?, labels?, values: {metric: value, …}, units?: {metric: unit}}`
pub(super) fn row(session: &mut Session, names: &mut Names, batch: &mut Deciding, index: u32, parts: &Parts<'_>) {
    let forms = session.door().forms;
    let whole = parts.only(Shape::Row).and_then(|()| {
        let device = text(parts, Key::Device)?;
        let when = time(session, parts)?;
        let labels = Entries::of(parts, Key::Labels, RowCode::BadLabel)?;
        let units = Entries::of(parts, Key::Units, RowCode::BadMetric)?;
        // By name, since a row may hold many: looking each up by walking would take the square of the time.
        let units: KeyedMap<&[u8], Field<'_>> =
            units.into_iter().filter_map(|(name, unit)| if let Token::Text(name) = name { Some((name, unit)) } else { None }).collect();
        Ok((device, when, labels, units))
    });
    let device_raw = parts.raw(Key::Device);
    let values = match Entries::of(parts, Key::Values, RowCode::BadValue) {
        Ok(values) if parts.field(Key::Values).is_some() => values,
        not_a_map => {
            let missing = || Refusal::new(RowCode::BadValue, "the row has no `values`");
            batch.refuse(index, device_raw, None, whole.err().or(not_a_map.err()).unwrap_or_else(missing));
            return;
        }
    };
    if let Ok((device, _, labels, _)) = &whole {
        names.begin(b'r', device, *labels);
    }
    let mut shared = None;
    for (metric, field) in values {
        let decided = whole.as_ref().map_err(Clone::clone).and_then(|(device, when, labels, units)| {
            let metric = text_of(metric, "a metric name", RowCode::BadMetric)?;
            let value = session.keeps(value(Some(field), &forms)?)?;
            let meta = Meta { unit: unit(units.get(metric).copied(), &forms)?, kind: None };
            let met = names.series(session, metric, |session, raw| {
                let metric = utf8(metric, "the metric name", RowCode::BadMetric)?;
                match shared.get_or_insert_with(|| share(session, device, *labels)) {
                    Ok((device, labels)) => session.meet_checked(raw, KeyRef { device, metric, labels }, None),
                    Err(refusal) => Err(refusal.clone()),
                }
            })?;
            session.take(batch, index, met, *when, value, meta)
        });
        if let Err(refusal) = decided {
            let name = if let Token::Text(name) = metric { name } else { &[] };
            batch.refuse(index, device_raw, Some(name), refusal);
        }
    }
}

/// The pairs of a map that a survey has checked; nothing where the map is absent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entries<'a> {
    pub(super) raw: &'a [u8],
}

impl<'a> Entries<'a> {
    pub(super) fn of(parts: &Parts<'a>, key: Key, code: RowCode) -> Result<Self, Refusal> {
        match parts.field(key) {
            None | Some(Field { token: Token::Nil, .. }) => Ok(Self::default()),
            Some(Field { token: Token::Map(_), body }) => Ok(Self { raw: body }),
            Some(field) => Err(Refusal::new(code, format!("`{}` is {}, expected a map", NAMES[key as usize], field.token.name()))),
        }
    }

    /// All pairs as texts. Empty values mean absent and are left out, so that their number is bounded by what is kept.
    pub(super) fn texts(self, forms: &FormLimits) -> Result<Vec<(&'a str, &'a str)>, Refusal> {
        let mut texts = Vec::new();
        let mut present = 0;
        for (name, value) in self {
            let name = utf8(text_of(name, "a label name", RowCode::BadLabel)?, "a label name", RowCode::BadLabel)?;
            let Token::Text(value) = value.token else {
                let message = format!("label `{}` is {}, expected text", shown(name.as_bytes()), value.token.name());
                return Err(Refusal::new(RowCode::BadLabel, message));
            };
            let value = utf8(value, "a label value", RowCode::BadLabel)?;
            if value.is_empty() {
                continue;
            }
            present += 1;
            if present <= forms.labels {
                texts.push((name, value));
            }
        }
        if present > forms.labels { Err(forms::too_many_labels(present, forms.labels)) } else { Ok(texts) }
    }
}

impl<'a> IntoIterator for Entries<'a> {
    type Item = (Token<'a>, Field<'a>);
    type IntoIter = Pairs<'a>;

    fn into_iter(self) -> Pairs<'a> {
        Pairs(Cursor::new(self.raw))
    }
}

#[derive(Debug)]
pub(super) struct Pairs<'a>(Cursor<'a>);

impl<'a> Iterator for Pairs<'a> {
    type Item = (Token<'a>, Field<'a>);

    /// The survey went over these bytes, so they end where a pair ends.
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_at_end() {
            return None;
        }
        Some((self.0.field(0).ok()?.token, self.0.field(0).ok()?))
    }
}

type Shared<'a> = (&'a str, Vec<(&'a str, &'a str)>);

/// Device and labels of a row, judged once for all of its values.
fn share<'a>(session: &Session, device: &'a [u8], labels: Entries<'a>) -> Result<Shared<'a>, Refusal> {
    let labels = labels.texts(&session.door().forms)?;
    let device = utf8(device, "the device id", RowCode::BadDevice)?;
    session.check(device, &labels)?;
    Ok((device, labels))
}

fn meet(
    session: &mut Session,
    raw: &[u8],
    device: &[u8],
    metric: &[u8],
    labels: Entries<'_>,
) -> Result<crate::ingest::session::Known, Refusal> {
    let labels = labels.texts(&session.door().forms)?;
    let device = utf8(device, "the device id", RowCode::BadDevice)?;
    let metric = utf8(metric, "the metric name", RowCode::BadMetric)?;
    session.meet(raw, KeyRef { device, metric, labels: &labels }, None)
}

fn text<'a>(parts: &Parts<'a>, key: Key) -> Result<&'a [u8], Refusal> {
    let (what, absent, wrong) = match key {
        Key::Device => ("`device`", RowCode::NoDevice, RowCode::BadDevice),
        _ => ("`metric`", RowCode::BadMetric, RowCode::BadMetric),
    };
    match parts.field(key) {
        None => Err(Refusal::new(absent, format!("{what} is missing"))),
        Some(field) => text_of(field.token, what, wrong),
    }
}

fn text_of<'a>(token: Token<'a>, what: &str, code: RowCode) -> Result<&'a [u8], Refusal> {
    match token {
        Token::Text(bytes) => Ok(bytes),
        other => Err(Refusal::new(code, format!("{what} is {}, expected text", other.name()))),
    }
}

pub(super) fn utf8<'a>(bytes: &'a [u8], what: &str, code: RowCode) -> Result<&'a str, Refusal> {
    std::str::from_utf8(bytes).map_err(|_| Refusal::new(code, format!("{what} `{}` is not UTF-8", shown(bytes))))
}

pub(super) fn time(session: &Session, parts: &Parts<'_>) -> Result<When, Refusal> {
    let time = match parts.field(Key::Time).map(|field| field.token) {
        None => return Ok(When::Untold),
        Some(Token::Int(ns)) => ns,
        // Beyond the year 2262: later than anything that is taken.
        Some(Token::Big(_)) => i64::MAX,
        Some(Token::Ext(-1, bytes)) => times::from_timestamp(bytes)?,
        Some(Token::Text(text)) => times::from_text(text)?,
        Some(other) => {
            let expected = "an integer of nanoseconds, RFC 3339 text or a MessagePack timestamp";
            return Err(times::bad(format!("time is {}, expected {expected}", other.name())));
        }
    };
    session.when(Some(time))
}

#[inline]
pub(super) fn value(field: Option<Field<'_>>, forms: &FormLimits) -> Result<Value, Refusal> {
    match field.map(|field| field.token) {
        Some(Token::Int(n)) => Ok(Value::Int(n)),
        Some(Token::Float(f)) if f.is_finite() => Ok(Value::Float(f)),
        Some(Token::Float(f)) => Err(Refusal::new(RowCode::NotFinite, format!("value {f}, expected a finite number"))),
        Some(Token::Bool(b)) => Ok(Value::Bool(b)),
        Some(Token::Big(n)) => Err(Refusal::new(RowCode::ValueRange, format!("integer {n} is beyond {}", i64::MAX))),
        Some(Token::Text(bytes)) => {
            forms.text(bytes.len())?;
            Ok(Value::Text(utf8(bytes, "the text", RowCode::BadValue)?.into()))
        }
        Some(other) => Err(Refusal::new(RowCode::BadValue, format!("the value is {}, expected number, bool or text", other.name()))),
        None => Err(Refusal::new(RowCode::BadValue, "`value` is missing")),
    }
}

fn unit<'a>(field: Option<Field<'a>>, forms: &FormLimits) -> Result<Option<&'a str>, Refusal> {
    let Some(field) = field.filter(|field| field.token != Token::Nil) else {
        return Ok(None);
    };
    let unit = utf8(text_of(field.token, "the unit", RowCode::BadMetric)?, "the unit", RowCode::BadMetric)?;
    forms.unit(unit)?;
    Ok(Some(unit))
}

fn kind(parts: &Parts<'_>, value_type: ValueType) -> Result<Option<Kind>, Refusal> {
    const EXPECTED: &str = "one of gauge, counter, state, text";
    let Some(field) = parts.field(Key::Kind).filter(|field| field.token != Token::Nil) else {
        return Ok(None);
    };
    let text = text_of(field.token, "the kind", RowCode::BadKind)?;
    let kind = std::str::from_utf8(text).ok().and_then(Kind::parse);
    let kind = kind.ok_or_else(|| Refusal::new(RowCode::BadKind, format!("kind `{}`, expected {EXPECTED}", shown(text))))?;
    if !fits(kind, value_type) {
        let message = format!("kind `{}` does not fit a {} value", kind.as_str(), value_type.as_str());
        return Err(Refusal::new(RowCode::BadKind, message));
    }
    Ok(Some(kind))
}
