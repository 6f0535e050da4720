//! The series a question is about: what a selector names and the caller's token reaches. What it does not reach does not exist.

use std::sync::Arc;

use super::selector::{Attributes, Selector};
use crate::auth::access::Scope;
use crate::series::{Series, SeriesTable};

/// Sorted by device, metric, labels. No selector at all: everything in reach.
#[must_use]
pub fn reachable(table: &SeriesTable, selectors: &[Selector], scope: &Scope, attributes: &dyn Attributes) -> Vec<Arc<Series>> {
    table.select(reach(selectors, scope, attributes))
}

/// The same as a question about one series.
pub fn reach<'a>(selectors: &'a [Selector], scope: &'a Scope, attributes: &'a dyn Attributes) -> impl Fn(&Series) -> bool + 'a {
    move |series| {
        let wanted = selectors.is_empty() || selectors.iter().any(|selector| selector.matches(&series.key, attributes));
        wanted && scope.reaches(&series.key, attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TokenId;
    use crate::query::selector::Glob;
    use crate::series::KeyRef;

    #[test]
    fn a_union_within_the_scope_sorted() {
        let table = SeriesTable::new(100, 100);
        for (device, metric) in [("b", "y"), ("a", "x"), ("c", "x"), ("b", "x")] {
            let series = table.resolve(KeyRef { device, metric, labels: &[] }, TokenId(1)).unwrap();
            table.list(series.id, 0);
        }
        let names = |selectors: &[&str], scope: Scope| {
            let selectors: Vec<_> = selectors.iter().map(|s| Selector::parse(s).unwrap()).collect();
            reachable(&table, &selectors, &scope, &()).iter().map(|s| s.key.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(&[], Scope::default()), ["a/x", "b/x", "b/y", "c/x"]);
        assert_eq!(names(&["*/y", "b/*"], Scope::default()), ["b/x", "b/y"], "a union, each once");
        let devices = Scope { devices: Some(Glob::parse("b*").unwrap()), select: None };
        assert_eq!(names(&["*/x"], devices), ["b/x"]);
        let select = Scope { devices: Some(Glob::parse("b*").unwrap()), select: Some(Selector::parse("*/y").unwrap()) };
        assert_eq!(names(&["*/*"], select), ["b/y"], "both sides of a scope hold");
    }
}
