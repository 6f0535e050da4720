//! Which values the store can keep. Pure.

use telltale_wire::RowCode;

use super::Refusal;
use crate::model::{Value, ValueType};

/// A value that passed the door. Made by `Session::keeps`, before its series is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept(Value);

impl Kept {
    /// `floats_only`: the store has no other numbers, so integers become floats here, and what they do not hold is refused.
    #[inline]
    pub(super) fn of(value: Value, floats_only: bool) -> Result<Self, Refusal> {
        if floats_only { as_float(value).map(Self) } else { Ok(Self(value)) }
    }

    #[must_use]
    pub fn value_type(&self) -> ValueType {
        self.0.value_type()
    }

    #[inline]
    pub(super) fn into_value(self) -> Value {
        self.0
    }
}

fn as_float(value: Value) -> Result<Value, Refusal> {
    const EXACT: i64 = 1 << 53;
    match value {
        #[expect(clippy::cast_precision_loss, reason = "every integer up to 2^53 is a float")]
        Value::Int(int) if (-EXACT..=EXACT).contains(&int) => Ok(Value::Float(int as f64)),
        Value::Int(int) => {
            let message = format!("integer {int} is beyond 2^53, which the store (InfluxDB, all numbers as floats) does not keep exactly");
            Err(Refusal::new(RowCode::ValueRange, message))
        }
        other => Ok(other),
    }
}
