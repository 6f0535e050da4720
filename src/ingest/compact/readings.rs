//! The readings of one batch, column by column. What depends on the series alone is decided once for a column.

use std::sync::Arc;

use telltale_wire::{self as wire, Column, ColumnBuf, RowCode, Value as Sent, Values};

use super::aliases::{Alias, Aliases, Called, Names, names};
use crate::ingest::Refusal;
use crate::ingest::forms::FormLimits;
use crate::ingest::mapping::fits;
use crate::ingest::session::{Deciding, Known, Meta, Session};
use crate::model::{SeriesKey, TimeNs, Value, ValueType};
use crate::series::KeyRef;

/// All of the batch can be decoded, and every alias is defined.
const CHECKED: &str = "the batch was checked before";

pub(super) fn decide(
    session: &mut Session,
    aliases: &mut Aliases,
    agent: &str,
    batch: &wire::Batch<'_>,
    times: &mut Vec<TimeNs>,
    columns: &mut ColumnBuf,
) -> Deciding {
    let mut deciding = session.begin_batch();
    for group in batch.groups() {
        group.times(times).expect(CHECKED);
        for column in group.columns() {
            let values = column.decode_into(columns).expect(CHECKED);
            decide_column(session, &mut deciding, (&mut *aliases, agent), &column, times, values);
        }
    }
    deciding
}

fn decide_column(
    session: &mut Session,
    deciding: &mut Deciding,
    (aliases, agent): (&mut Aliases, &str),
    column: &Column<'_>,
    times: &[TimeNs],
    values: Values<'_, '_>,
) {
    let forms = session.door().forms;
    let number = column.alias();
    let alias = aliases.of(number).expect(CHECKED);
    let unit = aliases.unit_of(alias).cloned();
    // Said once a column: the session would find that nothing changed for each reading after.
    let mut meta = Meta { unit: unit.as_deref(), kind: alias.kind };
    let unfit = check(&forms, alias, meta, type_of(&values)).err();
    let mut met = Met::NotAsked;
    let mut texts = SameText::default();
    let mut rows = column.presence().rows();
    let mut place = column.first_place();
    values.for_each(|value| {
        let row = rows.next().expect("as many rows as values");
        // Of the usual reading nothing is copied but itself.
        let mut decide = || {
            if let Some(refusal) = &unfit {
                return Err(refusal.clone());
            }
            let when = session.when(Some(times[row as usize]))?;
            let value = session.keeps(take_value(value, &forms, &mut texts)?)?;
            let known = if let Met::Known(known) = met { known } else { met.ask(|| meet(session, agent, aliases, number))? };
            session.take(deciding, place, known, when, value, meta)?;
            // Told once: a reading that is refused does not tell it.
            meta = Meta::default();
            Ok(())
        };
        if let Err(refusal) = decide() {
            let (device, metric) = match &aliases.of(number).expect(CHECKED).called {
                Called::Names(raw) => (names(raw).device, names(raw).metric),
                Called::Known(known) => (&*session.key_of(*known).device, &*session.key_of(*known).metric),
            };
            deciding.refuse(place, device.as_bytes(), Some(metric.as_bytes()), refusal);
        }
        place += 1;
    });
}

/// The series of a column. Asked for by the first reading that can be taken: a column of others makes no series.
enum Met {
    NotAsked,
    Known(Known),
    /// Why none of its readings can be taken.
    Refused(Refusal),
}

impl Met {
    #[cold]
    fn ask(&mut self, meet: impl FnOnce() -> Result<Known, Refusal>) -> Result<Known, Refusal> {
        if let Self::NotAsked = self {
            *self = meet().map_or_else(Self::Refused, Self::Known);
        }
        match self {
            Self::NotAsked => unreachable!("just asked"),
            Self::Known(known) => Ok(*known),
            Self::Refused(refusal) => Err(refusal.clone()),
        }
    }
}

fn type_of(values: &Values<'_, '_>) -> ValueType {
    match values {
        Values::Ints(_) | Values::Floats(_) | Values::Mixed(_) => ValueType::Number,
        Values::Bools(_) => ValueType::Bool,
        Values::Texts(_) => ValueType::Text,
    }
}

/// What can be wrong with all readings of a column, whatever their series is.
fn check(forms: &FormLimits, alias: &Alias, meta: Meta<'_>, value_type: ValueType) -> Result<(), Refusal> {
    if value_type != alias.value_type {
        let message = format!("the alias was defined for {} values, this is a {}", alias.value_type.as_str(), value_type.as_str());
        return Err(Refusal::new(RowCode::TypeChanged, message));
    }
    if let Some(unit) = meta.unit {
        forms.unit(unit)?;
    }
    if let Some(kind) = meta.kind.filter(|kind| !fits(*kind, value_type)) {
        let message = format!("kind `{}` does not fit a {} value", kind.as_str(), value_type.as_str());
        return Err(Refusal::new(RowCode::BadKind, message));
    }
    Ok(())
}

/// The series of a column, or why none of its readings can be taken.
fn meet(session: &mut Session, agent: &str, aliases: &mut Aliases, number: u32) -> Result<Known, Refusal> {
    let alias = aliases.of(number).expect(CHECKED);
    let found = match &alias.called {
        Called::Known(known) if alias.era == session.era() => return Ok(*known),
        Called::Known(known) => {
            let SeriesKey { device, metric, labels } = session.key_of(*known).clone();
            let labels: Vec<_> = labels.iter().collect();
            session.find(KeyRef { device: &device, metric: &metric, labels: &labels }, Some(agent))?
        }
        Called::Names(raw) => {
            let Names { device, metric, labels } = names(raw);
            session.find(KeyRef { device, metric, labels: &labels }, Some(agent))?
        }
    };
    aliases.found(number, found, session.era());
    Ok(found)
}

#[inline]
fn take_value(value: Sent<'_>, forms: &FormLimits, texts: &mut SameText) -> Result<Value, Refusal> {
    match value {
        Sent::Int(int) => Ok(Value::Int(int)),
        Sent::Float(float) if float.is_finite() => Ok(Value::Float(float)),
        Sent::Float(float) => Err(Refusal::new(RowCode::NotFinite, format!("value {float}, expected a finite number"))),
        Sent::Bool(bool) => Ok(Value::Bool(bool)),
        Sent::Text(text) => {
            forms.text(text.len())?;
            Ok(Value::Text(texts.of(text)))
        }
    }
}

/// A state is often told many times in a row: then its text is held once.
#[derive(Debug, Default)]
struct SameText(Option<Arc<str>>);

impl SameText {
    fn of(&mut self, text: &str) -> Arc<str> {
        match &self.0 {
            Some(last) if **last == *text => Arc::clone(last),
            _ => Arc::clone(self.0.insert(text.into())),
        }
    }
}
