//! The readings of a batch in a commit record (FORMAT.md, "Commit record"): runs of one series each, one behind the other. A run is
//! unpacked, or gone past: both take the same bytes and refuse the same bytes. Pure.

use std::slice;

use telltale_wire::WireError;
use telltale_wire::reader::Reader;
use telltale_wire::varint::unzigzag;

use super::values::{self, Form, bad};
use crate::model::{Reading, SeriesId, TimeNs, Value};
use crate::replayed::Column;

/// Times and values of one run. Its room is used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Unpacked {
    times: Vec<TimeNs>,
    form: Form,
    pub(super) floats: Vec<f64>,
    pub(super) ints: Vec<i64>,
    pub(super) others: Vec<Value>,
}

impl Unpacked {
    pub(crate) fn times(&self) -> &[TimeNs] {
        &self.times
    }

    pub(crate) fn values(&self) -> Column<'_> {
        match self.form {
            Form::Float => Column::Float(&self.floats),
            Form::Int => Column::Int(&self.ints),
            Form::Other => Column::Other(&self.others),
        }
    }

    /// Hands its readings over.
    pub(super) fn take(&mut self, series: SeriesId, out: &mut Vec<Reading>) {
        let times = self.times.drain(..);
        let reading = |(time, value)| Reading { series, time, value };
        match self.form {
            Form::Float => out.extend(times.zip(self.floats.drain(..).map(Value::Float)).map(reading)),
            Form::Int => out.extend(times.zip(self.ints.drain(..).map(Value::Int)).map(reading)),
            Form::Other => out.extend(times.zip(self.others.drain(..)).map(reading)),
        }
    }

    fn clear(&mut self) {
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

/// Its first time.
pub(crate) fn unpack(r: &mut Reader<'_>, before: TimeNs, into: &mut Unpacked) -> Result<TimeNs, WireError> {
    let (count, tag) = header(r)?;
    into.clear();
    into.form = values::form_of(tag);
    let mut time = before;
    let mut times = filled(&mut into.times, count);
    r.steady_varints("time", count, |delta| {
        time = time.wrapping_add(unzigzag(delta));
        put(&mut times, time);
    })?;
    values::decode_values(r, tag, count, into)?;
    Ok(into.times[0])
}

/// Places for so many, each to be written once: that costs less than to ask each time whether there is room.
pub(super) fn filled(room: &mut Vec<i64>, count: usize) -> slice::IterMut<'_, i64> {
    room.clear();
    room.resize(count, 0);
    room.iter_mut()
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
