//! How many readings a series has, and a checksum of them: what a backup promises and a restore is compared with.

use crate::block::Block;
use crate::model::{SeriesId, TimeRange, Value};
use crate::store::{Pin, Store, StoreError};

/// Series, readings, crc32c. In the order of `ids`, those without a reading left out.
pub fn of(store: &dyn Store, pin: &Pin, ids: &[SeriesId]) -> Result<Vec<(u32, u64, u32)>, StoreError> {
    let mut sums = Vec::new();
    for id in ids {
        let (mut count, mut crc, mut bytes) = (0_u64, 0, Vec::new());
        store.scan(pin, *id, TimeRange::ALL, &mut |block| {
            count += block.len() as u64;
            bytes.clear();
            write(&mut bytes, block);
            crc = crc32c::crc32c_append(crc, &bytes);
            true
        })?;
        if count > 0 {
            sums.push((id.0, count, crc));
        }
    }
    Ok(sums)
}

/// Time, type and value of each reading: the same however they lie in blocks.
fn write(out: &mut Vec<u8>, block: &Block) {
    for (i, time) in block.times().iter().enumerate() {
        out.extend_from_slice(&time.to_le_bytes());
        match block.value(i) {
            Value::Int(n) => {
                out.push(0);
                out.extend_from_slice(&n.to_le_bytes());
            }
            Value::Float(n) => {
                out.push(1);
                out.extend_from_slice(&n.to_bits().to_le_bytes());
            }
            Value::Bool(yes) => out.extend([2, u8::from(yes)]),
            Value::Text(text) => {
                out.push(3);
                out.extend_from_slice(&(text.len() as u64).to_le_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}
