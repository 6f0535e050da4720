//! What `GET history` asks for, read from the query string. After this nobody checks again.

use super::buckets::Agg;
use super::error::{QueryCode, QueryError, nearest};
use super::fill::Fill;
use super::grid::{Grid, Params};
use super::groups::Grouping;
use super::selector::Selector;
use super::time::{TimeFormat, parse_time};
use crate::limits::{HISTORY_COLUMNS, SELECTORS};
use crate::model::{TimeNs, TimeRange};

/// Every parameter, for the message that names the nearest one.
const PARAMETERS: [&str; 15] = [
    "select",
    "from",
    "to",
    "points",
    "every",
    "agg",
    "tz",
    "week_start",
    "billing_day",
    "fill",
    "group",
    "group_by",
    "time",
    "format",
    "received",
];

#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// At least one; several are a union.
    pub selectors: Vec<Selector>,
    pub range: TimeRange,
    /// When it was asked.
    pub now: TimeNs,
    pub shape: Shape,
    pub time: TimeFormat,
    pub format: Format,
    /// Beside each reading, when the hub received it.
    pub received: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Every reading.
    Raw,
    /// So many columns, at most two points each.
    Thin(u32),
    Buckets {
        grid: Grid,
        aggs: Vec<Agg>,
        fill: Fill,
        /// Rows of several series as those of one.
        grouping: Option<Grouping>,
    },
}

impl Shape {
    /// None unless readings are summed up in buckets.
    #[must_use]
    pub fn aggs(&self) -> &[Agg] {
        match self {
            Self::Raw | Self::Thin(_) => &[],
            Self::Buckets { aggs, .. } => aggs,
        }
    }

    /// Whether the rows of several series are put together, and of which.
    #[must_use]
    pub fn grouping(&self) -> Option<&Grouping> {
        match self {
            Self::Buckets { grouping, .. } => grouping.as_ref(),
            Self::Raw | Self::Thin(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Json,
    Csv,
    Ndjson,
    MessagePack,
    /// Columns.
    #[cfg(feature = "parquet")]
    Parquet,
}

impl Format {
    fn parse(text: &str) -> Result<Self, QueryError> {
        match text {
            "json" => Ok(Self::Json),
            "csv" => Ok(Self::Csv),
            "ndjson" => Ok(Self::Ndjson),
            "msgpack" => Ok(Self::MessagePack),
            #[cfg(feature = "parquet")]
            "parquet" => Ok(Self::Parquet),
            #[cfg(not(feature = "parquet"))]
            "parquet" => Err(crate::rows::no_parquet("json, csv, ndjson and msgpack")),
            _ => Err(QueryError::parameter(format!("format={text}: expected json, csv, ndjson, msgpack or parquet"))),
        }
    }
}

impl History {
    /// From the pairs of the query string, already percent-decoded.
    pub fn parse<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>, now: TimeNs) -> Result<Self, QueryError> {
        let mut selectors = Vec::new();
        let mut given = Given::default();
        for (name, value) in pairs {
            match name {
                "select" => selectors.push(value),
                _ => given.take(name, value)?,
            }
        }
        let range = given.range(now)?;
        let shape = given.shape()?;
        let received = given.received(&shape)?;
        let format = given.value("format").map(Format::parse).transpose()?.unwrap_or_default();
        #[cfg(feature = "parquet")]
        if let Some(time) = given.value("time").filter(|_| format == Format::Parquet) {
            return Err(QueryError::parameter(format!("time={time}: times of format=parquet are timestamps, not numbers or texts")));
        }
        Ok(Self {
            selectors: parse_selectors(&selectors)?,
            range,
            now,
            shape,
            time: given.value("time").map(TimeFormat::parse).transpose()?.unwrap_or_default(),
            format,
            received,
        })
    }
}

/// The union that several `select` name. None at all is refused: everything has to be asked for.
pub fn parse_selectors(texts: &[&str]) -> Result<Vec<Selector>, QueryError> {
    if texts.is_empty() {
        return Err(QueryError::parameter("select is missing: which series?").with_hint("select=*/*"));
    }
    if texts.len() > SELECTORS {
        return Err(QueryError::parameter(format!("{} select are more than {SELECTORS}", texts.len())));
    }
    texts.iter().map(|text| Selector::parse(text).map_err(QueryError::from)).collect()
}

/// An unknown parameter is refused, since it is most likely a known one misspelt.
#[must_use]
pub fn unknown_parameter(name: &str, known: &[&str]) -> QueryError {
    let there_are = if known.is_empty() { "none here".to_owned() } else { known.join(", ") };
    let error = QueryError::parameter(format!("unknown parameter {name}; there are {there_are}"));
    match nearest(name, known.iter().map(|known| (*known, *known))) {
        Some(nearest) => error.with_hint(format!("the nearest known one is {nearest}")),
        None => error,
    }
}

/// Parameters that may be given once.
#[derive(Default)]
struct Given<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Given<'a> {
    fn take(&mut self, name: &'a str, value: &'a str) -> Result<(), QueryError> {
        if !PARAMETERS.contains(&name) {
            return Err(unknown_parameter(name, &PARAMETERS));
        }
        if self.value(name).is_some() {
            return Err(QueryError::parameter(format!("{name} is given twice")));
        }
        self.0.push((name, value));
        Ok(())
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
    }

    fn range(&self, now: TimeNs) -> Result<TimeRange, QueryError> {
        let Some(from) = self.value("from") else {
            return Err(QueryError::parameter("from is missing: since when?").with_hint("from=-1h"));
        };
        let from = parse_time("from", from, now)?;
        let Some(to) = self.value("to") else {
            return Ok(TimeRange { from, to: now.max(from) });
        };
        let to = parse_time("to", to, now)?;
        if to < from {
            return Err(QueryError::new(QueryCode::BadTime, "to is before from"));
        }
        Ok(TimeRange { from, to })
    }

    fn shape(&self) -> Result<Shape, QueryError> {
        let (points, every, agg) = (self.value("points"), self.value("every"), self.value("agg"));
        let grid = self.grid(every)?;
        let fill = self.value("fill").map(Fill::parse).transpose()?.unwrap_or_default();
        if fill != Fill::None && agg.is_none() {
            return Err(QueryError::parameter(format!("fill={} goes with buckets: every and agg", fill.as_str())));
        }
        let grouping = Grouping::parse(self.value("group"), self.value("group_by"))?;
        if let Some(grouping) = grouping.as_ref().filter(|_| agg.is_none()) {
            let message = format!("group={} goes with buckets: every and agg", grouping.together.as_str());
            return Err(QueryError::parameter(message).with_hint("every=1m&agg=mean"));
        }
        match (points, every, agg) {
            (None, None, None) => Ok(Shape::Raw),
            (Some(points), None, None) => match points.parse() {
                Ok(columns) if (1..=HISTORY_COLUMNS).contains(&(columns as usize)) => Ok(Shape::Thin(columns)),
                _ => Err(QueryError::parameter(format!("points={points}: expected a number of columns from 1 to {HISTORY_COLUMNS}"))),
            },
            (Some(_), ..) => Err(QueryError::parameter("points thins readings and every with agg sums them up: ask for one of them")),
            (None, Some(every), None) => {
                Err(QueryError::parameter(format!("every={every} needs agg: what of each bucket?")).with_hint("agg=mean"))
            }
            (None, _, Some(agg)) => Ok(Shape::Buckets { grid, aggs: Agg::parse_list(agg)?, fill, grouping }),
        }
    }

    fn received(&self, shape: &Shape) -> Result<bool, QueryError> {
        match (self.value("received"), shape) {
            (None | Some("false"), _) => Ok(false),
            (Some("true"), Shape::Raw) => Ok(true),
            (Some("true"), _) => Err(QueryError::parameter("received=true goes with readings as they are: without points, every and agg")),
            (Some(other), _) => Err(QueryError::parameter(format!("received={other}: expected true or false"))),
        }
    }

    fn grid(&self, every: Option<&str>) -> Result<Grid, QueryError> {
        Grid::parse(&Params { every, tz: self.value("tz"), week_start: self.value("week_start"), billing_day: self.value("billing_day") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: TimeNs = 1_795_396_030_000_000_000;

    fn parse(query: &str) -> Result<History, QueryError> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap());
        History::parse(pairs, NOW)
    }

    #[test]
    fn questions_are_read() {
        let history = parse("select=a/b&select=*/c&from=-1h&every=1d&agg=max,mean&time=ns&format=csv&tz=UTC&fill=none").unwrap();
        assert_eq!(history.selectors.len(), 2);
        assert_eq!(history.range, TimeRange { from: NOW - 3_600_000_000_000, to: NOW });
        let buckets = |grid, aggs: &[Agg], fill| Shape::Buckets { grid, aggs: aggs.to_vec(), fill, grouping: None };
        assert_eq!(history.shape, buckets(Grid::Fixed(86_400_000_000_000), &[Agg::Max, Agg::Mean], Fill::None));
        assert_eq!((history.time, history.format), (TimeFormat::Ns, Format::Csv));
        let shape = |query: &str| parse(&format!("select=a/b&from=-1h{query}")).unwrap().shape;
        assert_eq!(shape(""), Shape::Raw);
        assert_eq!(shape("&points=800"), Shape::Thin(800));
        assert_eq!(shape("&agg=count"), buckets(Grid::Whole, &[Agg::Count], Fill::None));
        assert_eq!(shape("&agg=count&fill=zero"), buckets(Grid::Whole, &[Agg::Count], Fill::Zero));
        assert_eq!(shape("&tz=Europe/Berlin&fill=none"), Shape::Raw, "a dashboard may always name its zone");
        let months = shape("&every=3mo&agg=max&tz=Europe/Berlin&billing_day=15");
        assert!(matches!(months, Shape::Buckets { grid: Grid::Calendar(_), .. }), "{months:?}");
        assert_eq!(parse("select=a/b&from=%2B1h").unwrap_err().code, QueryCode::BadTime, "decoding is not done here");
        let ahead = parse("select=a/b&from=+1h").unwrap();
        assert_eq!(ahead.range.from, ahead.range.to, "from beyond now, without to, is an empty range");
    }

    #[test]
    fn questions_are_refused_with_a_reason() {
        use QueryCode::{BadParameter, BadSelector, BadTime};
        let rows = [
            ("from=-1h", BadParameter, "select is missing"),
            ("select=a/b", BadParameter, "from is missing"),
            ("select=a&from=-1h", BadSelector, "no `/`"),
            ("select=a/b&from=1795396030", BadTime, "needs its unit"),
            ("select=a/b&from=-1h&to=-2h", BadTime, "before"),
            ("select=a/b&from=-1h&form=-2h", BadParameter, "unknown parameter form"),
            ("select=a/b&from=-1h&from=-2h", BadParameter, "twice"),
            ("select=a/b&from=-1h&points=0", BadParameter, "1 to 100000"),
            ("select=a/b&from=-1h&points=100001", BadParameter, "1 to 100000"),
            ("select=a/b&from=-1h&points=-1", BadParameter, "1 to 100000"),
            ("select=a/b&from=-1h&points=10&every=1s&agg=mean", BadParameter, "one of them"),
            ("select=a/b&from=-1h&points=10&agg=mean", BadParameter, "one of them"),
            ("select=a/b&from=-1h&every=1s", BadParameter, "needs agg"),
            ("select=a/b&from=-1h&every=1mo2d&agg=mean", BadParameter, "stands alone"),
            ("select=a/b&from=-1h&every=0s&agg=mean", BadParameter, "longer than nothing"),
            ("select=a/b&from=-1h&every=1s&agg=average", BadParameter, "none of mean"),
            ("select=a/b&from=-1h&tz=Europe/Berln", BadParameter, "no such time zone"),
            ("select=a/b&from=-1h&week_start=monday", BadParameter, "goes with weeks"),
            ("select=a/b&from=-1h&fill=null", BadParameter, "every and agg"),
            ("select=a/b&from=-1h&points=9&fill=null", BadParameter, "every and agg"),
            ("select=a/b&from=-1h&agg=mean&fill=nil", BadParameter, "none, null, previous, linear or zero"),
            ("select=a/b&from=-1h&agg=mean&group=avg", BadParameter, "sum, mean, min or max"),
            ("select=a/b&from=-1h&agg=mean&group_by=device", BadParameter, "needs group"),
            ("select=a/b&from=-1h&agg=mean&group=sum&group_by=room", BadParameter, "device, metric, label.NAME"),
            ("select=a/b&from=-1h&agg=mean&group=sum&group_by=device,device", BadParameter, "twice"),
            ("select=a/b&from=-1h&agg=mean&group=sum&group_by=", BadParameter, "``, expected"),
            ("select=a/b&from=-1h&group=sum", BadParameter, "every and agg"),
            ("select=a/b&from=-1h&points=9&group=sum", BadParameter, "every and agg"),
            ("select=a/b&from=-1h&received=yes", BadParameter, "true or false"),
            ("select=a/b&from=-1h&received=true&points=5", BadParameter, "as they are"),
            ("select=a/b&from=-1h&time=s", BadParameter, "ms, ns or rfc3339"),
            #[cfg(feature = "parquet")]
            ("select=a/b&from=-1h&format=parquet&time=ns", BadParameter, "timestamps"),
            #[cfg(not(feature = "parquet"))]
            ("select=a/b&from=-1h&format=parquet", BadParameter, "built without"),
            ("select=a/b&from=-1h&format=xml", BadParameter, "expected json"),
        ];
        for (query, code, part) in rows {
            let error = parse(query).expect_err(query);
            assert!(error.code == code && error.message.contains(part), "{query}: {error:?}");
        }
        assert_eq!(parse("selct=a/b").unwrap_err().hint.unwrap(), "the nearest known one is select");
        let many = "select=a/b&".repeat(SELECTORS + 1);
        assert!(parse(&format!("{many}from=-1h")).unwrap_err().message.contains("more than 64"));
    }
}
