//! The values of one run of a series, as a commit record has them (FORMAT.md, "Commit record"): ints as differences, decimals as scaled
//! integers, everything else as it is. Pure.

use telltale_wire::WireError;
use telltale_wire::reader::{Reader, put_text};
use telltale_wire::varint::{put, unzigzag, zigzag};

use super::runs::{self, Unpacked};
use crate::model::{Reading, Value};

/// How the values of one run of a series are written: the low four bits of the run's header.
pub(super) mod tag {
    pub(in crate::log) const INT: u64 = 0;
    pub(in crate::log) const FLOAT: u64 = 1;
    pub(in crate::log) const BOOL: u64 = 2;
    pub(in crate::log) const TEXT: u64 = 3;
    /// Each value carries its own tag.
    pub(in crate::log) const MIXED: u64 = 4;
    /// 8 + e: floats that are integers over 10^e, e = 0..=4.
    pub(in crate::log) const SCALED: u64 = 8;
}

const SCALES: [f64; 5] = [1.0, 10.0, 100.0, 1_000.0, 10_000.0];
/// Scaled integers stay where every f64 between is exact and varints are shorter than eight bytes.
const SCALED_MAX: f64 = 140_737_488_355_328.0;

/// By the one type that all values of a run have; floats as integers where all of them can be.
pub(super) fn run_tag(run: &[Reading]) -> u64 {
    let all = |is: fn(&Value) -> bool| run.iter().all(|r| is(&r.value));
    match &run[0].value {
        Value::Int(_) if all(|v| matches!(v, Value::Int(_))) => tag::INT,
        Value::Bool(_) if all(|v| matches!(v, Value::Bool(_))) => tag::BOOL,
        Value::Text(_) if all(|v| matches!(v, Value::Text(_))) => tag::TEXT,
        Value::Float(_) if all(|v| matches!(v, Value::Float(_))) => {
            let floats = || run.iter().filter_map(|r| if let Value::Float(f) = r.value { Some(f) } else { None });
            let scale = SCALES.iter().position(|scale| floats().all(|f| scaled(f, *scale).is_some()));
            scale.map_or(tag::FLOAT, |e| tag::SCALED + e as u64)
        }
        _ => tag::MIXED,
    }
}

/// The integer that gives `f` back exactly when divided by `scale`; None where there is none (also for -0.0).
fn scaled(f: f64, scale: f64) -> Option<i64> {
    let product = f * scale;
    if product.abs() >= SCALED_MAX {
        return None;
    }
    // Half away from zero by hand: `round` is a call into libm on the x86-64 baseline, and the way back decides anyway.
    let int = (product + 0.5_f64.copysign(product)) as i64;
    (unscale(int, scale).to_bits() == f.to_bits()).then_some(int)
}

#[expect(clippy::cast_precision_loss, reason = "bounded by SCALED_MAX")]
fn unscale(int: i64, scale: f64) -> f64 {
    int as f64 / scale
}

pub(super) fn encode_values(run: &[Reading], tag: u64, out: &mut Vec<u8>) {
    let mut previous = 0_i64;
    for reading in run {
        match &reading.value {
            Value::Int(i) if tag == tag::INT => {
                put(out, zigzag(i.wrapping_sub(previous)));
                previous = *i;
            }
            Value::Float(f) if tag >= tag::SCALED => {
                let scale = SCALES[(tag - tag::SCALED) as usize];
                let int = scaled(*f, scale).expect("run_tag tried every value of the run");
                put(out, zigzag(int.wrapping_sub(previous)));
                previous = int;
            }
            value => {
                if tag == tag::MIXED {
                    out.push(match value {
                        Value::Int(_) => tag::INT,
                        Value::Float(_) => tag::FLOAT,
                        Value::Bool(_) => tag::BOOL,
                        Value::Text(_) => tag::TEXT,
                    } as u8);
                }
                match value {
                    Value::Int(i) => put(out, zigzag(*i)),
                    Value::Float(f) => out.extend_from_slice(&f.to_le_bytes()),
                    Value::Bool(b) => out.push(u8::from(*b)),
                    Value::Text(t) => put_text(out, t),
                }
            }
        }
    }
}

/// How the values of a run are kept when they are unpacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    Float,
    Int,
    #[default]
    Other,
}

pub(super) fn form_of(tag: u64) -> Form {
    match tag {
        tag::INT => Form::Int,
        tag::FLOAT | tag::SCALED.. => Form::Float,
        _ => Form::Other,
    }
}

/// The values of a run.
pub(super) fn decode_values(r: &mut Reader<'_>, tag: u64, count: usize, into: &mut Unpacked) -> Result<(), WireError> {
    let mut previous = 0_i64;
    match tag {
        tag::INT => {
            let mut ints = runs::places(&mut into.ints, count);
            r.varints("int", count, |delta| {
                previous = previous.wrapping_add(unzigzag(delta));
                runs::put(&mut ints, previous);
            })
        }
        tag::FLOAT => (0..count).try_for_each(|_| r.f64("float").map(|float| into.floats.push(float))),
        tag::BOOL..=tag::MIXED => (0..count).try_for_each(|_| decode_value(r, tag).map(|value| into.others.push(value))),
        scaled => {
            let scale = scale_of(scaled, r)?;
            let start = into.ints.len();
            let mut ints = runs::places(&mut into.ints, count);
            r.varints("scaled", count, |delta| {
                previous = previous.wrapping_add(unzigzag(delta));
                runs::put(&mut ints, previous);
            })?;
            into.floats.extend(into.ints.drain(start..).map(|int| unscale(int, scale)));
            Ok(())
        }
    }
}

/// Goes past the values of a run.
pub(super) fn skip_values(r: &mut Reader<'_>, tag: u64, count: usize) -> Result<(), WireError> {
    let count = count as u64;
    match tag {
        tag::INT => r.skip_varints("int", count),
        tag::FLOAT => r.bytes("float", count.saturating_mul(8)).map(drop),
        tag::BOOL => r.bytes("bool", count).map(drop),
        tag::TEXT | tag::MIXED => (0..count).try_for_each(|_| skip_value(r, tag)),
        scaled => {
            scale_of(scaled, r)?;
            r.skip_varints("scaled", count)
        }
    }
}

fn scale_of(tag: u64, r: &Reader<'_>) -> Result<f64, WireError> {
    let scale = tag.checked_sub(tag::SCALED).and_then(|e| SCALES.get(e as usize));
    scale.copied().ok_or_else(|| bad("run tag", r.at(), tag, "0 to 4 or 8 to 12"))
}

/// A value that does not build on the one before.
fn decode_value(r: &mut Reader<'_>, tag: u64) -> Result<Value, WireError> {
    Ok(match tag {
        tag::INT => Value::Int(unzigzag(r.varint("int")?)),
        tag::FLOAT => Value::Float(r.f64("float")?),
        tag::BOOL => Value::Bool(r.u8("bool")? != 0),
        tag::TEXT => Value::Text(r.text("text")?.into()),
        _ => {
            let own = own_tag(r)?;
            decode_value(r, own)?
        }
    })
}

fn skip_value(r: &mut Reader<'_>, tag: u64) -> Result<(), WireError> {
    match tag {
        tag::INT => r.skip_varints("int", 1),
        tag::FLOAT => r.bytes("float", 8).map(drop),
        tag::BOOL => r.bytes("bool", 1).map(drop),
        tag::TEXT => r.text("text").map(drop),
        _ => {
            let own = own_tag(r)?;
            skip_value(r, own)
        }
    }
}

/// The tag that a value of a mixed run carries.
fn own_tag(r: &mut Reader<'_>) -> Result<u64, WireError> {
    let at = r.at();
    match u64::from(r.u8("value tag")?) {
        own @ tag::INT..=tag::TEXT => Ok(own),
        other => Err(bad("value tag", at, other, "0 to 3")),
    }
}

pub(super) fn bad(part: &'static str, at: usize, found: u64, expected: &'static str) -> WireError {
    WireError::BadValue { part, at, found, expected }
}
