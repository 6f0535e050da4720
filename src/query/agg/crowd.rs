//! Whether a bucket holds more readings than may be held in memory at once, found out by counting.

use crate::model::{TimeNs, TimeRange};

/// The start of a bucket with more than `most` readings, if there is one. `points` is how many the range holds; `bucket_of` tells the
/// bucket that a time lies in; `count` is asked of whole buckets together: often only where it is crowded, for every such place about as
/// many times as the number of buckets can be halved.
pub fn too_full<E>(
    range: TimeRange,
    points: usize,
    most: usize,
    bucket_of: &dyn Fn(TimeNs) -> TimeRange,
    count: &mut dyn FnMut(TimeRange) -> Result<usize, E>,
) -> Result<Option<TimeNs>, E> {
    let mut open = vec![(range, points)];
    while let Some((part, points)) = open.pop() {
        if points <= most {
            continue;
        }
        let bucket = bucket_of(part.from.midpoint(part.to).min(part.to - 1));
        let cut = if bucket.from > part.from { bucket.from } else { bucket.to };
        if cut >= part.to {
            return Ok(Some(bucket.from));
        }
        let before = count(TimeRange { to: cut, ..part })?;
        open.push((TimeRange { from: cut, ..part }, points.saturating_sub(before)));
        open.push((TimeRange { to: cut, ..part }, before));
    }
    Ok(None)
}
