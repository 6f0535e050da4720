//! The encoder's side of `values`: the smallest encoding that gives every value back exactly.

use crate::batch::presence::put_bits;
use crate::batch::values::{Encoding, POWERS_OF_TEN, Value, constant};
use crate::reader::put_text;
use crate::varint::{self, zigzag};

/// Integers up to here are exact as floats.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Writes the rest of a column: form byte (and the `presence` bits, unless they are empty), length, payload.
///
/// `values` is not empty and of one type: numbers, bools or texts.
pub(super) fn put_column(out: &mut Vec<u8>, presence: &[u8], values: &[Value<'_>], room: &mut Room) {
    room.payload.clear();
    let encoding = encode(values, room);
    let form = encoding as u8 | if presence.is_empty() { 0 } else { super::FORM_PRESENCE };
    out.push(form);
    out.extend_from_slice(presence);
    varint::put(out, room.payload.len() as u64);
    out.extend_from_slice(&room.payload);
}

/// Room that is used from column to column.
#[derive(Debug, Default)]
pub(super) struct Room {
    payload: Vec<u8>,
    ints: Vec<i64>,
    floats: Vec<f64>,
    scaled: Vec<i64>,
}

fn encode(values: &[Value<'_>], room: &mut Room) -> Encoding {
    if values.len() > 1
        && let Some(first) = values.first()
        && values.iter().all(|value| same(first, value))
    {
        put_constant(&mut room.payload, first);
        return Encoding::Constant;
    }
    match values.first() {
        Some(Value::Bool(_)) => {
            put_bits(&mut room.payload, values.iter().map(|value| matches!(value, Value::Bool(true))));
            Encoding::Bool
        }
        Some(Value::Text(_)) => {
            put_texts(&mut room.payload, values);
            Encoding::Text
        }
        _ => encode_numbers(values, room),
    }
}

/// Equal to the bit: 1 and 1.0 are not the same here, nor are 0.0 and -0.0.
fn same(left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => left == right,
        (Value::Float(left), Value::Float(right)) => left.to_bits() == right.to_bits(),
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => left == right,
        _ => false,
    }
}

fn put_constant(out: &mut Vec<u8>, value: &Value<'_>) {
    match *value {
        Value::Int(int) => {
            out.push(constant::INT);
            varint::put(out, zigzag(int));
        }
        Value::Float(float) => {
            out.push(constant::FLOAT);
            out.extend_from_slice(&float.to_le_bytes());
        }
        Value::Bool(bool) => out.push(if bool { constant::TRUE } else { constant::FALSE }),
        Value::Text(text) => {
            out.push(constant::TEXT);
            put_text(out, text);
        }
    }
}

fn put_texts(out: &mut Vec<u8>, values: &[Value<'_>]) {
    let texts = || values.iter().filter_map(|value| if let Value::Text(text) = value { Some(*text) } else { None });
    texts().for_each(|text| varint::put(out, text.len() as u64));
    texts().for_each(|text| out.extend_from_slice(text.as_bytes()));
}

fn encode_numbers(values: &[Value<'_>], room: &mut Room) -> Encoding {
    let Room { payload, ints, floats, scaled } = room;
    ints.clear();
    floats.clear();
    for value in values {
        match *value {
            Value::Int(int) => ints.push(int),
            Value::Float(float) => floats.push(float),
            Value::Bool(_) | Value::Text(_) => {}
        }
    }
    if floats.is_empty() {
        return put_ints(payload, ints);
    }
    if ints.is_empty() {
        return put_floats(payload, floats, scaled);
    }
    put_bits(payload, values.iter().map(|value| matches!(value, Value::Float(_))));
    let mut block = Vec::new();
    let float_encoding = put_floats(&mut block, floats, scaled);
    put_block(payload, float_encoding, &block);
    block.clear();
    let int_encoding = put_ints(&mut block, ints);
    put_block(payload, int_encoding, &block);
    Encoding::Mixed
}

fn put_block(out: &mut Vec<u8>, encoding: Encoding, block: &[u8]) {
    out.push(encoding as u8);
    varint::put(out, block.len() as u64);
    out.extend_from_slice(block);
}

fn put_ints(out: &mut Vec<u8>, ints: &[i64]) -> Encoding {
    let plan = Plan::of(ints);
    plan.put(out, ints);
    if plan.offset { Encoding::IntOffset } else { Encoding::IntDelta }
}

/// Which of the two integer encodings is smaller, and its bytes.
struct Plan {
    offset: bool,
    base: i64,
    bytes: usize,
}

impl Plan {
    fn of(ints: &[i64]) -> Self {
        let base = ints.iter().copied().min().unwrap_or(0);
        let mut before = 0_i64;
        let mut deltas = 0;
        let mut offsets = varint::size(zigzag(base));
        for &int in ints {
            deltas += varint::size(zigzag(int.wrapping_sub(before)));
            offsets += varint::size(int.wrapping_sub(base).cast_unsigned());
            before = int;
        }
        Self { offset: offsets < deltas, base, bytes: offsets.min(deltas) }
    }

    fn put(&self, out: &mut Vec<u8>, ints: &[i64]) {
        out.reserve(self.bytes);
        if self.offset {
            varint::put(out, zigzag(self.base));
            ints.iter().for_each(|int| varint::put(out, int.wrapping_sub(self.base).cast_unsigned()));
            return;
        }
        let mut before = 0_i64;
        for &int in ints {
            varint::put(out, zigzag(int.wrapping_sub(before)));
            before = int;
        }
    }
}

fn put_floats(out: &mut Vec<u8>, floats: &[f64], scaled: &mut Vec<i64>) -> Encoding {
    let narrow = floats.iter().all(|float| f64::from(*float as f32).to_bits() == float.to_bits());
    let plain = floats.len() * if narrow { 4 } else { 8 };
    if let Some(exponent) = scale(floats, scaled) {
        let plan = Plan::of(scaled);
        if plan.bytes < plain {
            out.push(exponent);
            plan.put(out, scaled);
            return if plan.offset { Encoding::DecimalOffset } else { Encoding::DecimalDelta };
        }
    }
    if narrow {
        floats.iter().for_each(|float| out.extend_from_slice(&(*float as f32).to_le_bytes()));
        return Encoding::F32;
    }
    floats.iter().for_each(|float| out.extend_from_slice(&float.to_le_bytes()));
    Encoding::F64
}

/// The smallest exponent with which every float is an integer over a power of ten, and those integers; `None` if there is none.
fn scale(floats: &[f64], scaled: &mut Vec<i64>) -> Option<u8> {
    let mut powers = POWERS_OF_TEN.iter().copied().enumerate();
    let (mut exponent, mut power) = powers.next()?;
    for &float in floats {
        while as_decimal(float, power).is_none() {
            (exponent, power) = powers.next()?;
        }
    }
    // A float that is exact with few digits may not be with more, so all are tried again with the one that was found.
    scaled.clear();
    for &float in floats {
        scaled.push(as_decimal(float, power)?);
    }
    u8::try_from(exponent).ok()
}

/// The integer that the decoder turns into exactly this float.
fn as_decimal(float: f64, power: f64) -> Option<i64> {
    let rounded = (float * power).round_ties_even();
    if rounded.is_nan() || rounded.abs() > EXACT_MAX {
        return None;
    }
    let integer = rounded as i64;
    (integer as f64 / power).to_bits().eq(&float.to_bits()).then_some(integer)
}
