//! PROTOCOL.md says what the code does: its tables of codes and limits and its example are compared with it.

#![expect(clippy::unwrap_used, reason = "a test fails where the document is not as it should be")]

use std::fs;
use std::path::Path;

use telltale_wire::{BatchCode, CloseCode, FrameCode, Limits, RowCode};

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The rows of the table whose head begins like this.
fn table(head: &str) -> Vec<String> {
    let document = file("PROTOCOL.md");
    let rows: Vec<String> = document
        .lines()
        .skip_while(|line| !line.starts_with(head))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(str::to_owned)
        .collect();
    assert!(!rows.is_empty(), "PROTOCOL.md has no table {head}");
    rows
}

#[test]
fn the_table_of_codes_is_the_enums() {
    let row = |number: u16, code: &str, retry: bool, meaning: &str| {
        format!("| {number} | `{code}`{} | {meaning} |", if retry { "*" } else { "" })
    };
    let rows: Vec<String> = (RowCode::ALL.iter().map(|code| row(code.number(), code.as_str(), code.retry(), code.meaning())))
        .chain(FrameCode::ALL.iter().map(|code| row(code.number(), code.as_str(), code.retry(), code.meaning())))
        .chain(BatchCode::ALL.iter().map(|code| row(code.number(), code.as_str(), code.retry(), code.meaning())))
        .collect();
    assert_eq!(table("| number | code |"), rows);
}

#[test]
fn the_table_of_close_codes_is_the_enum() {
    let rows: Vec<String> = CloseCode::ALL
        .iter()
        .map(|code| format!("| {} | {code} | {} | {} |", code.number(), code.meaning(), if code.retry() { "yes" } else { "later" }))
        .collect();
    assert_eq!(table("| code | name |"), rows);
}

#[test]
fn the_table_of_limits_has_the_defaults() {
    let limits = Limits::default();
    let expected = [
        ("frame_bytes", limits.frame_bytes),
        ("batch_readings", limits.batch_readings),
        ("aliases", limits.aliases),
        ("name_bytes", limits.name_bytes),
        ("label_value_bytes", limits.label_value_bytes),
        ("label_count", limits.label_count),
        ("text_bytes", limits.text_bytes),
    ];
    let rows = table("| limit | default |");
    assert_eq!(rows.len(), expected.len());
    for (row, (name, default)) in rows.iter().zip(expected) {
        assert!(row.starts_with(&format!("| `{name}` | {default} |")), "{row}");
    }
}

#[test]
fn the_example_is_the_golden_frame() {
    let document = file("PROTOCOL.md");
    let example = document.split("### An example, byte by byte").nth(1).unwrap().split("```").nth(1).unwrap();
    // The bytes stand before the words, two spaces apart.
    let bytes: Vec<&str> = example.lines().filter_map(|line| line.split("  ").next()).flat_map(str::split_whitespace).collect();
    let golden = file("golden/batch_row.hex");
    assert_eq!(bytes, golden.split_whitespace().collect::<Vec<_>>());
    assert!(document.contains(&format!("at one time, {} bytes.", bytes.len())));
}
