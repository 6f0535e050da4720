//! What an answer may hold, told before its first byte: readings, points, buckets, and what is read or held for them.

use super::plan::before;
use crate::limits::{GROUP_CELLS, HISTORY_BUCKETS};
use crate::query::buckets::Agg;
use crate::query::error::{QueryCode, QueryError};
use crate::query::fill::Fill;
use crate::query::groups::Group;
use crate::query::request::{History, Shape};

/// What an answer may hold, spent series by series.
pub(super) struct Budget {
    left: usize,
    max: usize,
    of: Of,
    /// What may still be read, where an aggregate looks at every reading.
    readings: Option<Readings>,
}

struct Readings {
    agg: &'static str,
    left: usize,
    max: usize,
}

enum Of {
    Readings,
    Columns(usize),
    Buckets(usize),
    /// Each bucket is told, whether it holds readings or not.
    AllBuckets(usize),
    /// A reading brings as many rows as there are buckets in which it may hold.
    Held {
        most: usize,
        each: usize,
    },
    /// Rows of several series become one.
    Together {
        most: usize,
        are_all_told: bool,
    },
}

impl Budget {
    pub(super) fn new(question: &History, max_points: usize) -> Self {
        let (max, of) = match &question.shape {
            Shape::Raw => (max_points, Of::Readings),
            Shape::Thin(columns) => (max_points, Of::Columns(2 * *columns as usize + 2)),
            Shape::Buckets { grid, fill, aggs, grouping } => {
                let buckets_in = |range| usize::try_from(grid.buckets_in(range)).unwrap_or(usize::MAX);
                let most = buckets_in(question.range);
                let are_all_told = *fill != Fill::None;
                match grouping {
                    Some(_) => (max_points, Of::Together { most, are_all_told }),
                    None if are_all_told => (HISTORY_BUCKETS, Of::AllBuckets(most)),
                    None if aggs.contains(&Agg::TimeInState) => {
                        // One more for where such a stretch begins within a bucket, one for days that are shorter.
                        let each = buckets_in(before(question.range)).saturating_add(2);
                        (HISTORY_BUCKETS, Of::Held { most, each })
                    }
                    None => (HISTORY_BUCKETS, Of::Buckets(most)),
                }
            }
        };
        let agg = question.shape.aggs().iter().find(|agg| agg.needs_readings());
        let readings = agg.map(|agg| Readings { agg: agg.as_str(), left: max_points, max: max_points });
        Self { left: max, max, of, readings }
    }

    /// Whether so many series fit in, however many readings they have.
    pub(super) fn has_room_for(&self, series: usize) -> bool {
        match self.of {
            // What is put together is counted row by row.
            Of::Readings | Of::Together { .. } => false,
            Of::Columns(most) | Of::Buckets(most) | Of::AllBuckets(most) | Of::Held { most, .. } => {
                self.readings.is_none() && most.saturating_mul(series) <= self.left
            }
        }
    }

    /// Counting may stop beyond this many readings of a series.
    pub(super) fn enough(&self) -> usize {
        let enough = match self.of {
            Of::Readings => self.left,
            Of::Columns(most) => most,
            Of::Buckets(most) | Of::Together { most, are_all_told: false } => most.min(self.left),
            // Its readings are counted all, since they are read.
            Of::Held { .. } | Of::AllBuckets(_) | Of::Together { are_all_told: true, .. } => 0,
        };
        self.readings.as_ref().map_or(enough, |readings| readings.left.max(enough))
    }

    /// A series with so many readings, and so many rows or points that only rollups know. Gives how many rows it has at most.
    pub(super) fn spend(&mut self, readings: usize, rolled: usize) -> Result<usize, QueryError> {
        if let Some(Readings { agg, left, max }) = &mut self.readings {
            *left = left.checked_sub(readings).ok_or_else(|| {
                let message = format!("agg={agg} looks at every reading, and there are more than {max}");
                QueryError::new(QueryCode::TooManyPoints, message).with_hint("ask for a shorter range or fewer series")
            })?;
        }
        let told = readings.saturating_add(rolled);
        let (spent, what, hint) = match self.of {
            Of::Readings => (readings, "readings", "ask for a shorter range, fewer series, points=N, or every= with agg="),
            Of::Columns(most) => (told.min(most), "points", "ask for fewer points or series"),
            Of::Buckets(most) => (told.min(most), "buckets", "ask for a longer every or fewer series"),
            Of::AllBuckets(most) => (most, "buckets", "ask for a longer every, a shorter range or fewer series, or leave fill out"),
            // What held before the range, too.
            Of::Held { most, each } => (
                told.saturating_add(1).saturating_mul(each).min(most),
                "buckets in which a state may hold",
                "ask for a longer every, a shorter range or fewer series",
            ),
            Of::Together { most, are_all_told } => (
                if are_all_told { most } else { told.min(most) },
                "buckets of series put together",
                "ask for a longer every, a shorter range or fewer series",
            ),
        };
        self.left = self.left.checked_sub(spent).ok_or_else(|| {
            QueryError::new(QueryCode::TooManyPoints, format!("the answer would hold more than {} {what}", self.max)).with_hint(hint)
        })?;
        Ok(spent)
    }

    /// What the groups hold, by the rows of each series.
    pub(super) fn check_groups(&self, groups: &[Group], rows: &[usize], columns: usize) -> Result<(), QueryError> {
        let Of::Together { most, .. } = self.of else { return Ok(()) };
        let refused = |message: String, hint: &str| Err(QueryError::new(QueryCode::TooManyPoints, message).with_hint(hint));
        let mut all = 0_usize;
        for group in groups {
            let of_group = group.members.iter().map(|at| rows[*at]).fold(0, usize::saturating_add).min(most);
            if of_group.saturating_mul(columns) > GROUP_CELLS {
                let message = format!("a group would have up to {of_group} buckets of {columns} columns, more than {GROUP_CELLS} values");
                return refused(message, "ask for a longer every, a shorter range or fewer of agg");
            }
            all = all.saturating_add(of_group);
        }
        if all > HISTORY_BUCKETS {
            let message = format!("the answer would hold more than {HISTORY_BUCKETS} buckets");
            return refused(message, "ask for a longer every, a shorter range or fewer groups");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(shape: &str, readings: &[usize]) -> Result<(), QueryError> {
        let query = format!("select=*/*&from=0s&to=100000000s{shape}");
        let question = History::parse(query.split('&').filter_map(|pair| pair.split_once('=')), 0).unwrap();
        let mut budget = Budget::new(&question, 20_000_000);
        let had_room = budget.has_room_for(readings.len());
        let spent = readings.iter().try_for_each(|readings| budget.spend(*readings, 0).map(drop));
        assert!(spent.is_ok() || !had_room, "{shape}: {spent:?}");
        spent
    }

    #[test]
    fn where_any_answer_fits_nothing_is_counted() {
        let rows = [
            ("", 1, false),
            ("&points=800", 10, true),
            ("&every=1d&agg=mean", 10, true),
            ("&every=1d&agg=mean", HISTORY_BUCKETS, false),
            ("&every=1s&agg=mean", 1, false),
            ("&agg=mean", 1000, true),
            ("&agg=mean&fill=zero", 1000, true),
            ("&agg=mean,p99", 1, false),
        ];
        for (shape, series, has_room) in rows {
            let query = format!("select=*/*&from=0s&to=100000000s{shape}");
            let question = History::parse(query.split('&').filter_map(|pair| pair.split_once('=')), 0).unwrap();
            assert_eq!(Budget::new(&question, 20_000_000).has_room_for(series), has_room, "{shape} of {series}");
        }
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
            ("&agg=p99", &[20_000_000], true),
            ("&agg=mean,p99", &[10_000_000, 10_000_001], false),
            ("&every=1s&agg=p50", &[HISTORY_BUCKETS, 1], false),
            ("&every=101s&agg=time_in_state", &[1], true),
            ("&every=99s&agg=time_in_state", &[1; 80], true),
            ("&every=99s&agg=time_in_state", &[1; 90], false),
            ("&every=99s&agg=time_in_state", &[1_000], false),
            ("&every=101s&agg=time_in_state", &[1_000_000], true),
            ("&every=99s&agg=time_in_state&fill=null", &[1], false),
            ("&every=1d&agg=mean&tz=Asia/Kathmandu", &[1_000_000_000; 800], true),
            ("&every=100s&agg=mean&fill=null", &[1], true),
            ("&every=100s&agg=mean&fill=null", &[0, 0], false),
        ];
        for (shape, readings, fits) in rows {
            assert_eq!(spent(shape, readings).is_ok(), *fits, "{shape} {} series", readings.len());
        }
    }

    #[test]
    fn what_only_rollups_know_counts_too() {
        let query = "select=*/*&from=0s&to=100000000s&every=1s&agg=mean";
        let question = History::parse(query.split('&').filter_map(|pair| pair.split_once('=')), 0).unwrap();
        let spend = |readings, rolled| Budget::new(&question, 20_000_000).spend(readings, rolled);
        assert_eq!(spend(10, HISTORY_BUCKETS - 10).unwrap(), HISTORY_BUCKETS);
        assert!(spend(10, HISTORY_BUCKETS - 9).is_err());
    }
}
