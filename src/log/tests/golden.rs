//! Golden bytes of a segment and its index. They were written down from FORMAT.md, not by this program: version 1 is what they say, and
//! every program that says it knows version 1 reads and writes it so.

use std::io::Cursor;
use std::sync::Arc;

use crate::log::index::SegmentIndex;
use crate::log::record;
use crate::log::segment::{HEADER_BYTES, RECORD_HEADER_BYTES, RecordKind, Scan, SegmentHeader, Stretch, finish_record, skip_header};
use crate::model::{
    AgentSeq, BatchPart, Commit, Delete, Kind, Labels, MetaChange, Position, Reading, SeriesDef, SeriesId, SeriesKey, TimeNs, TokenId,
    Value, ValueType,
};

const SALT: u64 = 0x1122_3344_5566_7788;
const SECOND: TimeNs = 1_000_000_000;
const WALL: TimeNs = 1_800_000_000 * SECOND;
const T0: TimeNs = WALL - 5 * SECOND;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}

fn reading(series: u32, time: TimeNs, value: Value) -> Reading {
    Reading { series: SeriesId(series), time, value }
}

fn first() -> Commit {
    let def = |id, metric: &str, labels, value_type| {
        let key = SeriesKey { device: "pump-1".into(), metric: metric.into(), labels };
        SeriesDef { id: SeriesId(id), key, value_type, owner: TokenId(1) }
    };
    let readings = vec![
        reading(0, T0, Value::Float(21.5)),
        reading(0, T0 + SECOND, Value::Float(21.6)),
        reading(300, T0, Value::Text("on".into())),
        reading(300, T0 + 2 * SECOND, Value::Text("off".into())),
    ];
    let agent = AgentSeq { agent: "gw".into(), boot: 0xfedc_ba98_7654_3210, seq: 41 };
    Commit {
        position: Position(7),
        wall: WALL,
        series: vec![
            def(0, "temp", Labels::from_pairs([("room", "\u{fc}")]), ValueType::Number),
            def(300, "state", Labels::default(), ValueType::Text),
        ],
        meta: vec![MetaChange { series: SeriesId(0), unit: Some(Arc::from("\u{b0}C")), kind: Some(Kind::Counter) }],
        parts: vec![BatchPart { agent: Some(agent), received: WALL - 2_000_000, end: readings.len() }],
        readings,
        ..Commit::default()
    }
}

fn second() -> Commit {
    let readings = vec![
        reading(0, T0 + 2 * SECOND, Value::Int(5)),
        reading(0, T0 + 3 * SECOND, Value::Int(-7)),
        reading(2, T0, Value::Int(1)),
        reading(2, T0 + 1, Value::Float(0.1 + 0.2)),
        reading(3, T0, Value::Bool(true)),
        reading(3, T0 + SECOND, Value::Bool(false)),
        reading(3, T0 + 2 * SECOND, Value::Bool(true)),
        reading(4, T0, Value::Float(2.0_f64.sqrt())),
    ];
    Commit {
        position: Position(8),
        wall: WALL + SECOND,
        deletes: vec![Delete { series: SeriesId(0), from: T0, to: T0 }],
        parts: vec![BatchPart { agent: None, received: WALL + SECOND, end: readings.len() }],
        readings,
        ..Commit::default()
    }
}

/// Two commits, bytes that were set aside, a clean stop.
fn written() -> Vec<u8> {
    let mut segment = SegmentHeader { salt: SALT, first: Position(7) }.encode().to_vec();
    for commit in [first(), second()] {
        let mut one = vec![0; RECORD_HEADER_BYTES];
        record::encode(&commit, &mut one);
        finish_record(RecordKind::Commit, commit.position, SALT, &mut one);
        segment.extend(one);
    }
    segment.extend(skip_header(Position(10), SALT, RECORD_HEADER_BYTES + 16, true));
    segment.extend([0xde, 0xad, 0xbe, 0xef].repeat(4));
    let mut end = vec![0; RECORD_HEADER_BYTES];
    finish_record(RecordKind::End, Position(10), SALT, &mut end);
    segment.extend(end);
    segment
}

#[test]
fn golden_bytes_are_read_and_written() {
    let golden = bytes(include_str!("../golden/segment.hex"));
    let header = SegmentHeader::parse(&golden).unwrap();
    assert_eq!(header, SegmentHeader { salt: SALT, first: Position(7) });
    let told: Vec<_> = Scan::new(&golden, HEADER_BYTES, SALT)
        .map(|stretch| match stretch {
            Stretch::Record(record) if record.kind == RecordKind::Commit => {
                format!("{:?}", record::decode(record.position, record.body).unwrap())
            }
            Stretch::Record(record) => format!("{:?} {} {}", record.kind, record.position.0, record.is_unclear),
            Stretch::Bad { what, .. } => what.to_owned(),
        })
        .collect();
    assert_eq!(told, [format!("{:?}", first()), format!("{:?}", second()), "Skip 10 true".to_owned(), "End 10 false".to_owned()]);
    assert_eq!(written(), golden, "what is written is what FORMAT.md says");
}

#[test]
fn a_golden_index_is_that_of_its_segment() {
    let (segment, golden) = (bytes(include_str!("../golden/segment.hex")), bytes(include_str!("../golden/index.hex")));
    let made = SegmentIndex::of(&mut Cursor::new(&*segment), SALT, Position(7)).unwrap().unwrap();
    assert_eq!(SegmentIndex::decode(&golden).as_ref(), Some(&made));
    assert_eq!(made.encode(), golden);
}
