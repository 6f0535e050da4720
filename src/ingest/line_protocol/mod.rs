//! Line protocol (contract, "Telegraf and line protocol map to"): what Telegraf, client libraries and scripts send to InfluxDB, by
//! `src/http/write.rs`. Lines are decided one by one, borrowed from the body; a line that is not well-formed is refused whole, and
//! the others are not.
//!
//! Invariants: no I/O, no clock. A field of a series met before costs one hash and no allocation.

mod exported;
mod parse;
pub mod senders;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use telltale_wire::{FrameCode, RowCode};

use self::parse::{Field, Given, Line};
use super::forms::{FormLimits, shown};
use super::session::{Deciding, Known, Meta, Session, When};
use super::shared::{Shared, WouldBe};
use super::{Refusal, times};
use crate::clock::NS_PER_SEC;
use crate::model::Value;

/// What the integers of a body count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precision {
    ns: i64,
}

impl Precision {
    pub const EXPECTED: &'static str = "ns, us, ms, s, m, h";

    /// By the names of both versions of the API.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let ns = match text {
            "" | "ns" | "n" => 1,
            "us" | "u" | "µ" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => NS_PER_SEC,
            "m" => 60 * NS_PER_SEC,
            "h" => 3600 * NS_PER_SEC,
            _ => return None,
        };
        Some(Self { ns })
    }
}

/// Whose names a body has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// InfluxDB's: they are mapped and made to fit.
    Mapped,
    /// The hub's own, as an export wrote them.
    Exported,
}

/// One body on its way through.
#[derive(Debug)]
pub struct Lines {
    precision: Precision,
    names: Names,
    /// Lines so far: refusals name them, from 1.
    lines: u32,
    malformed: u32,
    first_malformed: Option<u32>,
    fields: Vec<Field>,
    /// The bytes by which a series is known again: its key, a space, its field.
    raw: Vec<u8>,
}

impl Lines {
    #[must_use]
    pub fn new(precision: Precision) -> Self {
        Self::with(Names::Mapped, precision)
    }

    /// What an export wrote: nothing is mapped, so that each reading comes back to its series.
    #[must_use]
    pub fn exported() -> Self {
        Self::with(Names::Exported, Precision { ns: 1 })
    }

    fn with(names: Names, precision: Precision) -> Self {
        Self { precision, names, lines: 0, malformed: 0, first_malformed: None, fields: Vec::new(), raw: Vec::new() }
    }

    /// Lines that were not well-formed, so far.
    #[must_use]
    pub fn malformed(&self) -> u32 {
        self.malformed
    }

    #[must_use]
    pub fn first_malformed(&self) -> Option<u32> {
        self.first_malformed
    }

    /// Decides whole lines until the batch is full. Gives how many bytes they were. A line that does not fit beside the others is left to
    /// the next batch; one that would not fit alone is refused.
    pub fn decide(&mut self, session: &mut Session, batch: &mut Deciding, buf: &[u8], is_last: bool) -> usize {
        let full = session.door().batch_readings;
        let mut at = 0;
        while at < buf.len() && batch.len() < full {
            let Some((line, next)) = parse::line(buf, at, is_last, full, &mut self.fields) else {
                break;
            };
            if !batch.is_empty() && batch.len() + self.fields.len() > full {
                break;
            }
            at = next;
            self.lines += 1;
            match line {
                Line::Blank => {}
                Line::Point { line, key, time } => self.point(session, batch, buf, (line, key, time)),
                Line::Malformed { line, why } => self.refuse_line(batch, line, why),
                Line::Crowded { line } => self.refuse_crowded(batch, line, full),
            }
        }
        at
    }

    /// The words of a frame's code: rows have none for it.
    fn refuse_crowded(&self, batch: &mut Deciding, line: &[u8], most: usize) {
        let (number, code) = (self.lines, FrameCode::LimitBatch);
        let message = format!("line {number}: {code}: more than {most} fields in '{}', the limit is [ingest] batch_readings", shown(line));
        batch.refuse(number, &[], None, Refusal::new(RowCode::BadValue, message));
    }

    fn refuse_line(&mut self, batch: &mut Deciding, line: &[u8], why: &str) {
        self.malformed += 1;
        self.first_malformed.get_or_insert(self.lines);
        let code = if why == "bad timestamp" { RowCode::BadTime } else { RowCode::BadValue };
        batch.refuse(self.lines, &[], None, Refusal::new(code, format!("unable to parse '{}': {why}", shown(line))));
    }

    fn point(&mut self, session: &mut Session, batch: &mut Deciding, buf: &[u8], (line, key, time): (&[u8], &[u8], Option<&[u8]>)) {
        let forms = session.door().forms;
        let when = self.when(session, time);
        let mut fields = std::mem::take(&mut self.fields);
        self.raw.clear();
        if self.names == Names::Exported {
            // No line begins with it: the session may have met the same key as a mapped one.
            self.raw.push(0);
        }
        self.raw.extend_from_slice(key);
        self.raw.push(b' ');
        let head = self.raw.len();
        let (mut names, mut shared, mut would_be) = (None, None, None);
        for Field { key: field, value: given } in fields.drain(..) {
            let field = &buf[field];
            self.raw.truncate(head);
            self.raw.extend_from_slice(field);
            let met = match session.known(&self.raw) {
                Some(known) => Met::Before(known),
                None => match names.get_or_insert_with(|| parse::key(key)) {
                    Ok(names) => Met::Never(names),
                    // Then none of its fields is known.
                    Err(why) => return self.refuse_line(batch, line, why),
                },
            };
            let decided = when.clone().and_then(|when| {
                let value = session.keeps(value(&given, buf, &forms)?)?;
                let known = match met {
                    Met::Before(known) => known,
                    Met::Never(names) if self.names == Names::Exported => exported::meet(session, &self.raw, names, &parse::name(field))?,
                    Met::Never(names) => match shared.get_or_insert_with(|| share(session, names)) {
                        Ok(shared) => {
                            let field = utf8(parse::name(field), "the field", RowCode::BadMetric)?;
                            shared.meet(session, &self.raw, &field)?
                        }
                        Err(refusal) => return Err(refusal.clone()),
                    },
                };
                session.take(batch, self.lines, known, when, value, Meta::default())
            });
            if let Err(refusal) = decided {
                if self.names == Names::Exported {
                    let (device, metric) = exported::told(key);
                    batch.refuse(self.lines, &device, Some(&metric), refusal);
                    continue;
                }
                let (device, metric) = would_be.get_or_insert_with(|| name_refused(session, key)).of_field(&parse::name(field));
                batch.refuse(self.lines, device.as_bytes(), Some(metric.as_bytes()), refusal);
            }
        }
        self.fields = fields;
    }

    fn when(&self, session: &Session, time: Option<&[u8]>) -> Result<When, Refusal> {
        let Some(digits) = time else {
            return session.when(None);
        };
        let count = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<i64>().ok());
        // Beyond i64 it is as far from all that is taken as its ends are.
        let end = if digits.starts_with(b"-") { i64::MIN } else { i64::MAX };
        let time = count.map_or(end, |count| count.saturating_mul(self.precision.ns));
        session.when(Some(time)).map_err(|refusal| match (refusal.code, self.precision.ns) {
            // The sender did not mean nanoseconds, so a guess at what they look like would be of no help.
            (RowCode::BadTime, 2..) => times::bad(format!("time {} in the precision of the request is before 2000", shown(digits))),
            _ => refusal,
        })
    }
}

/// The series of a field, as far as it is known before its value is judged.
enum Met<'a> {
    Before(Known),
    Never(&'a parse::Key<'a>),
}

/// How many bytes are whole lines, and how many lines these are.
#[must_use]
pub fn whole_lines(buf: &[u8]) -> (usize, usize) {
    let (mut at, mut lines, mut fields) = (0, 0, Vec::new());
    while at < buf.len()
        && let Some((_, next)) = parse::line(buf, at, false, usize::MAX, &mut fields)
    {
        (at, lines) = (next, lines + 1);
    }
    (at, lines)
}

fn share(session: &Session, names: &parse::Key<'_>) -> Result<Shared, Refusal> {
    let text = |bytes, what| utf8(bytes, what, RowCode::BadLabel);
    let measurement = utf8(parse::measurement(names.measurement), "the measurement", RowCode::BadMetric)?;
    if names.tags.len() > most_tags(session) {
        return Err(super::forms::too_many_labels(names.tags.len(), session.door().forms.labels));
    }
    let tags = names.tags.iter().map(|(name, value)| Ok((text(parse::name(name), "a tag")?, text(parse::name(value), "a tag value")?)));
    let tags = tags.collect::<Result<Vec<_>, Refusal>>()?;
    let tags: Vec<(&str, &str)> = tags.iter().map(|(name, value)| (&**name, &**value)).collect();
    Shared::of(session, &measurement, &tags)
}

/// The tags that name device and gateway are no labels.
fn most_tags(session: &Session) -> usize {
    session.door().forms.labels + 2
}

fn value(given: &Given, buf: &[u8], forms: &FormLimits) -> Result<Value, Refusal> {
    match given {
        Given::Float(f) if f.is_finite() => Ok(Value::Float(*f)),
        Given::Float(f) => Err(Refusal::new(RowCode::NotFinite, format!("value {f}, expected a finite number"))),
        Given::Int(i) => Ok(Value::Int(*i)),
        Given::Bool(b) => Ok(Value::Bool(*b)),
        Given::Beyond(at) => {
            Err(Refusal::new(RowCode::ValueRange, format!("integer {} is beyond {} bits", shown(&buf[at.clone()]), i64::BITS)))
        }
        Given::Text(at) => {
            let text = parse::text(&buf[at.clone()]);
            forms.text(text.len())?;
            Ok(Value::Text(utf8(text, "the text", RowCode::BadValue)?.as_ref().into()))
        }
    }
}

fn utf8<'a>(bytes: Cow<'a, [u8]>, what: &str, code: RowCode) -> Result<Cow<'a, str>, Refusal> {
    let refused = |bytes: &[u8]| Refusal::new(code, format!("{what} `{}` is not UTF-8", shown(bytes)));
    match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| refused(bytes)),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|error| refused(error.as_bytes())),
    }
}

/// What the refused fields of a line would have been called.
fn name_refused(session: &Session, key: &[u8]) -> WouldBe {
    let lossy = |bytes: Cow<'_, [u8]>| String::from_utf8_lossy(&bytes).into_owned();
    let Ok(names) = parse::key(key) else {
        return WouldBe::of(session, &[], &[]);
    };
    let tags = names.tags.iter().take(most_tags(session));
    let tags: Vec<_> = tags.map(|(name, value)| (lossy(parse::name(name)), lossy(parse::name(value)))).collect();
    let tags: Vec<(&str, &str)> = tags.iter().map(|(name, value)| (&**name, &**value)).collect();
    WouldBe::of(session, &parse::measurement(names.measurement), &tags)
}
