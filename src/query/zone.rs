//! Time zones by their IANA names. The system's data come first, since a system is kept up to date; what the program brings along
//! serves a machine that has none, or not this zone.

use std::sync::LazyLock;

use jiff::tz::{self, TimeZone, TimeZoneDatabase};

use super::error::{QueryError, nearest};

static BUNDLED: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// What `tz` may be.
pub(super) fn parse_zone(text: &str) -> Result<TimeZone, QueryError> {
    find(tz::db(), text)
}

fn find(system: &TimeZoneDatabase, text: &str) -> Result<TimeZone, QueryError> {
    if ["UTC", "Etc/UTC", "Z"].iter().any(|name| name.eq_ignore_ascii_case(text)) {
        return Ok(TimeZone::UTC);
    }
    // A `+` that nobody encoded, as in Etc/GMT+1, arrives as a blank.
    let name = text.replace(' ', "+");
    let found = system.get(&name).or_else(|_| BUNDLED.get(&name)).ok().filter(|zone| !zone.is_unknown());
    found.ok_or_else(|| {
        let error = QueryError::parameter(format!("tz={text}: no such time zone; an IANA name such as Europe/Berlin is expected"));
        match nearest_zone(&name) {
            Some(zone) => error.with_hint(format!("the nearest known one is {zone}")),
            None => error,
        }
    })
}

/// By the whole name or by its place alone.
fn nearest_zone(given: &str) -> Option<String> {
    let names: Vec<String> = BUNDLED.available().map(|name| name.as_str().to_owned()).collect();
    let places = names.iter().map(|name| (name.rsplit('/').next().unwrap_or(name), name));
    // The whole names last: of equal ones the last is taken.
    let whole = names.iter().map(|name| (name.as_str(), name));
    nearest(given, places.chain(whole)).cloned()
}

/// Every zone that the program brings along.
#[cfg(test)]
pub(super) fn every_zone() -> Vec<TimeZone> {
    BUNDLED.available().filter_map(|name| BUNDLED.get(name.as_str()).ok()).filter(|zone| !zone.is_unknown()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_found_without_the_system_s() {
        let none = tempfile::tempdir().unwrap();
        std::fs::create_dir(none.path().join("Europe")).unwrap();
        let rome = "/usr/share/zoneinfo/Europe/Rome";
        let slim = if std::fs::copy(rome, none.path().join("Europe/Rome")).is_ok() {
            TimeZoneDatabase::from_dir(none.path()).unwrap()
        } else {
            TimeZoneDatabase::none()
        };
        for database in [&slim, &TimeZoneDatabase::none()] {
            for name in ["Europe/Rome", "Europe/Berlin", "europe/berlin", "Asia/Kathmandu", "US/Pacific", "Etc/GMT+1", "Etc/GMT 1"] {
                assert!(find(database, name).is_ok(), "{name}");
            }
        }
        assert!(every_zone().len() > 500, "{}", every_zone().len());
    }

    #[test]
    fn utc_is_utc_by_any_name() {
        for name in ["UTC", "utc", "Etc/UTC", "Z"] {
            assert_eq!(parse_zone(name), Ok(TimeZone::UTC));
        }
    }

    #[test]
    fn a_zone_that_is_none_is_refused_with_the_nearest() {
        let rows = [
            ("Europe/Berln", Some("Europe/Berlin")),
            ("berlin", Some("Europe/Berlin")),
            ("Asia/Katmandu2", Some("Asia/Katmandu")),
            ("Etc/Unknown", None),
            ("", None),
            ("+01:00", None),
            ("../../etc/passwd", None),
            ("CET-1CEST,M3.5.0,M10.5.0/3", None),
        ];
        for (text, hint) in rows {
            let error = parse_zone(text).expect_err(text);
            assert!(error.message.starts_with(&format!("tz={text}: no such time zone")), "{error}");
            if let Some(hint) = hint {
                assert_eq!(error.hint.as_deref(), Some(&*format!("the nearest known one is {hint}")), "{text}");
            }
        }
        assert_eq!(parse_zone(&"x".repeat(10_000)).unwrap_err().hint, None, "what is no name is near to none");
    }
}
