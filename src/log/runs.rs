//! The readings of a batch in a commit record (FORMAT.md, "Commit record"): runs of one series each, one behind the other. A run is
//! unpacked, or gone past: both take the same bytes and refuse the same bytes. Pure.

use std::slice;

use telltale_wire::WireError;
use telltale_wire::reader::Reader;
use telltale_wire::varint::unzigzag;

use super::values::{self, Form, bad};
use crate::model::{SeriesId, TimeNs, Value};
use crate::replayed::{Column, Stretch};

/// Times and values of some runs, in columns. The room is used again.
#[derive(Debug, Default)]
pub(crate) struct Unpacked {
    runs: Vec<Run>,
    pub(super) times: Vec<TimeNs>,
    pub(super) floats: Vec<f64>,
    pub(super) ints: Vec<i64>,
    pub(super) others: Vec<Value>,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    series: SeriesId,
    received: TimeNs,
    form: Form,
    count: usize,
    /// Where its times and its values begin.
    time: usize,
    value: usize,
}

impl Unpacked {
    pub(crate) fn readings(&self) -> usize {
        self.times.len()
    }

    pub(crate) fn stretches(&self) -> impl Iterator<Item = Stretch<'_>> {
        self.runs.iter().map(|run| {
            let range = run.value..run.value + run.count;
            Stretch {
                series: run.series,
                received: run.received,
                times: &self.times[run.time..run.time + run.count],
                values: match run.form {
                    Form::Float => Column::Float(&self.floats[range]),
                    Form::Int => Column::Int(&self.ints[range]),
                    Form::Other => Column::Other(&self.others[range]),
                },
            }
        })
    }

    pub(crate) fn clear(&mut self) {
        self.runs.clear();
        self.times.clear();
        self.floats.clear();
        self.ints.clear();
        self.others.clear();
    }
}

/// Goes over the runs of a batch. `run` is given the series and the time that the first of its times builds on, takes the run, and says
/// its first time.
pub(super) fn walk<'a>(
    r: &mut Reader<'a>,
    received: TimeNs,
    mut run: impl FnMut(&mut Reader<'a>, SeriesId, TimeNs) -> Result<TimeNs, WireError>,
) -> Result<(), WireError> {
    let (mut id, mut time) = (0_i64, received);
    for _ in 0..r.count("runs", 4)? {
        let at = r.at();
        id = id.wrapping_add(unzigzag(r.varint("series id")?));
        let series = u32::try_from(id).map(SeriesId).map_err(|_| bad("series id", at, id.cast_unsigned(), "an id"))?;
        time = run(r, series, time)?;
    }
    Ok(())
}

/// Puts a run behind those that are unpacked, and says its first time, which builds on `before`.
pub(crate) fn unpack(
    r: &mut Reader<'_>,
    series: SeriesId,
    (before, received): (TimeNs, TimeNs),
    into: &mut Unpacked,
) -> Result<TimeNs, WireError> {
    let (count, tag) = header(r)?;
    let form = values::form_of(tag);
    let value = match form {
        Form::Float => into.floats.len(),
        Form::Int => into.ints.len(),
        Form::Other => into.others.len(),
    };
    let start = into.times.len();
    into.runs.push(Run { series, received, form, count, time: start, value });
    let mut time = before;
    let mut times = places(&mut into.times, count);
    r.varints("time", count, |delta| {
        time = time.wrapping_add(unzigzag(delta));
        put(&mut times, time);
    })?;
    values::decode_values(r, tag, count, into)?;
    Ok(into.times[start])
}

/// Places for so many more, each to be written once: that costs less than to ask each time whether there is room.
pub(super) fn places(room: &mut Vec<i64>, count: usize) -> slice::IterMut<'_, i64> {
    let start = room.len();
    room.resize(start + count, 0);
    room[start..].iter_mut()
}

pub(super) fn put(places: &mut slice::IterMut<'_, i64>, value: i64) {
    if let Some(place) = places.next() {
        *place = value;
    }
}

/// Its first time, and how many readings it has.
pub(super) fn skip(r: &mut Reader<'_>, before: TimeNs) -> Result<(TimeNs, usize), WireError> {
    let (count, tag) = header(r)?;
    let first = before.wrapping_add(unzigzag(r.varint("time")?));
    r.skip_varints("time", count as u64 - 1)?;
    values::skip_values(r, tag, count)?;
    Ok((first, count))
}

/// How many readings, and the tag of their values.
fn header(r: &mut Reader<'_>) -> Result<(usize, u64), WireError> {
    let at = r.at();
    let header = r.varint("run header")?;
    let (count, tag) = (header >> 4, header & 15);
    // A reading of a run takes at least two bytes, a time and a value: no room is made for more than are there.
    if count == 0 || count.saturating_mul(2) > r.left() as u64 {
        return Err(bad("run length", at, count, "what the record can hold"));
    }
    Ok((count as usize, tag))
}
