//! Define: the agent gives short numbers (aliases) to series, for this connection. Batches then carry the number alone.

use crate::error::WireError;
use crate::frame::tag;
use crate::hello::{put_pairs, read_pairs};
use crate::limits::Limits;
use crate::reader::{Reader, put_text};
use crate::varint;

/// Which of the three a series holds; fixed by its first reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ValueType {
    Number = 1,
    Bool = 2,
    Text = 3,
}

/// What the values of a series mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    Gauge = 1,
    Counter = 2,
    State = 3,
    Text = 4,
}

impl Kind {
    pub const ALL: &'static [Self] = &[Self::Gauge, Self::Counter, Self::State, Self::Text];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::State => "state",
            Self::Text => "text",
        }
    }

    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

impl ValueType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Text => "text",
        }
    }
}

/// One alias and the series it stands for. A later definition of the same alias replaces it for the frames that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition<'a> {
    pub alias: u32,
    pub device: &'a str,
    pub metric: &'a str,
    /// By name, ascending, each name once; [`Definition::labels_ascend`] tells. The names themselves are judged by the hub.
    pub labels: Vec<(&'a str, &'a str)>,
    pub value_type: ValueType,
    /// `None` leaves the series' unit as it is.
    pub unit: Option<&'a str>,
    /// `None` leaves the series' kind as it is.
    pub kind: Option<Kind>,
}

impl<'a> Definition<'a> {
    pub fn labels_ascend(&self) -> bool {
        self.labels.windows(2).all(|pair| matches!(pair, [(first, _), (second, _)] if first < second))
    }

    fn put(&self, out: &mut Vec<u8>) {
        varint::put(out, u64::from(self.alias));
        put_text(out, self.device);
        put_text(out, self.metric);
        put_pairs(out, &self.labels);
        out.push(self.value_type as u8);
        out.push(self.kind.map_or(0, |kind| kind as u8));
        out.push(u8::from(self.unit.is_some()));
        if let Some(unit) = self.unit {
            put_text(out, unit);
        }
    }

    fn read(reader: &mut Reader<'a>, limits: &Limits) -> Result<Self, WireError> {
        let alias = reader.varint_u32("define.alias")?;
        if alias >= limits.aliases {
            // The message counts aliases, since that is what the limit bounds.
            return Err(WireError::over_frame("aliases", u64::from(alias) + 1, limits.aliases));
        }
        Ok(Self {
            alias,
            device: reader.text("define.device")?,
            metric: reader.text("define.metric")?,
            labels: read_pairs(reader, "define.labels")?,
            value_type: read_value_type(reader)?,
            kind: read_kind(reader)?,
            unit: read_unit(reader)?,
        })
    }
}

fn read_value_type(reader: &mut Reader<'_>) -> Result<ValueType, WireError> {
    let at = reader.at();
    match reader.u8("define.value_type")? {
        1 => Ok(ValueType::Number),
        2 => Ok(ValueType::Bool),
        3 => Ok(ValueType::Text),
        found => Err(WireError::BadValue {
            part: "define.value_type",
            at,
            found: u64::from(found),
            expected: "1 (number), 2 (bool) or 3 (text)",
        }),
    }
}

fn read_kind(reader: &mut Reader<'_>) -> Result<Option<Kind>, WireError> {
    let at = reader.at();
    match reader.u8("define.kind")? {
        0 => Ok(None),
        1 => Ok(Some(Kind::Gauge)),
        2 => Ok(Some(Kind::Counter)),
        3 => Ok(Some(Kind::State)),
        4 => Ok(Some(Kind::Text)),
        found => Err(WireError::BadValue {
            part: "define.kind",
            at,
            found: u64::from(found),
            expected: "0 (none), 1 (gauge), 2 (counter), 3 (state) or 4 (text)",
        }),
    }
}

fn read_unit<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a str>, WireError> {
    let at = reader.at();
    match reader.u8("define.unit")? {
        0 => Ok(None),
        1 => reader.text("define.unit").map(Some),
        found => Err(WireError::BadValue { part: "define.unit", at, found: u64::from(found), expected: "0 (none) or 1 (a text follows)" }),
    }
}

/// Bytes that the shortest definition takes.
const DEFINITION_BYTES_MIN: u64 = 7;

/// Writes one define frame. The caller splits what would pass the frame limit.
pub fn encode_define(definitions: &[Definition<'_>], out: &mut Vec<u8>) {
    out.push(tag::DEFINE);
    varint::put(out, definitions.len() as u64);
    for definition in definitions {
        definition.put(out);
    }
}

/// A define frame whose form was checked; the definitions are read again as they are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Define<'a> {
    count: usize,
    reader: Reader<'a>,
    limits: Limits,
}

impl<'a> Define<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>, limits: &Limits) -> Result<Self, WireError> {
        let count = reader.count("define.count", DEFINITION_BYTES_MIN)?;
        let define = Self { count, reader: *reader, limits: *limits };
        for _ in 0..count {
            Definition::read(reader, limits)?;
        }
        reader.end("define")?;
        Ok(define)
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn definitions(&self) -> impl Iterator<Item = Definition<'a>> + use<'a> {
        let Self { count, mut reader, limits } = *self;
        (0..count).map(move |_| Definition::read(&mut reader, &limits).expect("the same bytes were read when the frame was checked"))
    }
}
