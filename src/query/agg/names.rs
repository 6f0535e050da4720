//! The aggregates by name, and what each of them needs.

use crate::model::ValueType;
use crate::query::error::QueryError;

/// The one column that holds an object: a text of JSON in a row.
pub const TIME_IN_STATE: &str = "time_in_state";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agg {
    Mean,
    Min,
    Max,
    First,
    Last,
    Count,
    Sum,
    StdDev,
    P50,
    P90,
    P99,
    Increase,
    Rate,
    TimeInState,
}

impl Agg {
    pub const ALL: [Self; 14] = [
        Self::Mean,
        Self::Min,
        Self::Max,
        Self::First,
        Self::Last,
        Self::Count,
        Self::Sum,
        Self::StdDev,
        Self::P50,
        Self::P90,
        Self::P99,
        Self::Increase,
        Self::Rate,
        Self::TimeInState,
    ];
    /// Those that [`Totals`](crate::query::summary::Totals) tell.
    pub const OF_TOTALS: [Self; 7] = [Self::Mean, Self::Min, Self::Max, Self::First, Self::Last, Self::Count, Self::Sum];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::First => "first",
            Self::Last => "last",
            Self::Count => "count",
            Self::Sum => "sum",
            Self::StdDev => "stddev",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::Increase => "increase",
            Self::Rate => "rate",
            Self::TimeInState => TIME_IN_STATE,
        }
    }

    /// `mean,min,max`: in the order asked, each once.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, QueryError> {
        let mut aggs = Vec::new();
        for name in text.split(',') {
            let Some(agg) = Self::ALL.into_iter().find(|agg| agg.as_str() == name) else {
                let known = Self::ALL.map(Self::as_str).join(", ");
                return Err(QueryError::parameter(format!("agg={text}: `{name}` is none of {known}")));
            };
            if aggs.contains(&agg) {
                return Err(QueryError::parameter(format!("agg={text}: `{name}` is asked for twice")));
            }
            aggs.push(agg);
        }
        Ok(aggs)
    }

    /// The share of the readings that lie at or below it.
    #[must_use]
    pub fn quantile(self) -> Option<f64> {
        match self {
            Self::P50 => Some(0.5),
            Self::P90 => Some(0.9),
            Self::P99 => Some(0.99),
            _ => None,
        }
    }

    /// Neither summaries nor totals tell it.
    #[must_use]
    pub fn needs_readings(self) -> bool {
        self.quantile().is_some() || self == Self::TimeInState
    }

    /// The last reading before the range counts too.
    #[must_use]
    pub fn looks_back(self) -> bool {
        matches!(self, Self::Increase | Self::Rate | Self::TimeInState)
    }

    /// Bools and texts have no mean, least, greatest or sum, and none of what is made of those.
    #[must_use]
    pub fn fits(self, value_type: ValueType) -> bool {
        match self {
            Self::First | Self::Last | Self::Count => true,
            Self::TimeInState => value_type != ValueType::Number,
            _ => value_type == ValueType::Number,
        }
    }
}
