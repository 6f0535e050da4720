//! Golden bytes: written once by version 1, and read by every program that says it knows version 1.

use std::sync::Arc;

use super::tests::{exact, exact_many};
use super::*;
use crate::block::Values;
use crate::limits::LATE_AFTER_NS;
use crate::model::{SeriesId, Value};

const MS: i64 = 1_000_000;
const START: i64 = 1_800_000_000_000 * MS;

/// What they hold.
fn golden() -> Vec<(&'static str, &'static str, Block)> {
    let times: Vec<TimeNs> = (0..40).map(|i| START + i * 1000 * MS + i % 3 * MS).collect();
    let regular: Vec<TimeNs> = (0..40).map(|i| START + i * 1000 * MS).collect();
    let late = vec![(times[2], times[2] + 2 * LATE_AFTER_NS), (times[5], times[5] + 7 * LATE_AFTER_NS)];
    let block = |times: &Vec<TimeNs>, values, late| Block::from_columns(times.clone(), values, late, Some(3 * MS));
    let word = |i: usize| Arc::<str>::from(["on", "off", "\u{fc}"][i / 3 % 3]);
    let some = |i: usize| if i.is_multiple_of(4) { Value::Float(i as f64) } else { Value::Int(i as i64) };
    let ints = (0..40).map(|i| i * i * 37 % 1000).collect();
    let reals = (0..40_i32).map(|i| f64::from(i).sqrt()).collect();
    let tenths = (0..40_i32).map(|i| f64::from(200 + i * i % 17) / 10.0).collect();
    vec![
        ("ints", include_str!("golden/ints.hex"), block(&times, Values::Int(ints), vec![])),
        ("reals", include_str!("golden/reals.hex"), block(&regular, Values::Float(reals), vec![])),
        ("decimals", include_str!("golden/decimals.hex"), block(&times, Values::Float(tenths), late)),
        ("bools", include_str!("golden/bools.hex"), block(&regular, Values::Bool((0..40).map(|i| i % 9 < 4).collect()), vec![])),
        ("texts", include_str!("golden/texts.hex"), block(&times, Values::Text((0..40).map(word).collect()), vec![])),
        ("mixed", include_str!("golden/mixed.hex"), block(&regular, Values::Mixed((0..40).map(some).collect()), vec![])),
        ("constant", include_str!("golden/constant.hex"), block(&regular, Values::Int(vec![7; 40]), vec![])),
    ]
}

fn golden_many() -> Vec<(SeriesId, Arc<Block>)> {
    let cut = |(i, (_, _, block)): (usize, (&str, &str, Block))| (SeriesId(i as u32 * 2 + 1), Arc::new(block.cut(i..i + 20)));
    golden().into_iter().enumerate().map(cut).collect()
}

pub(in crate::store::embedded) fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

#[test]
fn golden_bytes_are_read() {
    for (name, hex, block) in golden() {
        let back = decode(&from_hex(hex), None).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(exact(&back), exact(&block), "{name}");
    }
    let times = decode_times(&from_hex(include_str!("golden/times.hex"))).unwrap();
    assert_eq!(times, golden()[0].2.times());
    let back = decode_many(&from_hex(include_str!("golden/many.hex"))).unwrap();
    assert_eq!(exact_many(back.iter().map(|(id, b)| (*id, b))), exact_many(golden_many().iter().map(|(id, b)| (*id, &**b))));
}

/// For the golden bytes of a new version; those of an old one stay as they are.
#[test]
#[ignore = "prints golden bytes"]
fn print_golden() {
    let hex = |bytes: Vec<u8>| bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    for (name, _, block) in golden() {
        println!("golden {name} {}", hex(encode(&block, Times::Own)));
    }
    println!("golden times {}", hex(encode_times(golden()[0].2.times())));
    println!("golden many {}", hex(encode_many(&golden_many())));
}
