//! Time columns. One byte says the unit that divides every step exactly and the mode; then the offset of the first row
//! from the batch's base, then the steps of the other rows: plain, as changes of the step, or one step for all.
//!
//! Arithmetic wraps modulo 2^64 on both sides, so every i64 comes back exactly; whether a time makes sense is for the hub.

use crate::error::WireError;
use crate::reader::Reader;
use crate::varint::{self, unzigzag, zigzag};

/// Nanoseconds of a unit, by the two low bits of the head.
const UNITS_NS: [i64; 4] = [1, 1_000, 1_000_000, 1_000_000_000];
const MODE_SHIFT: u8 = 2;

#[derive(Clone, Copy, Debug)]
enum Steps<'a> {
    /// The same step from each row to the next; 0 where there is one row.
    Regular(i64),
    Deltas(&'a [u8]),
    DeltasOfDeltas(&'a [u8]),
}

/// A time column as it is in the frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeBlock<'a> {
    rows: u32,
    first_ns: i64,
    unit_ns: i64,
    steps: Steps<'a>,
    at: usize,
}

impl<'a> TimeBlock<'a> {
    pub(super) fn read(reader: &mut Reader<'a>, base_ns: i64, rows: u32) -> Result<Self, WireError> {
        let head_at = reader.at();
        let head = reader.u8("time.head")?;
        let unit_ns = UNITS_NS.get(usize::from(head & 3)).copied().unwrap_or(1);
        let first_ns = base_ns.wrapping_add(unzigzag(reader.varint("time.offset")?).wrapping_mul(unit_ns));
        let mode = head >> MODE_SHIFT;
        if rows == 1 && mode == REGULAR {
            return Ok(Self { rows, first_ns, unit_ns, steps: Steps::Regular(0), at: reader.at() });
        }
        let bad_head = WireError::BadValue {
            part: "time.head",
            at: head_at,
            found: u64::from(head),
            expected: "a mode 0-2 (0 for one row) over a unit 0-3",
        };
        if rows == 1 || mode > DELTAS_OF_DELTAS {
            return Err(bad_head);
        }
        if mode == REGULAR {
            let step = unzigzag(reader.varint("time.step")?);
            return Ok(Self { rows, first_ns, unit_ns, steps: Steps::Regular(step), at: reader.at() });
        }
        let length = reader.varint("time.length")?;
        let at = reader.at();
        let bytes = reader.bytes("time.steps", length)?;
        let steps = if mode == DELTAS { Steps::Deltas(bytes) } else { Steps::DeltasOfDeltas(bytes) };
        Ok(Self { rows, first_ns, unit_ns, steps, at })
    }

    pub(super) fn decode(&self, times: &mut Vec<i64>) -> Result<(), WireError> {
        times.clear();
        let rows = self.rows as usize;
        let unit = self.unit_ns;
        let mut time = self.first_ns;
        let bad = || WireError::BadVarint { part: "time.steps", at: self.at };
        match self.steps {
            Steps::Regular(step) => {
                let step = step.wrapping_mul(unit);
                times.extend((0..rows as i64).map(|row| time.wrapping_add(step.wrapping_mul(row))));
            }
            Steps::Deltas(bytes) => {
                reserve(times, rows, bytes).ok_or_else(bad)?;
                times.push(time);
                varint::unpack(bytes, rows - 1, |delta| {
                    time = time.wrapping_add(unzigzag(delta).wrapping_mul(unit));
                    times.push(time);
                })
                .ok_or_else(bad)?;
            }
            Steps::DeltasOfDeltas(bytes) => {
                reserve(times, rows, bytes).ok_or_else(bad)?;
                times.push(time);
                let mut step = 0_i64;
                varint::unpack(bytes, rows - 1, |change| {
                    step = step.wrapping_add(unzigzag(change).wrapping_mul(unit));
                    time = time.wrapping_add(step);
                    times.push(time);
                })
                .ok_or_else(bad)?;
            }
        }
        Ok(())
    }
}

/// Room for the rows, if the bytes can hold that many varints.
fn reserve(times: &mut Vec<i64>, rows: usize, bytes: &[u8]) -> Option<()> {
    (bytes.len() >= rows - 1).then(|| times.reserve(rows))
}

/// How a time column is written.
struct Plan {
    head: u8,
    unit_ns: i64,
    /// Bytes of the steps; 0 where one step serves all.
    step_bytes: usize,
}

const REGULAR: u8 = 0;
const DELTAS: u8 = 1;
const DELTAS_OF_DELTAS: u8 = 2;

impl Plan {
    fn of(base_ns: i64, times: &[i64]) -> Self {
        let first = times.first().copied().unwrap_or(base_ns);
        let unit_index = largest_unit(first.wrapping_sub(base_ns), times);
        let unit_ns = UNITS_NS.get(unit_index).copied().unwrap_or(1);
        let mut steps = steps(times, unit_ns);
        let (mode, step_bytes) = match steps.next() {
            Some(first_step) if steps.any(|step| step != first_step) => {
                let (plain, changed) = step_sizes(times, unit_ns);
                (if plain <= changed { DELTAS } else { DELTAS_OF_DELTAS }, plain.min(changed))
            }
            _ => (REGULAR, 0),
        };
        Self { head: mode << MODE_SHIFT | u8::try_from(unit_index).unwrap_or(0), unit_ns, step_bytes }
    }

    fn mode(&self) -> u8 {
        self.head >> MODE_SHIFT
    }
}

/// Differences between neighbours, in units.
fn steps(times: &[i64], unit_ns: i64) -> impl Iterator<Item = i64> {
    times.array_windows().map(move |[from, to]| to.wrapping_sub(*from) / unit_ns)
}

/// Differences between neighbouring steps; the step before the first is 0.
fn changes(times: &[i64], unit_ns: i64) -> impl Iterator<Item = i64> {
    let mut before = 0_i64;
    steps(times, unit_ns).map(move |step| step.wrapping_sub(std::mem::replace(&mut before, step)))
}

fn step_sizes(times: &[i64], unit_ns: i64) -> (usize, usize) {
    let size = |step| varint::size(zigzag(step));
    (steps(times, unit_ns).map(size).sum(), changes(times, unit_ns).map(size).sum())
}

/// Bytes that [`put`] writes.
pub(super) fn size(base_ns: i64, times: &[i64]) -> usize {
    let plan = Plan::of(base_ns, times);
    let offset = times.first().map_or(0, |first| first.wrapping_sub(base_ns) / plan.unit_ns);
    let rest = match plan.mode() {
        REGULAR => steps(times, plan.unit_ns).take(1).map(|step| varint::size(zigzag(step))).sum(),
        _ => varint::size(plan.step_bytes as u64) + plan.step_bytes,
    };
    1 + varint::size(zigzag(offset)) + rest
}

/// Writes what [`TimeBlock::read`] reads; `times` is not empty.
pub(super) fn put(out: &mut Vec<u8>, base_ns: i64, times: &[i64]) {
    let Some(&first) = times.first() else { return };
    let plan = Plan::of(base_ns, times);
    let unit_ns = plan.unit_ns;
    out.push(plan.head);
    varint::put(out, zigzag(first.wrapping_sub(base_ns) / unit_ns));
    if plan.mode() == REGULAR {
        steps(times, unit_ns).take(1).for_each(|step| varint::put(out, zigzag(step)));
        return;
    }
    varint::put(out, plan.step_bytes as u64);
    if plan.mode() == DELTAS {
        steps(times, unit_ns).for_each(|step| varint::put(out, zigzag(step)));
    } else {
        changes(times, unit_ns).for_each(|change| varint::put(out, zigzag(change)));
    }
}

/// The largest unit that divides the offset of the first row and every step.
fn largest_unit(offset: i64, times: &[i64]) -> usize {
    let mut index = UNITS_NS.len() - 1;
    let mut fit = |step: i64| {
        while UNITS_NS.get(index).is_some_and(|unit| step % unit != 0) {
            index -= 1;
        }
        index > 0
    };
    if fit(offset) {
        // Stops at the first step that only nanoseconds divide.
        times.array_windows().map(|[from, to]| to.wrapping_sub(*from)).all(fit);
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: &'static str, base_ns: i64, times: &[i64], bytes: usize) {
        let mut out = Vec::new();
        put(&mut out, base_ns, times);
        assert_eq!(out.len(), bytes, "{rule}: {out:02x?}");
        assert_eq!(out.len(), size(base_ns, times), "{rule}");
        let mut reader = Reader::new(&out);
        let block = TimeBlock::read(&mut reader, base_ns, u32::try_from(times.len()).unwrap()).unwrap();
        reader.end(rule).unwrap();
        let mut back = vec![1, 2, 3];
        block.decode(&mut back).unwrap();
        assert_eq!(back, times, "{rule}");
    }

    #[test]
    fn times_come_back_and_take_few_bytes() {
        const S: i64 = 1_000_000_000;
        const T: i64 = 1_795_396_030 * S;
        check("one row at the base", T, &[T], 2);
        check("one row a second later", T, &[T + S], 2);
        check("one row a nanosecond earlier", T, &[T - 1], 2);
        check("a regular step needs no byte per row", T, &[T, T + S, T + 2 * S, T + 3 * S], 3);
        check("the same time twice", T, &[T, T], 3);
        check("milliseconds with jitter", T, &[T, T + S + 1_000_000, T + 2 * S], 3 + 3);
        check("a steady step with one break", T, &[T, T + S, T + 2 * S, T + 3 * S, T + 9 * S], 3 + 4);
        check("nanoseconds", T, &[T, T + S + 1, T + 2 * S, T + 3 * S + 5], 3 + 7);
        check("backwards", T, &[T, T - S, T - 7 * S], 3 + 2);
        check("the ends of i64", 0, &[i64::MIN, i64::MAX, i64::MIN, 0], 1 + 10 + 1 + 12);
    }
}
