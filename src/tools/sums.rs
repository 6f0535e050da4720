//! How many readings a series has, and a checksum of them: what a backup promises and a restore is compared with, and what two stores
//! must have in common.

use crate::block::Block;
use crate::model::{SeriesId, TimeRange, Value};
use crate::store::{Pin, Store, StoreError};

/// A time, a type and a number.
const READING_BYTES: usize = 17;

/// How numbers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// An int is not the float that equals it.
    AsKept,
    /// For a store that keeps floats alone; a zero has no sign.
    AsFloats,
}

/// Of one series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub count: u64,
    pub crc: u32,
}

/// Series, readings, crc32c. In the order of `ids`, those without a reading left out. `progress` is told how many series are done.
pub fn of(store: &dyn Store, pin: &Pin, ids: &[SeriesId], progress: &mut dyn FnMut(u64)) -> Result<Vec<(u32, u64, u32)>, StoreError> {
    let mut sums = Vec::new();
    for (done, id) in (1..).zip(ids) {
        let Sum { count, crc } = of_one(store, pin, *id, Numbers::AsKept)?;
        if count > 0 {
            sums.push((id.0, count, crc));
        }
        progress(done);
    }
    Ok(sums)
}

pub fn of_one(store: &dyn Store, pin: &Pin, id: SeriesId, numbers: Numbers) -> Result<Sum, StoreError> {
    let mut sum = Sum::default();
    store.scan(pin, id, TimeRange::ALL, &mut |block| {
        sum.add(block, numbers);
        true
    })?;
    Ok(sum)
}

impl Sum {
    /// The next block of the series.
    pub fn add(&mut self, block: &Block, numbers: Numbers) {
        let mut bytes = Vec::with_capacity(block.len() * READING_BYTES);
        write(&mut bytes, block, numbers);
        self.count += block.len() as u64;
        self.crc = crc32c::crc32c_append(self.crc, &bytes);
    }
}

/// Time, type and value of each reading: the same however they lie in blocks.
fn write(out: &mut Vec<u8>, block: &Block, numbers: Numbers) {
    for (i, time) in block.times().iter().enumerate() {
        out.extend_from_slice(&time.to_le_bytes());
        let value = block.value(i);
        match (value.as_f64().filter(|_| numbers == Numbers::AsFloats), value) {
            (Some(n), _) => {
                out.push(1);
                // Zero and minus zero are the same value.
                out.extend_from_slice(&(n + 0.0).to_bits().to_le_bytes());
            }
            (None, Value::Int(n)) => {
                out.push(0);
                out.extend_from_slice(&n.to_le_bytes());
            }
            (None, Value::Float(n)) => {
                out.push(1);
                out.extend_from_slice(&n.to_bits().to_le_bytes());
            }
            (None, Value::Bool(yes)) => out.extend([2, u8::from(yes)]),
            (None, Value::Text(text)) => {
                out.push(3);
                out.extend_from_slice(&(text.len() as u64).to_le_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_equal_have_one_sum_where_they_are_told_as_floats() {
        let said = |value: Value, numbers| {
            let (mut block, mut out) = (Block::default(), Vec::new());
            block.push(5, &value, 5);
            write(&mut out, &block, numbers);
            out
        };
        for (a, b, equal) in [
            (Value::Int(3), Value::Float(3.0), true),
            (Value::Float(0.0), Value::Float(-0.0), true),
            (Value::Int(0), Value::Float(-0.0), true),
            (Value::Int(3), Value::Float(3.5), false),
            (Value::Bool(true), Value::Float(1.0), false),
            (Value::Text("1".into()), Value::Float(1.0), false),
        ] {
            assert_eq!(said(a.clone(), Numbers::AsFloats) == said(b.clone(), Numbers::AsFloats), equal, "{a:?} {b:?}");
            assert_ne!(said(a, Numbers::AsKept), said(b, Numbers::AsKept));
        }
    }
}
