//! Runs a plan: series by series, in chunks of bounded size, until done or nobody wants more. Blocking, pure but for the store.

use std::cell::RefCell;

use super::encode::Ending;
use super::encoder::Encoder;
use super::plan::{Plan, Planned};
use super::rows::bucket_rows;
use crate::http::series::Described;
use crate::http::stream::{ChunkSink, send};
use crate::limits::{HISTORY_CHUNK_BYTES, HISTORY_HELD_BYTES};
use crate::model::ValueType;
use crate::query::request::{Format, History, Shape};
use crate::query::run::Run;
use crate::query::source::{self, Part};
use crate::query::thin::Thinner;
use crate::store::{Coarse, StoreError};

/// Points written before it is looked whether what there is should go out: pieces are about of one size, and none takes new memory while it
/// grows.
const POINTS_AT_ONCE: usize = 1024;

/// How often an answer is begun: days expire one by one.
const ATTEMPTS: usize = 4;

/// Why an answer that had begun was not finished.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("the client went")]
    ClientGone,
    #[error(transparent)]
    Store(#[from] StoreError),
    /// MessagePack told a number of points, and the store changed since.
    #[error("{series} has {found} points where {told} were counted")]
    Changed { series: String, told: usize, found: usize },
    /// MessagePack tells a number of rows before them.
    #[error("the rows of a series take more than {} bytes, which MessagePack holds back; json and ndjson do not", HISTORY_HELD_BYTES)]
    TooLarge,
    /// An export is whole or none.
    #[error("it would not be whole: {0}")]
    Incomplete(String),
}

/// Writes the answer. Where the store changed under it (a day expired) before anything went out, its question is planned anew.
pub fn write_or_anew(mut plan: Plan, sink: &mut ChunkSink<'_>, mut anew: impl FnMut(History) -> Option<Plan>) -> Result<(), Broken> {
    for _ in 1..ATTEMPTS {
        let mut has_begun = false;
        let done = write(&plan, &mut |chunk| {
            has_begun |= !chunk.is_empty();
            sink(chunk)
        });
        if has_begun || !matches!(done, Err(Broken::Changed { .. })) {
            return done;
        }
        let Some(new) = anew(plan.question.clone()) else { return done };
        plan = new;
    }
    write(&plan, sink)
}

pub fn write(plan: &Plan, sink: &mut ChunkSink<'_>) -> Result<(), Broken> {
    let question = &plan.question;
    let mut answer = Answer { encoder: Encoder::new(question), sink: RefCell::new(sink), has_gone: false };
    answer.encoder.begin(plan.groups.as_ref().map_or(plan.series.len(), Vec::len), plan.retained_from.is_some());
    match &plan.groups {
        Some(groups) => groups.iter().try_for_each(|group| answer.group(plan, group))?,
        None => plan.series.iter().try_for_each(|planned| answer.series(plan, planned))?,
    }
    answer.encoder.end(Ending {
        thinned: matches!(question.shape, Shape::Thin(_)),
        is_rolled: answer.has_gone,
        retained_from: plan.retained_from,
        incomplete: plan.incomplete(),
    });
    if flush(&mut answer.encoder, &answer.sink) { Ok(()) } else { Err(Broken::ClientGone) }
}

/// Shared by what tells points and what asks whether somebody still reads.
pub(super) type Sink<'a, 'b> = RefCell<&'a mut ChunkSink<'b>>;

pub(super) struct Answer<'a, 'b> {
    pub(super) encoder: Encoder,
    pub(super) sink: Sink<'a, 'b>,
    /// Some of the answer was made of rollups, since the readings are not kept any more.
    pub(super) has_gone: bool,
}

impl Answer<'_, '_> {
    fn series(&mut self, plan: &Plan, planned: &Planned) -> Result<(), Broken> {
        let told = matches!(plan.question.shape, Shape::Raw).then_some(planned.points);
        self.encoder.begin_series(&Described::of(&planned.series), told);
        if !self.points(plan, planned)? {
            return Err(self.why_not());
        }
        let found = self.encoder.end_series();
        match told {
            Some(told) if told != found && plan.question.format == Format::MessagePack => {
                Err(Broken::Changed { series: planned.series.key.to_string(), told, found })
            }
            _ => Ok(()),
        }
    }

    /// Says whether more is wanted.
    fn points(&mut self, plan: &Plan, planned: &Planned) -> Result<bool, StoreError> {
        let (range, view, past, id) = (plan.range(), &planned.view, plan.past(), planned.series.id);
        match &plan.question.shape {
            Shape::Raw | Shape::Thin(_) if range.from >= range.to => Ok(true),
            Shape::Raw => source::scan(view, past, id, range, &mut |run| self.raw(&run, plan.question.received)),
            Shape::Thin(columns) => {
                let mut thinner = Thinner::new(range, *columns, planned.value_type);
                let (mut wanted, mut has_gone) = (true, false);
                let mut point = |time, value| {
                    self.encoder.point(time, &value);
                    flush_if_full(&mut self.encoder, &self.sink)
                };
                let columns = thinner.columns();
                let is_number = planned.value_type == ValueType::Number;
                let may_come = if is_number { Coarse::Columns(&columns) } else { Coarse::WhereGone };
                source::scan_coarse(view, past, id, range, may_come, &mut |part| {
                    has_gone |= matches!(part, Part::Summary { is_gone: true, .. });
                    wanted = match part {
                        Part::Run(run) => thinner.push(run, &mut point),
                        Part::Summary { summary, .. } => thinner.push_summary(summary, &mut point),
                        // They come in place of buckets alone.
                        Part::Totals(_) => true,
                    };
                    wanted = wanted && is_wanted(&self.sink);
                    wanted
                })?;
                let wanted = wanted && thinner.finish(&mut point);
                self.has_gone |= has_gone;
                Ok(wanted)
            }
            Shape::Buckets { .. } => {
                let mut row = |time, row: &[_]| {
                    self.encoder.row(time, row);
                    flush_if_full(&mut self.encoder, &self.sink)
                };
                let rows = bucket_rows(plan, planned, &|| is_wanted(&self.sink), &mut row)?;
                self.has_gone |= rows.has_gone;
                Ok(rows.wanted)
            }
        }
    }

    fn why_not(&self) -> Broken {
        if self.encoder.held_bytes() > HISTORY_HELD_BYTES { Broken::TooLarge } else { Broken::ClientGone }
    }

    fn raw(&mut self, run: &Run<'_>, received: bool) -> bool {
        let mut rest = *run;
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(rest.len().min(POINTS_AT_ONCE));
            if received {
                (0..part.len()).for_each(|i| self.encoder.point_received(part.time(i), &part.value(i), part.received(i)));
            } else {
                self.encoder.run(&part);
            }
            if !flush_if_full(&mut self.encoder, &self.sink) {
                return false;
            }
            rest = behind;
        }
        true
    }
}

/// Whether somebody still reads the answer.
pub(super) fn is_wanted(sink: &Sink<'_, '_>) -> bool {
    (sink.borrow_mut())(Vec::new())
}

pub(super) fn flush_if_full(encoder: &mut Encoder, sink: &Sink<'_, '_>) -> bool {
    if encoder.held_bytes() > HISTORY_HELD_BYTES {
        return false;
    }
    encoder.take(HISTORY_CHUNK_BYTES).is_none_or(|out| send(&mut **sink.borrow_mut(), out))
}

fn flush(encoder: &mut Encoder, sink: &Sink<'_, '_>) -> bool {
    encoder.take(0).is_none_or(|out| send(&mut **sink.borrow_mut(), out))
}
