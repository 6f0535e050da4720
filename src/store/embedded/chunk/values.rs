//! One column of values, whatever its type. A mixed one is a column of types and a column for each type that occurs in it, so
//! that 1 and 1.0 come back as they were.

use std::sync::Arc;

use super::bytes::In;
use super::{Damaged, bools, floats, ints, texts};
use crate::block::Values;
use crate::model::Value;

/// The type byte of a column.
pub(super) mod kind {
    pub(in super::super) const INT: u8 = 0;
    pub(in super::super) const FLOAT: u8 = 1;
    pub(in super::super) const BOOL: u8 = 2;
    pub(in super::super) const TEXT: u8 = 3;
    pub(in super::super) const MIXED: u8 = 4;
}

const UNKNOWN: Damaged = Damaged::Malformed("a column has an unknown type");

pub(super) fn kind_of(values: &Values) -> u8 {
    match values {
        Values::Int(_) => kind::INT,
        Values::Float(_) => kind::FLOAT,
        Values::Bool(_) => kind::BOOL,
        Values::Text(_) => kind::TEXT,
        Values::Mixed(_) => kind::MIXED,
    }
}

fn kind_of_one(value: &Value) -> u8 {
    match value {
        Value::Int(_) => kind::INT,
        Value::Float(_) => kind::FLOAT,
        Value::Bool(_) => kind::BOOL,
        Value::Text(_) => kind::TEXT,
    }
}

pub(super) fn encode(out: &mut Vec<u8>, values: &Values) {
    match values {
        Values::Int(v) => ints::encode(out, v),
        Values::Float(v) => floats::encode(out, v),
        Values::Bool(v) => bools::encode(out, v),
        Values::Text(v) => texts::encode(out, v),
        Values::Mixed(v) => encode_mixed(out, v),
    }
}

/// `count` is at least one and bounded by the caller.
pub(super) fn decode(from: &mut In<'_>, kind: u8, count: usize) -> Result<Values, Damaged> {
    Ok(match kind {
        kind::INT => Values::Int(ints::decode(from, count)?),
        kind::FLOAT => Values::Float(floats::decode(from, count)?),
        kind::BOOL => Values::Bool(bools::decode(from, count)?),
        kind::TEXT => Values::Text(texts::decode(from, count)?),
        kind::MIXED => Values::Mixed(decode_mixed(from, count)?),
        _ => return Err(UNKNOWN),
    })
}

/// The values of each type in their order.
#[derive(Debug, Default)]
struct Sorted {
    ints: Vec<i64>,
    floats: Vec<f64>,
    bools: Vec<bool>,
    texts: Vec<Arc<str>>,
}

fn encode_mixed(out: &mut Vec<u8>, values: &[Value]) {
    let kinds: Vec<i64> = values.iter().map(|value| i64::from(kind_of_one(value))).collect();
    texts::encode_choices(out, &kinds);
    let mut sorted = Sorted::default();
    for value in values {
        match value {
            Value::Int(x) => sorted.ints.push(*x),
            Value::Float(x) => sorted.floats.push(*x),
            Value::Bool(x) => sorted.bools.push(*x),
            Value::Text(x) => sorted.texts.push(Arc::clone(x)),
        }
    }
    let columns = [Values::Int(sorted.ints), Values::Float(sorted.floats), Values::Bool(sorted.bools), Values::Text(sorted.texts)];
    columns.iter().filter(|column| !column.is_empty()).for_each(|column| encode(out, column));
}

fn decode_mixed(from: &mut In<'_>, count: usize) -> Result<Vec<Value>, Damaged> {
    let kinds = texts::decode_choices(from, count, usize::from(kind::MIXED))?;
    let mut columns = Vec::new();
    for kind in kind::INT..kind::MIXED {
        let count = kinds.iter().filter(|k| **k == usize::from(kind)).count();
        columns.push(if count == 0 { Values::default() } else { decode(from, kind, count)? });
    }
    let mut next = [0; kind::MIXED as usize];
    let take = |kind: usize| {
        let value = columns[kind].value(next[kind]);
        next[kind] += 1;
        value
    };
    Ok(kinds.into_iter().map(take).collect())
}

/// A mixed column in which only one type is left is a column of that type.
pub(super) fn settled(values: &Values) -> Option<Values> {
    let Values::Mixed(mixed) = values else { return None };
    let same = mixed.windows(2).all(|pair| kind_of_one(&pair[0]) == kind_of_one(&pair[1]));
    if !same {
        return None;
    }
    let mut settled = Values::default();
    mixed.iter().for_each(|value| settled.push(value.clone()));
    Some(settled)
}

/// Whether all are the same, to the bit.
pub(super) fn constant(values: &Values) -> bool {
    match values {
        Values::Int(v) => v.iter().all(|x| *x == v[0]),
        Values::Float(v) => v.iter().all(|x| x.to_bits() == v[0].to_bits()),
        Values::Bool(v) => v.iter().all(|x| *x == v[0]),
        Values::Text(v) => v.iter().all(|x| *x == v[0]),
        Values::Mixed(_) => false,
    }
}

pub(super) fn encode_constant(out: &mut Vec<u8>, values: &Values) {
    use telltale_wire::{reader::put_text, varint};
    match values.value(0) {
        Value::Int(x) => varint::put(out, varint::zigzag(x)),
        Value::Float(x) => floats::put_one(out, x),
        Value::Bool(x) => out.push(u8::from(x)),
        Value::Text(x) => put_text(out, &x),
    }
}

pub(super) fn decode_constant(from: &mut In<'_>, kind: u8, count: usize) -> Result<Values, Damaged> {
    Ok(match kind {
        kind::INT => Values::Int(vec![from.zigzag()?; count]),
        kind::FLOAT => Values::Float(vec![floats::read_one(from)?; count]),
        kind::BOOL => match from.u8()? {
            byte @ (0 | 1) => Values::Bool(vec![byte == 1; count]),
            _ => return Err(Damaged::Malformed("a bool is neither 0 nor 1")),
        },
        kind::TEXT => Values::Text(vec![Arc::from(from.text()?); count]),
        _ => return Err(UNKNOWN),
    })
}
