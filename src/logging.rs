//! The log: `tracing` to stderr, a line for people or a JSON object for programs. And an error with its causes, for both.
//!
//! Invariant: no secret and no query string gets here. The libraries below speak from `info` on at most, since their finer
//! levels print headers.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::config::{LogFormat, Logging};

/// Call once, first thing. A second call (tests in one process) leaves the first in place.
pub fn start(logging: Logging) {
    let layer = fmt::layer().with_writer(std::io::stderr);
    let layer = match logging.format {
        LogFormat::Human => layer.with_ansi(std::io::stderr().is_terminal()).with_target(false).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter(logging.level)));
    // An error says that there is a log already.
    drop(subscriber.try_init());
}

/// An error and its causes on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Some errors print their source themselves.
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

fn filter(level: LevelFilter) -> Targets {
    // At `info` a library's chatter (workers started, ...) tells an operator nothing.
    let libraries = if level > LevelFilter::INFO { LevelFilter::INFO } else { level.min(LevelFilter::WARN) };
    Targets::new().with_default(libraries).with_target("telltale", level)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_never_say_more_than_info() {
        let rows = [
            (LevelFilter::TRACE, "telltale::http", Level::TRACE, true),
            (LevelFilter::TRACE, "actix_http::h1", Level::INFO, true),
            (LevelFilter::TRACE, "actix_http::h1", Level::DEBUG, false),
            (LevelFilter::INFO, "telltale::app", Level::INFO, true),
            (LevelFilter::INFO, "actix_server::builder", Level::INFO, false),
            (LevelFilter::INFO, "actix_server::builder", Level::WARN, true),
            (LevelFilter::ERROR, "actix_server::builder", Level::WARN, false),
        ];
        for (level, target, at, wanted) in rows {
            assert_eq!(filter(level).would_enable(target, &at), wanted, "{level} {target} {at}");
        }
    }

    #[test]
    fn an_error_is_told_with_its_causes_each_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open a")]
        struct Outer(#[source] Inner);
        #[derive(Debug, thiserror::Error)]
        #[error("the disk: {0}")]
        struct Inner(#[source] std::io::Error);
        let error = Outer(Inner(std::io::Error::other("read-only")));
        assert_eq!(chain(&error), "cannot open a: the disk: read-only");
    }
}
