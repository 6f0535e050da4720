//! The times of many series. Series whose times have the same distances share a group: all that are read every 10 s are one,
//! and so are all metrics of one device, however it jitters. A group has its distances once; a series has its first time.

use telltale_wire::varint::put;

use super::bytes::In;
use super::{Damaged, MANY_MAX_POINTS, ints, texts, times};
use crate::keyed::KeyedMap;
use crate::model::TimeNs;

/// What says that the distances of a group stand in the column.
const IRREGULAR: i64 = 0;

/// The distances of one group: as many as it has times, but one.
struct Group {
    count: usize,
    steps: Vec<u64>,
    /// Their one distance, or [`IRREGULAR`].
    step: i64,
}

impl Group {
    fn of(times: &[TimeNs], steps: Vec<u64>) -> Self {
        let step = steps.first().filter(|_| times::regular(times)).map_or(IRREGULAR, |step| step.cast_signed());
        Self { count: times.len(), steps, step }
    }

    fn is_regular(&self) -> bool {
        self.step != IRREGULAR
    }

    fn times(&self, first: TimeNs) -> Result<Vec<TimeNs>, Damaged> {
        let far = Damaged::Malformed("times run past their end");
        if self.is_regular() {
            let span = self.step.cast_unsigned().checked_mul(self.count as u64 - 1).ok_or(far)?;
            return times::decode_regular(first, span, self.count);
        }
        let span = self.steps.iter().try_fold(0_u64, |span, step| span.checked_add(*step)).ok_or(far)?;
        times::from_steps(first, span, &self.steps)
    }
}

/// One slice of times a series, none empty.
pub(in crate::store::embedded) fn encode(out: &mut Vec<u8>, series: &[&[TimeNs]]) {
    let (groups, members) = grouped(series);
    put(out, groups.len() as u64);
    texts::encode_choices(out, &members);
    ints::encode(out, &groups.iter().map(|group| group.count as i64).collect::<Vec<_>>());
    ints::encode_scaled(out, &groups.iter().map(|group| group.step).collect::<Vec<_>>());
    ints::encode_scaled(out, &series.iter().map(|times| times[0]).collect::<Vec<_>>());
    let irregular = groups.iter().filter(|group| !group.is_regular()).flat_map(|group| group.steps.iter().copied());
    if irregular.clone().next().is_some() {
        times::encode_steps(out, irregular);
    }
}

/// The groups, in the order of first use, and which one each series is in.
fn grouped(series: &[&[TimeNs]]) -> (Vec<Group>, Vec<i64>) {
    let mut numbers: KeyedMap<Vec<u64>, i64> = KeyedMap::default();
    let mut groups = Vec::new();
    let mut members = Vec::with_capacity(series.len());
    for times in series {
        let steps: Vec<u64> = times::steps(times).collect();
        let number = numbers.get(&steps).copied().unwrap_or_else(|| {
            let number = groups.len() as i64;
            groups.push(Group::of(times, steps.clone()));
            numbers.insert(steps, number);
            number
        });
        members.push(number);
    }
    (groups, members)
}

/// The times of so many series; all together at most [`MANY_MAX_POINTS`].
pub(in crate::store::embedded) fn decode(from: &mut In<'_>, series: usize) -> Result<Vec<Vec<TimeNs>>, Damaged> {
    let groups = from.count(series)?;
    let members = texts::decode_choices(from, series, groups)?;
    let counts = counts(from, groups, &members)?;
    let steps = ints::decode_scaled(from, groups)?;
    let firsts = ints::decode_scaled(from, series)?;
    let irregular = counts.iter().zip(&steps).filter(|(_, step)| **step == IRREGULAR).map(|(count, _)| count - 1).sum();
    let columns = if irregular == 0 { Vec::new() } else { times::decode_steps(from, irregular)? };
    let mut rest = &columns[..];
    let mut groups = Vec::with_capacity(groups);
    for (&count, &step) in counts.iter().zip(&steps) {
        let own = if step == IRREGULAR { count - 1 } else { 0 };
        let (taken, behind) = rest.split_at(own);
        rest = behind;
        groups.push(Group { count, steps: taken.to_vec(), step });
    }
    members.iter().zip(firsts).map(|(member, first)| groups[*member].times(first)).collect()
}

fn counts(from: &mut In<'_>, groups: usize, members: &[usize]) -> Result<Vec<usize>, Damaged> {
    let bad = Damaged::Malformed("a chunk of many series has too many points");
    let counts: Option<Vec<usize>> = ints::decode(from, groups)?
        .into_iter()
        .map(|count| usize::try_from(count).ok().filter(|count| (1..=MANY_MAX_POINTS).contains(count)))
        .collect();
    let counts = counts.ok_or(bad)?;
    // Bounded by 1,000 times 65,536. A group without a series would hold points that nobody counts.
    let all = counts.iter().sum::<usize>();
    let total = members.iter().map(|member| counts[*member]).sum::<usize>();
    if all <= total && total <= MANY_MAX_POINTS { Ok(counts) } else { Err(bad) }
}
