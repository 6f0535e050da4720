//! What the series of an answer are told to: text as they come (`encode`), or columns of Parquet, which are ready row group by row group.

use super::encode::{Ending, Form, TextEncoder};
use crate::http::series::Described;
use crate::model::{TimeNs, Value};
#[cfg(feature = "parquet")]
use crate::query::buckets::Agg;
use crate::query::request::{Format, History, Shape};
use crate::query::run::Run;
#[cfg(feature = "parquet")]
use crate::rows::parquet::write::{Cell, Names, Sheet};

#[derive(Debug)]
pub(super) enum Encoder {
    Text(TextEncoder),
    #[cfg(feature = "parquet")]
    Parquet {
        sheet: Box<Sheet>,
        points: usize,
    },
}

impl Encoder {
    #[must_use]
    pub(super) fn new(question: &History) -> Self {
        let columns = || match &question.shape {
            Shape::Raw if question.received => vec!["value", "received"],
            Shape::Raw | Shape::Thin(_) => vec!["value"],
            Shape::Buckets { aggs, .. } => aggs.iter().map(|agg| agg.as_str()).collect(),
        };
        let text = |form| Self::Text(TextEncoder::new(form, question.time, columns()));
        match question.format {
            Format::Json => text(Form::Json),
            Format::Csv => text(Form::Csv),
            Format::Ndjson => text(Form::Ndjson),
            Format::MessagePack => text(Form::MessagePack),
            #[cfg(feature = "parquet")]
            Format::Parquet => Self::Parquet { sheet: Box::new(Sheet::new(cells(question))), points: 0 },
        }
    }

    pub(super) fn begin(&mut self, series: usize, retained_from: bool) {
        match self {
            Self::Text(text) => text.begin(series, retained_from),
            #[cfg(feature = "parquet")]
            Self::Parquet { .. } => {}
        }
    }

    /// `points`: how many will come, where it is known.
    pub(super) fn begin_series(&mut self, series: &Described<'_>, points: Option<usize>) {
        match self {
            Self::Text(text) => text.begin_series(series, points),
            #[cfg(feature = "parquet")]
            Self::Parquet { sheet, points } => name(sheet, points, series),
        }
    }

    /// Of so many series, whose rows were put together.
    pub(super) fn begin_group(&mut self, common: &Described<'_>, series: usize, rows: usize) {
        match self {
            Self::Text(text) => text.begin_group(common, series, rows),
            #[cfg(feature = "parquet")]
            Self::Parquet { sheet, points } => name(sheet, points, common),
        }
    }

    pub(super) fn point(&mut self, time: TimeNs, value: &Value) {
        match self {
            Self::Text(text) => text.point(time, value),
            #[cfg(feature = "parquet")]
            Self::Parquet { sheet, points } => {
                sheet.row(time, [Some(value)]);
                *points += 1;
            }
        }
    }

    /// Every point of a run.
    pub(super) fn run(&mut self, run: &Run<'_>) {
        match self {
            Self::Text(text) => text.run(run),
            #[cfg(feature = "parquet")]
            Self::Parquet { .. } => (0..run.len()).for_each(|i| self.point(run.time(i), &run.value(i))),
        }
    }

    /// With when it was received.
    pub(super) fn point_received(&mut self, time: TimeNs, value: &Value, received: Option<TimeNs>) {
        match self {
            Self::Text(text) => text.point_received(time, value, received),
            #[cfg(feature = "parquet")]
            Self::Parquet { sheet, points } => {
                sheet.row(time, [Some(value), received.map(Value::Int).as_ref()]);
                *points += 1;
            }
        }
    }

    pub(super) fn row(&mut self, time: TimeNs, row: &[Option<Value>]) {
        match self {
            Self::Text(text) => text.row(time, row),
            #[cfg(feature = "parquet")]
            Self::Parquet { sheet, points } => {
                sheet.row(time, row.iter().map(Option::as_ref));
                *points += 1;
            }
        }
    }

    /// What waits until the number of rows is known.
    #[must_use]
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.held_bytes(),
            #[cfg(feature = "parquet")]
            Self::Parquet { .. } => 0,
        }
    }

    /// How many points the series got.
    pub(super) fn end_series(&mut self) -> usize {
        match self {
            Self::Text(text) => text.end_series(),
            #[cfg(feature = "parquet")]
            Self::Parquet { points, .. } => *points,
        }
    }

    pub(super) fn end(&mut self, ending: Ending) {
        match self {
            Self::Text(text) => text.end(ending),
            #[cfg(feature = "parquet")]
            Self::Parquet { sheet, .. } => {
                sheet.say("thinned", ending.thinned.to_string());
                sheet.say("source", if ending.is_rolled { "rollup" } else { "readings" }.to_owned());
                if let Some(from) = ending.retained_from {
                    sheet.say("retained_from", crate::query::time::rfc3339(from).to_string());
                }
                if let Some(why) = ending.incomplete {
                    sheet.say("incomplete", why);
                }
                sheet.finish();
            }
        }
    }

    /// What is ready to be sent on, if that is so many bytes.
    pub(super) fn take(&mut self, enough: usize) -> Option<Vec<u8>> {
        let text = match self {
            Self::Text(text) => text,
            #[cfg(feature = "parquet")]
            Self::Parquet { sheet, .. } => return Some(sheet.out()).filter(|out| !out.is_empty()),
        };
        (text.out.len() >= enough).then(|| {
            let next = Vec::with_capacity(text.out.capacity());
            std::mem::replace(&mut text.out, next)
        })
    }
}

#[cfg(feature = "parquet")]
fn name(sheet: &mut Sheet, points: &mut usize, series: &Described<'_>) {
    let labels = serde_json::to_string(&series.labels).expect("a map of texts is JSON");
    let (device, metric, unit, kind) = (series.device, series.metric, series.unit.as_deref(), Some(series.kind));
    sheet.series(Names { device, metric, labels: &labels, unit, kind });
    *points = 0;
}

/// The columns of an answer, known by the question alone.
#[cfg(feature = "parquet")]
fn cells(question: &History) -> Vec<(&'static str, Cell)> {
    let of = |agg: Agg| match (agg, question.shape.grouping().map(|grouping| grouping.together)) {
        (Agg::TimeInState, _) => Cell::Text,
        (_, Some(crate::query::groups::Together::Mean)) => Cell::Float,
        (Agg::Count, _) => Cell::Int,
        (Agg::Mean | Agg::StdDev | Agg::P50 | Agg::P90 | Agg::P99 | Agg::Rate, _) => Cell::Float,
        (Agg::First | Agg::Last, None) => Cell::Any,
        (Agg::First | Agg::Last | Agg::Min | Agg::Max | Agg::Sum | Agg::Increase, _) => Cell::Number,
    };
    match &question.shape {
        Shape::Raw if question.received => vec![("value", Cell::Any), ("received", Cell::Time)],
        Shape::Raw | Shape::Thin(_) => vec![("value", Cell::Any)],
        Shape::Buckets { aggs, .. } => aggs.iter().map(|agg| (agg.as_str(), of(*agg))).collect(),
    }
}
