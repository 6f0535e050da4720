//! Receive times: of late readings where they stand in the column and how much later they came; of the others one lag.

use telltale_wire::varint::put;

use super::Damaged;
use super::bytes::In;
use super::ints;
use crate::model::TimeNs;

/// Place in `times` and delay of each late reading. What is late at no time of the column has nowhere to stand.
pub(super) fn places(times: &[TimeNs], late: &[(TimeNs, TimeNs)]) -> Vec<(usize, i64)> {
    let place = |(time, received): &(TimeNs, TimeNs)| Some((times.binary_search(time).ok()?, received.wrapping_sub(*time)));
    late.iter().filter_map(place).collect()
}

pub(super) fn encode(out: &mut Vec<u8>, places: &[(usize, i64)]) {
    put(out, places.len() as u64);
    ints::encode(out, &places.iter().map(|(place, _)| *place as i64).collect::<Vec<_>>());
    ints::encode_scaled(out, &places.iter().map(|(_, delay)| *delay).collect::<Vec<_>>());
}

/// Of a column of `count` readings. The places ascend.
pub(super) fn decode(from: &mut In<'_>, count: usize) -> Result<Vec<(usize, i64)>, Damaged> {
    let late = from.count(count)?;
    let places = ints::decode(from, late)?;
    let ascend = places.is_sorted_by(|a, b| a < b);
    let inside = places.iter().all(|place| usize::try_from(*place).is_ok_and(|place| place < count));
    if !ascend || !inside {
        return Err(Damaged::Malformed("late readings have no place"));
    }
    let delays = ints::decode_scaled(from, late)?;
    Ok(places.into_iter().map(|place| place.cast_unsigned() as usize).zip(delays).collect())
}

pub(super) fn late_of(times: &[TimeNs], places: &[(usize, i64)]) -> Vec<(TimeNs, TimeNs)> {
    places.iter().map(|(place, delay)| (times[*place], times[*place].wrapping_add(*delay))).collect()
}
