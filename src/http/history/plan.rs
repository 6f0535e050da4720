//! Everything that is decided before the first byte: which series, frozen at one commit; whether the answer fits its bounds;
//! whether the aggregates fit the types. After this only the disk can fail.

use std::sync::Arc;

use jiff::Timestamp;

use super::budget::Budget;
use super::readings;
use crate::auth::access::Scope;
use crate::head::{ColumnView, Head};
use crate::limits::{LOOK_BACK, QUANTILE_READINGS};
use crate::model::{Kind, Position, SeriesId, TimeNs, TimeRange, ValueType};
use crate::query::buckets::Agg;
use crate::query::error::{QueryCode, QueryError};
use crate::query::groups::{Group, Together};
use crate::query::reach::reachable;
use crate::query::request::{History, Shape};
use crate::query::selector::Attributes;
use crate::query::source::{self, Past};
use crate::retention::Retention;
use crate::series::{Series, SeriesTable};
use crate::store::{Pin, Store, StoreError, Unreadable};

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
    /// Which of them become one, where that was asked for.
    pub groups: Option<Vec<Group>>,
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
    /// What lies before the range, where an aggregate looks back.
    pub earlier: Option<ColumnView>,
    /// Readings in the range. Where the answer is within its bounds whatever there is, they are not counted: 0.
    pub points: usize,
}

impl Plan {
    /// Blocking: with a store, counting reads it, series by series; given up when `is_wanted` says no.
    pub fn make(
        question: History,
        sources: Sources<'_>,
        scope: &Scope,
        attributes: &dyn Attributes,
        max_points: usize,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Self, QueryError> {
        let found = reachable(sources.series, &question.selectors, scope, attributes);
        check_types(&question.shape, &found)?;
        let groups = question.shape.grouping().map(|grouping| {
            let keys: Vec<_> = found.iter().map(|series| &series.key).collect();
            grouping.divide(&keys, attributes)
        });
        let ids: Vec<SeriesId> = found.iter().map(|series| series.id).collect();
        let looks_back = question.shape.aggs().iter().any(|agg| agg.looks_back());
        let earlier = before(question.range);
        let wide = if looks_back { TimeRange { from: earlier.from, ..question.range } } else { question.range };
        let frozen = sources.head.view(&ids, wide);
        let views: Vec<_> = frozen.columns.iter().map(|view| view.within(question.range)).collect();
        let floors = found.iter().filter_map(|series| sources.retention.floor(series));
        let retained_from = floors.max().filter(|floor| *floor > question.range.from);
        let count = |store: Option<&Arc<dyn Store>>| {
            store.filter(|_| !found.is_empty() && frozen.pin.sealed() > Position(0)).map_or(Ok(()), |store| store.probe())?;
            let mut budget = Budget::new(&question, max_points);
            if budget.has_room_for(found.len()) {
                return Ok(vec![0; found.len()]);
            }
            let counted = found.iter().zip(&views).map(|(one, view)| {
                if !is_wanted() {
                    return Err(QueryError::new(QueryCode::TooSlow, "nobody waits for the answer any more"));
                }
                let past = store.map(|store| Past { store: &**store, pin: &frozen.pin });
                let points = source::count(view, past, one.id, question.range, budget.enough())?;
                let gone = TimeRange { to: sources.retention.floor(one).unwrap_or(TimeNs::MIN).min(question.range.to), ..question.range };
                let rolled = readings::rolled(&question.shape, view, past, one.id, gone, budget.enough())?;
                Ok((points, budget.spend(points, rolled)?))
            });
            let counted = counted.collect::<Result<Vec<(usize, usize)>, QueryError>>()?;
            if let Some(groups) = &groups {
                budget.check_groups(groups, &counted.iter().map(|(_, rows)| *rows).collect::<Vec<_>>(), question.shape.aggs().len())?;
            }
            Ok::<Vec<usize>, QueryError>(counted.into_iter().map(|(points, _)| points).collect())
        };
        let (points, store, cut) = match count(sources.store) {
            // What the head has is answered all the same.
            Err(error) if error.code == QueryCode::StoreAway && views.iter().any(|view| view.points() > 0) => {
                (count(None)?, None, Some(error.message))
            }
            counted => (counted?, sources.store.map(Arc::clone), None),
        };
        let planned = |(((series, wide), view), points): (((Arc<Series>, ColumnView), ColumnView), usize)| Planned {
            value_type: series.value_type().unwrap_or(ValueType::Number),
            series,
            view,
            earlier: looks_back.then(|| wide.within(earlier)),
            points,
        };
        let series = found.into_iter().zip(frozen.columns).zip(views).zip(points).map(planned).collect();
        let plan = Self { question, position: frozen.position, series, groups, store, cut, pin: frozen.pin, retained_from };
        readings::check(&plan, sources.retention, QUANTILE_READINGS)?;
        Ok(plan)
    }
}

/// Where what lies before a range is looked for.
pub(super) fn before(range: TimeRange) -> TimeRange {
    let back = i64::try_from(LOOK_BACK.as_nanos()).unwrap_or(i64::MAX);
    TimeRange { from: range.from.saturating_sub(back), to: range.from }
}

fn told(time: TimeNs) -> String {
    Timestamp::from_nanosecond(time.into()).map_or_else(|_| time.to_string(), |at| at.to_string())
}

fn check_types(shape: &Shape, series: &[Arc<Series>]) -> Result<(), QueryError> {
    let Shape::Buckets { aggs, fill, grouping, .. } = shape else {
        return Ok(());
    };
    for one in series {
        let value_type = one.value_type().unwrap_or(ValueType::Number);
        let is_state = one.kind() == Kind::State;
        let fits = |agg: Agg| agg.fits(value_type) || (agg == Agg::TimeInState && is_state);
        if let Some(agg) = aggs.iter().find(|agg| !fits(**agg)) {
            let fitting: Vec<_> = Agg::ALL.into_iter().filter(|agg| fits(*agg)).map(Agg::as_str).collect();
            let (fitting, held) = (fitting.join(", "), value_type.as_str());
            let message = format!("agg={}: {} holds {held}, which has only {fitting}", agg.as_str(), one.key);
            return Err(QueryError::parameter(message).with_hint(format!("name the numbers in select, or ask for {fitting}")));
        }
        if let Some(agg) = aggs.iter().find(|agg| !fill.fits(**agg, value_type)) {
            let (fill, agg) = (fill.as_str(), agg.as_str());
            let message = format!("fill={fill}: {} holds {}, of which no {agg} can be made up", one.key, value_type.as_str());
            return Err(QueryError::parameter(message).with_hint("name the numbers in select, or ask for fill=null"));
        }
        if let Some(grouping) = grouping
            && let Some(agg) = aggs.iter().find(|agg| !Together::fits(**agg, value_type))
        {
            let (group, agg, held) = (grouping.together.as_str(), agg.as_str(), value_type.as_str());
            let message = format!("group={group}: {} holds {held}, and {agg} of several has no {group}", one.key);
            return Err(QueryError::parameter(message).with_hint("name the numbers in select, or ask for agg=count"));
        }
    }
    Ok(())
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
        let damaged = || {
            let damaged = self.damaged();
            let first = damaged.first()?;
            let more = damaged.len() - 1;
            Some(if more == 0 { first.clone() } else { format!("{first}; and {more} more places") })
        };
        self.lacks().or_else(damaged)
    }

    /// Each place that was found to be unreadable: its series, from when to when, and where it lies.
    #[must_use]
    pub fn damaged(&self) -> Vec<String> {
        let places = |one: &Planned| {
            let found = self.store.as_ref().map_or_else(Vec::new, |store| store.unreadable(one.series.id, self.range()));
            found
                .into_iter()
                .map(|Unreadable { range, why }| {
                    let [from, to] = [range.from, range.to.saturating_sub(1)].map(told);
                    format!("{} from {from} to {to} could not be read ({why})", one.series.key)
                })
                .collect::<Vec<_>>()
        };
        self.series.iter().flat_map(places).collect()
    }

    /// Reads all of it, so that every damage is known before the first byte, and counts what there is. False: nobody wants it any more.
    pub fn read_through(&mut self, is_wanted: &dyn Fn() -> bool) -> Result<bool, StoreError> {
        let range = self.question.range;
        let mut counts = Vec::with_capacity(self.series.len());
        for one in &self.series {
            let mut points = 0;
            let is_whole = source::scan(&one.view, self.past(), one.series.id, range, &mut |run| {
                points += run.len();
                is_wanted()
            })?;
            if !is_whole {
                return Ok(false);
            }
            counts.push(points);
        }
        self.series.iter_mut().zip(counts).for_each(|(one, points)| one.points = points);
        Ok(true)
    }

    #[must_use]
    pub fn range(&self) -> TimeRange {
        self.question.range
    }
}
