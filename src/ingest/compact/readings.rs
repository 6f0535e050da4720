//! The readings of one batch, column by column. What depends on the series alone is decided once for a column.

use std::sync::Arc;

use telltale_wire::{self as wire, Column, ColumnBuf, RowCode, Value as Sent, Values};

use super::aliases::{Alias, Aliases};
use crate::ingest::Refusal;
use crate::ingest::forms::FormLimits;
use crate::ingest::mapping::fits;
use crate::ingest::session::{Deciding, Known, Meta, Session};
use crate::model::{TimeNs, Value, ValueType};
use crate::series::KeyRef;

/// The batch was checked: all of it can be decoded, and every alias is defined.
pub(super) fn decide(
    session: &mut Session,
    aliases: &Aliases,
    agent: &str,
    batch: &wire::Batch<'_>,
    times: &mut Vec<TimeNs>,
    columns: &mut ColumnBuf,
) -> Deciding {
    const CHECKED: &str = "the batch was checked before";
    let mut deciding = session.begin_batch();
    for group in batch.groups() {
        group.times(times).expect(CHECKED);
        for column in group.columns() {
            let alias = aliases.of(column.alias()).expect(CHECKED);
            let values = column.decode_into(columns).expect(CHECKED);
            decide_column(session, &mut deciding, agent, alias, &column, times, values);
        }
    }
    deciding
}

fn decide_column(
    session: &mut Session,
    deciding: &mut Deciding,
    agent: &str,
    alias: &Alias,
    column: &Column<'_>,
    times: &[TimeNs],
    values: Values<'_, '_>,
) {
    let forms = session.door().forms;
    let met = meet(session, agent, alias, type_of(&values));
    // Unit and kind are said once: the session would find that nothing changed for each reading after.
    let mut meta = Meta { unit: alias.unit.as_deref(), kind: alias.kind };
    let mut texts = SameText::default();
    let mut rows = column.presence().rows();
    let mut place = column.first_place();
    values.for_each(|value| {
        let row = rows.next().expect("as many rows as values");
        let decided = met.clone().and_then(|known| {
            let when = session.when(Some(times[row as usize]))?;
            let value = take_value(value, &forms, &mut texts)?;
            session.take(deciding, place, known, when, value, std::mem::take(&mut meta))
        });
        if let Err(refusal) = decided {
            let names = alias.names();
            deciding.refuse(place, names.device.as_bytes(), Some(names.metric.as_bytes()), refusal);
        }
        place += 1;
    });
}

fn type_of(values: &Values<'_, '_>) -> ValueType {
    match values {
        Values::Ints(_) | Values::Floats(_) | Values::Mixed(_) => ValueType::Number,
        Values::Bools(_) => ValueType::Bool,
        Values::Texts(_) => ValueType::Text,
    }
}

/// The series of a column, or why none of its readings can be taken.
fn meet(session: &mut Session, agent: &str, alias: &Alias, value_type: ValueType) -> Result<Known, Refusal> {
    if value_type != alias.value_type {
        let message = format!("the alias was defined for {} values, this is a {}", alias.value_type.as_str(), value_type.as_str());
        return Err(Refusal::new(RowCode::TypeChanged, message));
    }
    if let Some(unit) = &alias.unit {
        session.door().forms.unit(unit)?;
    }
    if let Some(kind) = alias.kind.filter(|kind| !fits(*kind, value_type)) {
        let message = format!("kind `{}` does not fit a {} value", kind.as_str(), value_type.as_str());
        return Err(Refusal::new(RowCode::BadKind, message));
    }
    if let Some(known) = session.known(alias.raw()) {
        return Ok(known);
    }
    let names = alias.names();
    session.meet(alias.raw(), KeyRef { device: names.device, metric: names.metric, labels: &names.labels }, Some(agent))
}

fn take_value(value: Sent<'_>, forms: &FormLimits, texts: &mut SameText) -> Result<Value, Refusal> {
    match value {
        Sent::Int(int) => Ok(Value::Int(int)),
        Sent::Float(float) if float.is_finite() => Ok(Value::Float(float)),
        Sent::Float(float) => Err(Refusal::new(RowCode::NotFinite, format!("value {float}, expected a finite number"))),
        Sent::Bool(bool) => Ok(Value::Bool(bool)),
        Sent::Text(text) if text.len() > forms.text_bytes => {
            let message = format!("a text of {} bytes, at most {} ([limits] text_bytes)", text.len(), forms.text_bytes);
            Err(Refusal::new(RowCode::LimitText, message))
        }
        Sent::Text(text) => Ok(Value::Text(texts.of(text))),
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
