//! Completion by rows: what is typed, and what is sought then.

use super::*;
use crate::model::Labels;

/// `part typed among` of each thing sought.
fn sought(text: &str) -> Vec<String> {
    let found = Sought::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    found.iter().map(|one| format!("{} `{}` of {}", one.part.as_str(), one.typed, one.among)).collect()
}

#[test]
fn what_is_sought_where_the_caret_is() {
    let rows: &[(&str, &str, &[&str])] = &[
        ("nothing yet", "", &["device `` of */*"]),
        ("a device", "green", &["device `green` of */*"]),
        ("a slash begins the metric, or belongs to the device", "a/te", &["metric `te` of a/*", "device `a/te` of */*"]),
        ("the last slash divides", "a/b/", &["metric `` of a/b/*", "device `a/b/` of */*"]),
        ("an escaped slash does not", r"a\/b", &[r"device `a\/b` of */*"]),
        ("a slash at the start has no device before it", "/a", &["device `/a` of */*"]),
        ("globs are typed", "gr*-1/t?m", &["metric `t?m` of gr*-1/*", "device `gr*-1/t?m` of */*"]),
        ("a backslash is not finished", r"a\", &[r"device `a\` of */*"]),
        ("an escaped brace is no brace", r"a\{/b", &[r"metric `b` of a\{/*", r"device `a\{/b` of */*"]),
        ("names of labels and attributes", "a/b{", &["label `` of a/b", "attribute `` of a/b"]),
        ("a blank is none of it", "a/b{ ", &["label `` of a/b", "attribute `` of a/b"]),
        ("a name of a label", "a/b{cp", &["label `cp` of a/b"]),
        ("an attribute", "a/b{@", &["attribute `@` of a/b"]),
        ("its name", "a/b{ @si", &["attribute `@si` of a/b"]),
        ("an operator is not finished", "a/b{cpu!", &[]),
        ("nor begun", "a/b{cpu ", &[]),
        ("a value without its quote", "a/b{cpu=", &["label_value `` of a/b"]),
        ("a value", "a/b{cpu=\"c", &["label_value `c` of a/b"]),
        ("other operators", "a/b{cpu!=\"c", &["label_value `c` of a/b"]),
        ("a glob", "a/b{cpu =~ \"c*", &["label_value `c*` of a/b"]),
        ("an attribute's value", "a/b{@site=\"ha", &["attribute_value `ha` of a/b"]),
        ("a comma within quotes", "a/b{x=\"1,y=", &["label_value `1,y=` of a/b"]),
        ("an escaped quote", r#"a/b{x="1\"2"#, &[r#"label_value `1\"2` of a/b"#]),
        ("after a value", "a/b{x=\"1\"", &[]),
        ("the next matcher", "a/b{x=\"1\", ", &["label `` of a/b{x=\"1\"}", "attribute `` of a/b{x=\"1\"}"]),
        ("what was said counts", "a/b{x=\"1\",@y!=\"2\",z=\"", &["label_value `` of a/b{x=\"1\",@y!=\"2\"}"]),
        ("the whole", "a/b{x=\"1\"}", &[]),
        ("empty braces", "a/b{}", &[]),
    ];
    for (rule, text, expected) in rows {
        assert_eq!(sought(text), *expected, "{rule}: {text}");
    }
}

#[test]
fn what_no_selector_begins_with_is_refused() {
    let rows = [
        ("a brace without a metric", "a{", "no `/`"),
        ("a lone backslash before the brace is an escape", r"a\{b{", "no `/`"),
        ("no metric", "a/{x", "names no metric"),
        ("no name of a label", "a/b{1=\"x", "name of a label"),
        ("the device is no label", "a/b{device=\"x", "no label is called `device`"),
        ("no operator", "a/b{x>", "one of ="),
        ("no quote", "a/b{x=y", "double quotes"),
        ("two values", "a/b{x=\"1\" y", "`,` or `}`"),
        ("more behind the end", "a/b{x=\"1\"} y", "nothing more"),
    ];
    for (rule, text, part) in rows {
        let error = Sought::parse(text).expect_err(rule);
        assert!(error.message.contains(part), "{rule}: {error}");
    }
    assert!(Sought::parse(&"a".repeat(SELECTOR_BYTES + 1)).is_err());
    assert!(Sought::parse(&"a".repeat(SELECTOR_BYTES)).is_ok(), "what is completed need not be a whole selector");
}

#[test]
fn a_candidate_is_written_so_that_the_parser_reads_it_back() {
    let name = r#"a*b?c\d"e{f/g"#;
    let rows = [
        ("", r#"a\*b\?c\\d"e\{f/g"#),
        ("x/", r#"a\*b\?c\\d"e\{f\/g"#),
        ("x/y{l=\"", r#"a*b?c\\d\"e{f/g"#),
        ("x/y{l=", r#""a*b?c\\d\"e{f/g"#),
        ("x/y{l=~\"", r#"a\*b\?c\\d\"e{f/g"#),
        ("x/y{@a!~ ", r#""a\*b\?c\\d\"e{f/g"#),
    ];
    for (typed, written) in rows {
        let sought = &Sought::parse(typed).unwrap()[0];
        assert_eq!(sought.written(name), written, "{typed}");
        // What is completed is completed again, by its own whole name.
        let longer = format!("{}{}", &typed[..typed.len() - sought.typed.len()], sought.written(name));
        let again = &Sought::parse(&longer).unwrap();
        let again = again.iter().find(|one| one.part == sought.part).unwrap();
        assert!(again.begins.matches(name) && !again.begins.matches("a"), "{longer}");
    }
    assert_eq!(Sought::parse("x/y{@s").unwrap()[0].written("site"), "@site");
}

#[test]
fn tokens_are_those_that_begin_as_typed() {
    let labels = Labels::from_pairs([("cpu", "cpu*0"), ("core", "1")]);
    let key = SeriesKey { device: "pump/2".into(), metric: "temp".into(), labels };
    let attributes = [("site".to_owned(), "hall 1".to_owned())].into();
    let rows: &[(&str, &[&str])] = &[
        ("pu", &["pump/2"]),
        ("p*2", &["pump/2"]),
        ("P", &[]),
        ("pump/", &["temp", "pump/2"]),
        (r"pump\/", &["pump/2"]),
        (r"pump\", &["pump/2"]),
        ("*/t", &["temp"]),
        ("*/x", &[]),
        ("*/*{", &["core", "cpu", "site"]),
        ("*/*{c", &["core", "cpu"]),
        ("*/*{cp", &["cpu"]),
        ("*/*{@", &["site"]),
        ("*/*{s", &[]),
        ("*/*{cpu=", &["cpu*0"]),
        ("*/*{cpu=\"cpu*", &["cpu*0"]),
        (r#"*/*{cpu="cpu\"#, &["cpu*0"]),
        ("*/*{cpu=~\"*0", &["cpu*0"]),
        ("*/*{other=\"", &[]),
        ("*/*{@site=\"hall ", &["hall 1"]),
        ("*/*{@site=\"x", &[]),
    ];
    for (typed, expected) in rows {
        let mut found = Vec::new();
        for sought in Sought::parse(typed).unwrap() {
            sought.tokens(&key, &attributes, &mut |token| found.push(token.to_owned()));
        }
        assert_eq!(found, *expected, "{typed}");
    }
}
