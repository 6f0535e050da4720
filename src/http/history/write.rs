//! Runs a plan: series by series, in chunks of bounded size, until done or nobody wants more. Blocking, pure but for the store.

use super::encode::{Encoder, Ending};
use super::plan::{Plan, Planned};
use super::readings;
use crate::http::series::Described;
use crate::http::stream::ChunkSink;
use crate::limits::{HISTORY_CHUNK_BYTES, HISTORY_HELD_BYTES};
use crate::model::ValueType;
use crate::query::buckets::Buckets;
use crate::query::fill::Filler;
use crate::query::request::{Format, Shape};
use crate::query::run::Run;
use crate::query::source::{self, Part};
use crate::query::thin::Thinner;
use crate::store::{Coarse, StoreError};

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

pub fn write(plan: &Plan, sink: &mut ChunkSink<'_>) -> Result<(), Broken> {
    let question = &plan.question;
    let columns = match &question.shape {
        Shape::Raw if question.received => vec!["value", "received"],
        Shape::Raw | Shape::Thin(_) => vec!["value"],
        Shape::Buckets { aggs, .. } => aggs.iter().map(|agg| agg.as_str()).collect(),
    };
    let mut answer = Answer { encoder: Encoder::new(question.format, question.time, columns), sink, has_gone: false };
    answer.encoder.begin(plan.series.len(), plan.retained_from.is_some());
    for planned in &plan.series {
        answer.series(plan, planned)?;
    }
    answer.encoder.end(Ending {
        thinned: matches!(question.shape, Shape::Thin(_)),
        is_rolled: answer.has_gone,
        retained_from: plan.retained_from,
        incomplete: plan.incomplete(),
    });
    if answer.flush() { Ok(()) } else { Err(Broken::ClientGone) }
}

struct Answer<'a, 'b> {
    encoder: Encoder,
    sink: &'a mut ChunkSink<'b>,
    /// Some of the answer was made of rollups, since the readings are not kept any more.
    has_gone: bool,
}

impl Answer<'_, '_> {
    fn series(&mut self, plan: &Plan, planned: &Planned) -> Result<(), Broken> {
        let told = matches!(plan.question.shape, Shape::Raw).then_some(planned.points);
        self.encoder.begin_series(&Described::of(&planned.series), told);
        let range = plan.range();
        let (view, past, id) = (&planned.view, plan.past(), planned.series.id);
        let (mut wanted, mut has_gone) = (true, false);
        let mut coarse = |coarse: Coarse<'_>, each: &mut source::PartSink<'_>| {
            source::scan_coarse(view, past, id, range, coarse, &mut |part| {
                has_gone |= matches!(part, Part::Summary { is_gone: true, .. });
                wanted = each(part);
                wanted
            })?;
            Ok::<bool, StoreError>(std::mem::replace(&mut wanted, true))
        };
        let wanted = match &plan.question.shape {
            Shape::Raw => range.from >= range.to || source::scan(view, past, id, range, &mut |run| self.raw(&run, plan.question.received))?,
            Shape::Thin(columns) if range.from < range.to => {
                let mut thinner = Thinner::new(range, *columns, planned.value_type);
                let mut point = |time, value| {
                    self.encoder.point(time, &value);
                    self.flush_if_full()
                };
                let columns = thinner.columns();
                let mut part = |part: Part<'_>| match part {
                    Part::Run(run) => thinner.push(run, &mut point),
                    Part::Summary { summary, .. } => thinner.push_summary(summary, &mut point),
                    // They come in place of buckets alone.
                    Part::Totals(_) => true,
                };
                let is_number = planned.value_type == ValueType::Number;
                let may_come = if is_number { Coarse::Columns(&columns) } else { Coarse::WhereGone };
                coarse(may_come, &mut part)? && thinner.finish(&mut point)
            }
            Shape::Thin(_) => true,
            Shape::Buckets { grid, aggs, fill } => {
                let mut buckets = Buckets::new(aggs, grid, range).known_until(plan.question.now);
                if let Some(before) = readings::before(plan, planned)? {
                    buckets.begin_after(before);
                }
                let mut filler = Filler::new(*fill, grid, aggs, range);
                let mut told = |time, row: &[_]| {
                    self.encoder.row(time, row);
                    self.flush_if_full()
                };
                let mut row = |time, row: &[_]| filler.push(time, row, &mut told);
                let mut part = |part: Part<'_>| match part {
                    Part::Run(run) => buckets.push(run, &mut row),
                    Part::Summary { summary, .. } => buckets.push_summary(summary, &mut row),
                    Part::Totals(totals) => buckets.push_totals(totals, &mut row),
                };
                coarse(Coarse::Buckets { grid, aggs }, &mut part)? && buckets.finish(&mut row) && filler.finish(&mut told)
            }
        };
        self.has_gone |= has_gone;
        if !wanted {
            return Err(if self.encoder.held_bytes() > HISTORY_HELD_BYTES { Broken::TooLarge } else { Broken::ClientGone });
        }
        let found = self.encoder.end_series();
        match told {
            Some(told) if told != found && plan.question.format == Format::MessagePack => {
                Err(Broken::Changed { series: planned.series.key.to_string(), told, found })
            }
            _ => Ok(()),
        }
    }

    fn raw(&mut self, run: &Run<'_>, received: bool) -> bool {
        for i in 0..run.len() {
            match received {
                true => self.encoder.point_received(run.time(i), &run.value(i), run.received(i)),
                false => self.encoder.point(run.time(i), &run.value(i)),
            }
        }
        self.flush_if_full()
    }

    fn flush_if_full(&mut self) -> bool {
        if self.encoder.held_bytes() > HISTORY_HELD_BYTES {
            return false;
        }
        self.encoder.out.len() < HISTORY_CHUNK_BYTES || self.flush()
    }

    fn flush(&mut self) -> bool {
        let next = Vec::with_capacity(self.encoder.out.capacity());
        (self.sink)(std::mem::replace(&mut self.encoder.out, next))
    }
}
