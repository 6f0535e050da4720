//! Everything that is decided before the first byte: which series, frozen at one commit; whether the answer fits its bounds;
//! whether the aggregates fit the types. After this only the disk can fail.

use std::sync::Arc;

use crate::auth::access::Scope;
use crate::head::{ColumnView, Head};
use crate::limits::HISTORY_BUCKETS;
use crate::model::{Position, SeriesId, TimeNs, TimeRange, ValueType};
use crate::query::error::{QueryCode, QueryError};
use crate::query::fill::Fill;
use crate::query::reach::reachable;
use crate::query::request::{History, Shape};
use crate::query::selector::Attributes;
use crate::query::source::{self, Past};
use crate::retention::Retention;
use crate::series::{Series, SeriesTable};
use crate::store::{Pin, Store};

/// Where an answer is read from.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    pub series: &'a SeriesTable,
    pub head: &'a Head,
    pub store: Option<&'a Arc<dyn Store>>,
    pub retention: &'a Retention,
}

#[derive(Debug)]
pub struct Plan {
    pub question: History,
    /// The commit whose state the head's part shows.
    pub position: Position,
    pub series: Vec<Planned>,
    pub store: Option<Arc<dyn Store>>,
    /// The store does not answer, and why: what the head let go of is missing.
    pub cut: Option<String>,
    pub pin: Pin,
    /// Where the retention of a series of the answer begins, if that is within the range; the latest of them.
    pub retained_from: Option<TimeNs>,
}

/// One series of the answer, frozen.
#[derive(Debug)]
pub struct Planned {
    pub series: Arc<Series>,
    pub value_type: ValueType,
    pub view: ColumnView,
    /// Readings in the range.
    pub points: usize,
}

impl Plan {
    /// Blocking: with a store, counting reads it.
    pub fn make(
        question: History,
        sources: Sources<'_>,
        scope: &Scope,
        attributes: &dyn Attributes,
        max_points: usize,
    ) -> Result<Self, QueryError> {
        let found = reachable(sources.series, &question.selectors, scope, attributes);
        check_types(&question.shape, &found)?;
        let ids: Vec<SeriesId> = found.iter().map(|series| series.id).collect();
        let frozen = sources.head.view(&ids, question.range);
        let floors = found.iter().filter_map(|series| sources.retention.floor(series));
        let retained_from = floors.max().filter(|floor| *floor > question.range.from);
        let count = |store: Option<&Arc<dyn Store>>| {
            store.filter(|_| !found.is_empty() && frozen.pin.sealed() > Position(0)).map_or(Ok(()), |store| store.probe())?;
            let mut budget = Budget::new(&question, max_points);
            let counted = found.iter().zip(&frozen.columns).map(|(one, view)| {
                let past = store.map(|store| Past { store: &**store, pin: &frozen.pin });
                let points = source::count(view, past, one.id, question.range, budget.enough())?;
                budget.spend(points)?;
                Ok(points)
            });
            counted.collect::<Result<Vec<usize>, QueryError>>()
        };
        let (points, store, cut) = match count(sources.store) {
            // What the head has is answered all the same.
            Err(error) if error.code == QueryCode::StoreAway && frozen.columns.iter().any(|view| view.points() > 0) => {
                (count(None)?, None, Some(error.message))
            }
            counted => (counted?, sources.store.map(Arc::clone), None),
        };
        let planned = |((series, view), points): ((Arc<Series>, ColumnView), usize)| Planned {
            value_type: series.value_type().unwrap_or(ValueType::Number),
            series,
            view,
            points,
        };
        let series = found.into_iter().zip(frozen.columns).zip(points).map(planned).collect();
        Ok(Self { question, position: frozen.position, series, store, cut, pin: frozen.pin, retained_from })
    }
}

fn check_types(shape: &Shape, series: &[Arc<Series>]) -> Result<(), QueryError> {
    let Shape::Buckets { aggs, fill, .. } = shape else {
        return Ok(());
    };
    for one in series {
        let value_type = one.value_type().unwrap_or(ValueType::Number);
        if let Some(agg) = aggs.iter().find(|agg| !agg.fits(value_type)) {
            let message = format!("agg={}: {} holds {}, which has only first, last and count", agg.as_str(), one.key, value_type.as_str());
            return Err(QueryError::parameter(message).with_hint("name the numbers in select, or ask for first, last or count"));
        }
        if let Some(agg) = aggs.iter().find(|agg| !fill.fits(**agg, value_type)) {
            let (fill, agg) = (fill.as_str(), agg.as_str());
            let message = format!("fill={fill}: {} holds {}, of which no {agg} can be made up", one.key, value_type.as_str());
            return Err(QueryError::parameter(message).with_hint("name the numbers in select, or ask for fill=null or previous"));
        }
    }
    Ok(())
}

/// What an answer may hold, spent series by series.
struct Budget {
    left: usize,
    max: usize,
    of: Of,
}

enum Of {
    Readings,
    Columns(usize),
    Buckets(usize),
    /// Each bucket is told, whether it holds readings or not.
    AllBuckets(usize),
}

impl Budget {
    fn new(question: &History, max_points: usize) -> Self {
        let (max, of) = match &question.shape {
            Shape::Raw => (max_points, Of::Readings),
            Shape::Thin(columns) => (max_points, Of::Columns(2 * *columns as usize + 2)),
            Shape::Buckets { grid, fill, .. } => {
                let most = usize::try_from(grid.buckets_in(question.range)).unwrap_or(usize::MAX);
                (HISTORY_BUCKETS, if *fill == Fill::None { Of::Buckets(most) } else { Of::AllBuckets(most) })
            }
        };
        Self { left: max, max, of }
    }

    /// Counting may stop beyond this many readings of a series.
    fn enough(&self) -> usize {
        match self.of {
            Of::Readings => self.left,
            Of::Columns(most) => most,
            Of::Buckets(most) => most.min(self.left),
            Of::AllBuckets(_) => 0,
        }
    }

    fn spend(&mut self, readings: usize) -> Result<(), QueryError> {
        let (spent, what, hint) = match self.of {
            Of::Readings => (readings, "readings", "ask for a shorter range, fewer series, points=N, or every= with agg="),
            Of::Columns(most) => (readings.min(most), "points", "ask for fewer points or series"),
            Of::Buckets(most) => (readings.min(most), "buckets", "ask for a longer every or fewer series"),
            Of::AllBuckets(most) => (most, "buckets", "ask for a longer every, a shorter range or fewer series, or leave fill out"),
        };
        self.left = self.left.checked_sub(spent).ok_or_else(|| {
            QueryError::new(QueryCode::TooManyPoints, format!("the answer would hold more than {} {what}", self.max)).with_hint(hint)
        })?;
        Ok(())
    }
}

impl Plan {
    #[must_use]
    pub fn past(&self) -> Option<Past<'_>> {
        self.store.as_ref().map(|store| Past { store: &**store, pin: &self.pin })
    }

    /// Why something is missing that the store has or will have; None as far as is known by now.
    #[must_use]
    pub fn lacks(&self) -> Option<String> {
        self.cut.clone().or_else(|| self.store.as_ref()?.lacks(&self.pin))
    }

    /// The same, and what was found to be unreadable, now that the answer was read.
    #[must_use]
    pub fn incomplete(&self) -> Option<String> {
        let is_damaged = |one: &Planned| self.store.as_ref().is_some_and(|store| store.is_damaged(one.series.id, self.range()));
        let damaged =
            || self.series.iter().find(|one| is_damaged(one)).map(|one| format!("something of {} could not be read", one.series.key));
        self.lacks().or_else(damaged)
    }

    #[must_use]
    pub fn range(&self) -> TimeRange {
        self.question.range
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(shape: &str, readings: &[usize]) -> Result<(), QueryError> {
        let query = format!("select=*/*&from=0s&to=100000000s{shape}");
        let question = History::parse(query.split('&').filter_map(|pair| pair.split_once('=')), 0).unwrap();
        let mut budget = Budget::new(&question, 20_000_000);
        readings.iter().try_for_each(|readings| budget.spend(*readings))
    }

    #[test]
    fn an_answer_is_bounded_by_what_it_holds_not_by_what_it_reads() {
        let rows: &[(&str, &[usize], bool)] = &[
            ("", &[20_000_000], true),
            ("", &[10_000_000, 10_000_001], false),
            ("&points=800", &[1_000_000_000; 1000], true),
            ("&points=100000", &[1_000_000_000; 100], false),
            ("&every=1s&agg=mean", &[HISTORY_BUCKETS], true),
            ("&every=1s&agg=mean", &[HISTORY_BUCKETS, 1], false),
            ("&every=1d&agg=mean", &[1_000_000_000; 800], true),
            ("&agg=mean", &[1_000_000_000; 100_000], true),
            ("&every=1d&agg=mean&tz=Asia/Kathmandu", &[1_000_000_000; 800], true),
            ("&every=100s&agg=mean&fill=null", &[1], true),
            ("&every=100s&agg=mean&fill=null", &[0, 0], false),
        ];
        for (shape, readings, fits) in rows {
            assert_eq!(spent(shape, readings).is_ok(), *fits, "{shape} {} series", readings.len());
        }
    }
}
