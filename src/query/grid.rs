//! Where buckets lie, as `every`, `tz`, `week_start` and `billing_day` ask for it. A length (`10s`, `15m`, `24h`) lies on multiples of it
//! since 1970 UTC, whatever the zone; days and longer (`1d`, `1w`, `3mo`, `1y`) lie in the calendar of the zone. A day of UTC is both.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use super::calendar::{Calendar, CalendarUnit};
use super::error::{QueryError, nearest};
use super::time::parse_duration;
use super::zone::parse_zone;
use crate::clock::NS_PER_SEC;
use crate::model::{TimeNs, TimeRange};

const DAY_NS: i64 = 86_400 * NS_PER_SEC;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grid {
    /// The range is one bucket.
    Whole,
    /// Nanoseconds, at least 1.
    Fixed(i64),
    Calendar(Calendar),
}

/// A length, or none for the whole range.
impl From<Option<i64>> for Grid {
    fn from(every: Option<i64>) -> Self {
        every.map_or(Self::Whole, Self::Fixed)
    }
}

/// Parameters as they were given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Params<'a> {
    pub every: Option<&'a str>,
    pub tz: Option<&'a str>,
    pub week_start: Option<&'a str>,
    pub billing_day: Option<&'a str>,
}

impl Grid {
    pub fn parse(params: &Params<'_>) -> Result<Self, QueryError> {
        let zone = params.tz.map_or(Ok(TimeZone::UTC), parse_zone)?;
        let week_start = params.week_start.map(parse_weekday).transpose()?;
        let billing_day = params.billing_day.map(parse_billing_day).transpose()?;
        let steps = params.every.and_then(|every| Some((every, calendar_steps(every)?)));
        let unit = steps.map(|(_, (_, unit))| unit);
        if let Some(day) = params.week_start.filter(|_| unit != Some("w")) {
            return Err(QueryError::parameter(format!("week_start={day} goes with weeks")).with_hint("every=1w"));
        }
        if let Some(day) = params.billing_day.filter(|_| !matches!(unit, Some("mo" | "y"))) {
            return Err(QueryError::parameter(format!("billing_day={day} goes with months and years")).with_hint("every=1mo"));
        }
        let Some((every, (digits, unit))) = steps else {
            return params.every.map_or(Ok(Self::Whole), |every| parse_length(every, &zone));
        };
        let most = unit_most(unit);
        let step = digits.parse::<i64>().ok().filter(|step| *step <= most);
        let step = match step {
            None => return Err(QueryError::parameter(format!("every={every}: longer than 292 years"))),
            Some(0) => return Err(nothing(every)),
            Some(step) => step,
        };
        let month = CalendarUnit::Month(billing_day.unwrap_or(1));
        Ok(match unit {
            "d" if zone == TimeZone::UTC => Self::Fixed(step * DAY_NS),
            "d" => Self::Calendar(Calendar::new(CalendarUnit::Day, step, zone)),
            "w" => Self::Calendar(Calendar::new(CalendarUnit::Week(week_start.unwrap_or(Weekday::Monday)), step, zone)),
            "mo" => Self::Calendar(Calendar::new(month, step, zone)),
            _ => Self::Calendar(Calendar::new(month, 12 * step, zone)),
        })
    }

    /// The bucket that holds a time of this range.
    #[must_use]
    pub fn bucket(&self, time: TimeNs, range: TimeRange) -> TimeRange {
        match self {
            Self::Whole => range,
            Self::Fixed(every) => {
                let number = time.div_euclid(*every);
                TimeRange { from: number.saturating_mul(*every), to: number.saturating_add(1).saturating_mul(*every) }
            }
            Self::Calendar(calendar) => calendar.bucket(time),
        }
    }

    /// How many buckets the range touches; of a calendar that left out dates, those too.
    #[must_use]
    pub fn buckets_in(&self, range: TimeRange) -> u64 {
        if range.from >= range.to {
            return 0;
        }
        let (from, last) = (range.from, range.to - 1);
        match self {
            Self::Whole => 1,
            Self::Fixed(every) => last.div_euclid(*every).abs_diff(from.div_euclid(*every)).saturating_add(1),
            Self::Calendar(calendar) => calendar.number(last).abs_diff(calendar.number(from)) + 1,
        }
    }

    /// Whether no stretch of this length, on multiples of it, lies in two buckets, as far as they begin within the range.
    #[must_use]
    pub fn leaves_whole(&self, level: i64, within: TimeRange) -> bool {
        match self {
            Self::Whole => true,
            Self::Fixed(every) => every % level == 0,
            Self::Calendar(calendar) => {
                let mut start = calendar.bucket(within.from).to;
                while start < within.to {
                    if start % level != 0 {
                        return false;
                    }
                    start = calendar.bucket(start).to;
                }
                true
            }
        }
    }
}

/// Digits and the one unit behind them, where that is a calendar's.
fn calendar_steps(every: &str) -> Option<(&str, &str)> {
    let at = every.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
    let (digits, unit) = every.split_at(at);
    matches!(unit, "d" | "w" | "mo" | "y").then_some((digits, unit))
}

/// How many of a unit 64 bits of nanoseconds hold.
fn unit_most(unit: &str) -> i64 {
    match unit {
        "d" => i64::MAX / DAY_NS,
        "w" => i64::MAX / DAY_NS / 7,
        "mo" => 292 * 12,
        _ => 292,
    }
}

fn parse_length(every: &str, zone: &TimeZone) -> Result<Grid, QueryError> {
    let length = parse_duration("every", every).map_err(|error| error.with_hint(FORMS))?;
    if every.contains('d') && *zone != TimeZone::UTC {
        let why = "days of a time zone have no fixed length, so they stand alone";
        return Err(QueryError::parameter(format!("every={every}: {why}")).with_hint("1d for its days, 36h for a length"));
    }
    if length == 0 { Err(nothing(every)) } else { Ok(Grid::Fixed(length)) }
}

/// What `every` may be, for those who wrote something else.
const FORMS: &str = "a length: 10s, 15m, 6h; of the calendar: 1d, 1w, 1mo, 1y";

fn nothing(every: &str) -> QueryError {
    QueryError::parameter(format!("every={every}: a bucket is longer than nothing"))
}

fn parse_weekday(text: &str) -> Result<Weekday, QueryError> {
    const DAYS: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    if let Some((_, day)) = DAYS.iter().find(|(name, _)| *name == text) {
        return Ok(*day);
    }
    let error = QueryError::parameter(format!("week_start={text}: expected {}", DAYS.map(|(name, _)| name).join(", ")));
    Err(match nearest(text, DAYS.map(|(name, _)| (name, name))) {
        Some(day) => error.with_hint(format!("the nearest known one is {day}")),
        None => error,
    })
}

fn parse_billing_day(text: &str) -> Result<i8, QueryError> {
    match text.parse() {
        Ok(day @ 1..=28) => Ok(day),
        Ok(day) => {
            let error = QueryError::parameter(format!("billing_day={text}: expected 1 to 28, which every month has"));
            Err(error.with_hint(if day < 1 { "the nearest is 1" } else { "the nearest is 28" }))
        }
        Err(_) => Err(QueryError::parameter(format!("billing_day={text}: expected a day of the month, 1 to 28"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(every: &str, tz: Option<&str>) -> Result<Grid, QueryError> {
        Grid::parse(&Params { every: Some(every), tz, ..Params::default() })
    }

    #[test]
    fn lengths_stay_in_utc_and_days_go_to_the_zone() {
        let zone = Some("Europe/Berlin");
        for tz in [None, zone] {
            assert_eq!(parse("15m", tz), Ok(Grid::Fixed(900 * NS_PER_SEC)));
            assert_eq!(parse("24h", tz), Ok(Grid::Fixed(DAY_NS)));
        }
        for tz in [None, Some("UTC"), Some("Z")] {
            assert_eq!(parse("1d", tz), Ok(Grid::Fixed(DAY_NS)));
            assert_eq!(parse("1d12h", tz), Ok(Grid::Fixed(DAY_NS + DAY_NS / 2)));
            assert!(matches!(parse("1w", tz), Ok(Grid::Calendar(_))));
        }
        let berlin = || parse_zone("Europe/Berlin").unwrap();
        let calendar = |unit, step| Ok(Grid::Calendar(Calendar::new(unit, step, berlin())));
        let rows = [
            ("1d", CalendarUnit::Day, 1),
            ("2w", CalendarUnit::Week(Weekday::Monday), 2),
            ("3mo", CalendarUnit::Month(1), 3),
            ("1y", CalendarUnit::Month(1), 12),
        ];
        for (every, unit, step) in rows {
            assert_eq!(parse(every, zone), calendar(unit, step), "{every}");
        }
        let params = Params { every: Some("1w"), tz: zone, week_start: Some("sunday"), billing_day: None };
        assert_eq!(Grid::parse(&params), calendar(CalendarUnit::Week(Weekday::Sunday), 1));
        let params = Params { every: Some("1mo"), tz: zone, week_start: None, billing_day: Some("28") };
        assert_eq!(Grid::parse(&params), calendar(CalendarUnit::Month(28), 1));
    }

    #[test]
    fn what_does_not_go_is_refused_by_name() {
        let (d, w, mo) = (Some("1d"), Some("1w"), Some("1mo"));
        let rows = [
            (Some("0d"), None, None, "every=0d", None),
            (Some("0s"), None, None, "every=0s", None),
            (Some("106752d"), None, None, "292 years", None),
            (Some("99999999999999999999mo"), None, None, "292 years", None),
            (Some("293y"), None, None, "292 years", None),
            (Some("1mo2d"), None, None, "every=1mo2d", None),
            (Some("mo"), None, None, "every=mo", None),
            (Some("1Y"), None, None, "every=1Y", None),
            (Some("1q"), None, None, "`q` is no unit of time", Some("10s, 15m, 6h; of the calendar: 1d, 1w, 1mo, 1y")),
            (Some("1d12h"), None, None, "every=1d12h", Some("36h")),
            (w, Some("monady"), None, "week_start=monady", Some("monday")),
            (w, Some("Sunday"), None, "week_start=Sunday", Some("sunday")),
            (d, Some("monday"), None, "week_start=monday", Some("every=1w")),
            (None, Some("monday"), None, "week_start=monday", Some("every=1w")),
            (mo, None, Some("29"), "billing_day=29", Some("28")),
            (mo, None, Some("0"), "billing_day=0", Some("1")),
            (mo, None, Some("first"), "billing_day=first", None),
            (w, None, Some("5"), "billing_day=5", Some("every=1mo")),
        ];
        for (every, week_start, billing_day, part, hint) in rows {
            let params = Params { every, tz: Some("Asia/Tokyo"), week_start, billing_day };
            let error = Grid::parse(&params).expect_err(part);
            assert!(error.message.contains(part), "{error}");
            assert!(hint.is_none_or(|hint| error.hint.as_ref().is_some_and(|found| found.contains(hint))), "{part}: {:?}", error.hint);
        }
    }

    #[test]
    fn the_number_of_buckets_is_known_before() {
        let rows = [
            (0, 10, Some(10), 1),
            (0, 11, Some(10), 2),
            (9, 11, Some(10), 2),
            (-1, 1, Some(10), 2),
            (5, 5, Some(10), 0),
            (9, 5, None, 0),
            (0, 5, None, 1),
            (i64::MIN, i64::MAX, Some(1), u64::MAX),
        ];
        for (from, to, every, expected) in rows {
            assert_eq!(Grid::from(every).buckets_in(TimeRange { from, to }), expected, "{from} {to} {every:?}");
        }
        let months = parse("1mo", Some("Europe/Berlin")).unwrap();
        assert_eq!(months.buckets_in(TimeRange { from: 0, to: DAY_NS * 366 }), 13);
        assert_eq!(months.buckets_in(TimeRange::ALL), months.buckets_in(TimeRange { from: i64::MIN, to: 0 }) + 292 * 12 + 3);
    }

    #[test]
    fn a_level_does_where_no_bucket_begins_within_one_of_its_stretches() {
        let day = TimeRange { from: 20_000 * DAY_NS, to: 20_001 * DAY_NS };
        let [minute, quarter, hour] = [60, 900, 3600].map(|seconds| seconds * NS_PER_SEC);
        let rows = [
            ("UTC", "1mo", hour, true),
            ("Europe/Berlin", "1d", hour, true),
            ("Asia/Kathmandu", "1d", hour, false),
            ("Asia/Kathmandu", "1d", quarter, true),
            ("Asia/Kolkata", "1d", hour, false),
            // No month begins on this day.
            ("Asia/Kolkata", "1mo", hour, true),
            ("Asia/Kolkata", "1mo", 7 * minute, true),
            ("Europe/Berlin", "1d", 7 * minute, false),
        ];
        for (tz, every, level, fits) in rows {
            assert_eq!(parse(every, Some(tz)).unwrap().leaves_whole(level, day), fits, "{every} in {tz} of {level}");
        }
        assert!(Grid::Whole.leaves_whole(hour, day) && Grid::Fixed(2 * hour).leaves_whole(hour, day));
        assert!(!Grid::Fixed(90 * minute).leaves_whole(hour, day));
    }
}
