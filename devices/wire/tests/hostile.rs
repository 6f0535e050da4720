//! Broken and hostile frames: each is refused with an error that names the part, the value and what was expected.

mod support;

use support::decode;
use telltale_wire::{AgentFrame, Batch, BatchBuilder, FrameCode, HubFrame, Limits, Value};

const NO_LIMIT: u64 = 1 << 40;

/// Bytes from parts: `b(&[..])` as they are, `v(n)` a varint.
enum Part<'a> {
    B(&'a [u8]),
    V(u64),
    T(&'a str),
}
use Part::{B, T, V};

fn bytes(parts: &[Part<'_>]) -> Vec<u8> {
    fn varint(out: &mut Vec<u8>, mut value: u64) {
        while value >= 0x80 {
            out.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }
    let mut out = Vec::new();
    for part in parts {
        match part {
            B(bytes) => out.extend_from_slice(bytes),
            V(value) => varint(&mut out, *value),
            T(text) => {
                varint(&mut out, text.len() as u64);
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
    out
}

/// A batch with seq 1, base 0 and these groups.
fn batch(groups: u64, rest: &[Part<'_>]) -> Vec<u8> {
    [bytes(&[B(&[3, 1]), B(&[0; 8]), V(groups)]), bytes(rest)].concat()
}

/// A batch with one column of `rows` rows, a second apart.
fn column(rows: u64, rest: &[Part<'_>]) -> Vec<u8> {
    batch(1, &[V(1), V(rows), B(if rows == 1 { &[3, 0] } else { &[3, 0, 2] }), V(7), B(&bytes(rest))])
}

fn agent(rule: &str, frame: &[u8], expected: &str) {
    let limits = Limits { frame_bytes: 1000, batch_readings: 100, ..Limits::default() };
    let error = match AgentFrame::parse(frame, &limits) {
        Ok(AgentFrame::Batch(_)) => decode(frame, &limits).map(|_| ()).expect_err(rule),
        Ok(frame) => panic!("{rule}: {frame:?}"),
        Err(error) => error,
    };
    assert_eq!(error.to_string(), expected, "{rule}");
    let limit = if expected.starts_with("limit frame_bytes:") || expected.starts_with("limit aliases") || expected.contains("(hello") {
        FrameCode::LimitFrame
    } else if expected.starts_with("limit") {
        FrameCode::LimitBatch
    } else {
        FrameCode::BadFrame
    };
    assert_eq!(error.code(), limit, "{rule}");
}

#[test]
fn frames_of_an_agent_that_cannot_be_read() {
    agent("nothing", &[], "the frame is empty; a frame begins with its type");
    agent("an unknown type", &[9], "frame type 0x09 is not known here; expected an agent's: 1 hello, 2 define, 3 batch, 4 goodbye");
    agent(
        "a hub's frame",
        &[0x82, 1, 0, 0, 0],
        "frame type 0x82 is not known here; expected an agent's: 1 hello, 2 define, 3 batch, 4 goodbye",
    );
    agent("MessagePack", &[0x81, 0xa1], "frame type 0x81 is not known here; expected an agent's: 1 hello, 2 define, 3 batch, 4 goodbye");
    agent("more bytes than a frame may have", &[3; 1001], "limit frame_bytes: 1001 is more than 1000");
    agent("goodbye with a tail", &bytes(&[B(&[4]), T("bye"), B(&[0, 0])]), "2 bytes follow the end of goodbye at byte 5");
    agent("goodbye that is not UTF-8", &[4, 2, 0xc3, 0x28], "goodbye.reason at byte 1 is not UTF-8");
    agent("goodbye cut in its text", &[4, 200, 1, b'x'], "goodbye.reason at byte 3 needs 200 bytes, 1 are left");
}

#[test]
fn hello_and_define_that_cannot_be_read() {
    let name = "n".repeat(257);
    let clock = [0; 16];
    agent("hello cut", &bytes(&[B(&[1]), T("gw"), B(&[0; 5])]), "hello.boot at byte 4 needs 8 bytes, 5 are left");
    agent(
        "an agent id too long",
        &bytes(&[B(&[1]), T(&name), B(&clock), T(""), V(0)]),
        "limit name_bytes (hello.agent): 257 is more than 256",
    );
    agent(
        "attributes beyond the bytes",
        &bytes(&[B(&[1]), T("gw"), B(&clock), T(""), V(NO_LIMIT)]),
        "hello.attributes at byte 21 needs 2199023255552 bytes, 0 are left",
    );
    agent(
        "too many attributes",
        &bytes(&[B(&[1]), T("gw"), B(&clock), T(""), V(33), B(&[0; 66])]),
        "limit label_count (hello.attributes): 33 is more than 32",
    );
    agent(
        "an attribute too long",
        &bytes(&[B(&[1]), T("gw"), B(&clock), T(""), V(1), T(&name), T("v")]),
        "limit name_bytes (hello.attributes): 257 is more than 256",
    );

    agent(
        "definitions beyond the bytes",
        &bytes(&[B(&[2]), V(NO_LIMIT), B(&[0; 20])]),
        "define.count at byte 1 needs 7696581394432 bytes, 20 are left",
    );
    agent(
        "an alias beyond the limit",
        &bytes(&[B(&[2]), V(1), V(100_000), T("d"), T("m"), V(0), B(&[1, 0, 0])]),
        "limit aliases: 100001 is more than 100000",
    );
    agent(
        "an alias beyond 32 bits",
        &bytes(&[B(&[2]), V(1), V(1 << 32), T("d"), T("m"), V(0), B(&[1, 0, 0])]),
        "define.alias at byte 2 is 4294967296; expected at most 4294967295",
    );
    agent(
        "labels beyond the bytes",
        &bytes(&[B(&[2]), V(1), V(0), T("d"), T("m"), V(NO_LIMIT), B(&[1, 0, 0])]),
        "define.labels at byte 7 needs 2199023255552 bytes, 3 are left",
    );
    agent(
        "an unknown value type",
        &bytes(&[B(&[2]), V(1), V(0), T("d"), T("m"), V(0), B(&[4, 0, 0])]),
        "define.value_type at byte 8 is 4; expected 1 (number), 2 (bool) or 3 (text)",
    );
    agent(
        "an unknown kind",
        &bytes(&[B(&[2]), V(1), V(0), T("d"), T("m"), V(0), B(&[1, 5, 0])]),
        "define.kind at byte 9 is 5; expected 0 (none), 1 (gauge), 2 (counter), 3 (state) or 4 (text)",
    );
    agent(
        "an unknown unit flag",
        &bytes(&[B(&[2]), V(1), V(0), T("d"), T("m"), V(0), B(&[1, 0, 2])]),
        "define.unit at byte 10 is 2; expected 0 (none) or 1 (a text follows)",
    );
}

#[test]
fn batches_whose_counts_are_not_true() {
    agent("cut in its head", &[3, 1, 0, 0], "batch.base_ns at byte 2 needs 8 bytes, 2 are left");
    agent(
        "a sequence number of 70 bits",
        &[3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 127],
        "batch.seq at byte 1 is not a varint of at most 64 bits",
    );
    agent("groups beyond the bytes", &batch(NO_LIMIT, &[]), "batch.groups at byte 10 needs 8796093022208 bytes, 0 are left");
    agent(
        "columns beyond the bytes",
        &batch(1, &[V(NO_LIMIT), B(&[1; 9])]),
        "group.columns at byte 11 needs 4398046511104 bytes, 9 are left",
    );
    agent(
        "a group without columns",
        &batch(1, &[V(0), V(1), B(&[0; 8])]),
        "group.columns or group.rows at byte 11 is 0; expected at least 1",
    );
    agent("a group without rows", &batch(1, &[V(1), V(0), B(&[0; 8])]), "group.columns or group.rows at byte 11 is 0; expected at least 1");
    agent(
        "2^40 rows",
        &batch(1, &[V(1), V(NO_LIMIT), B(&[0; 8])]),
        "limit batch_readings (rows of a group): 1099511627776 is more than 100",
    );
    agent("a row more than allowed", &column(101, &[B(&[8, 2, 1, 0])]), "limit batch_readings (rows of a group): 101 is more than 100");
    let half = [V(1), V(60), B(&[3, 0, 2]), V(7), B(&[8, 2, 1, 0])];
    agent(
        "two groups that are too much together",
        &batch(2, &[B(&bytes(&half)), B(&bytes(&half))]),
        "limit batch_readings: 120 is more than 100",
    );
    agent(
        "a constant text that stands for too much",
        &column(100, &[B(&[8]), V(22), B(&[5]), T("twenty bytes of text")]),
        "limit frame_bytes (text of the batch): 2000 is more than 1000",
    );
    agent("a tail", &[column(1, &[B(&[0, 1, 2])]), vec![0]].concat(), "1 bytes follow the end of batch at byte 19");
    agent(
        "a payload beyond the bytes",
        &column(1, &[B(&[0]), V(NO_LIMIT), B(&[2])]),
        "column.payload at byte 23 needs 1099511627776 bytes, 1 are left",
    );
}

#[test]
fn batches_whose_columns_cannot_be_read() {
    agent(
        "an unknown time mode",
        &batch(1, &[V(1), V(3), B(&[12, 0, 2]), V(7), B(&[0, 1, 2])]),
        "time.head at byte 13 is 12; expected a mode 0-2 (0 for one row) over a unit 0-3",
    );
    agent(
        "a time mode that one row has not",
        &batch(1, &[V(1), V(1), B(&[4, 0, 0]), V(7), B(&[0, 1, 2])]),
        "time.head at byte 13 is 4; expected a mode 0-2 (0 for one row) over a unit 0-3",
    );
    agent(
        "too few time steps",
        &batch(1, &[V(1), V(4), B(&[4, 0]), V(2), B(&[2, 2]), V(7), B(&[8, 2, 1, 0])]),
        "time.steps at byte 16 is not a varint of at most 64 bits",
    );
    agent(
        "too many time steps",
        &batch(1, &[V(1), V(4), B(&[8, 0]), V(4), B(&[2, 2, 2, 2]), V(7), B(&[8, 2, 1, 0])]),
        "time.steps at byte 16 is not a varint of at most 64 bits",
    );
    agent("an unknown encoding", &column(1, &[B(&[10, 1, 2])]), "column.form at byte 16 is 10; expected an encoding 0-9");
    agent("presence of no row", &column(3, &[B(&[0x80, 0, 1, 2])]), "column.presence at byte 18 is 0; expected at least one row");
    agent(
        "presence of a row that is not there",
        &column(3, &[B(&[0x80, 8, 1, 2])]),
        "column.presence at byte 18 is 8; expected no bit set after the last row",
    );
    agent("too few integers", &column(3, &[B(&[0, 2, 2, 2])]), "integers at byte 19 needs 3 bytes, 2 are left");
    agent("too many integers", &column(3, &[B(&[0, 4, 2, 2, 2, 2])]), "integers at byte 19 is not a varint of at most 64 bits");
    agent("integers that end in a varint", &column(2, &[B(&[1, 3, 2, 0, 0x80])]), "integers at byte 19 is not a varint of at most 64 bits");
    agent("an exponent too large", &column(2, &[B(&[2, 3, 16, 2, 2])]), "decimal.exponent at byte 19 is 16; expected 0-15");
    agent("a decimal without exponent", &column(2, &[B(&[2, 0])]), "decimal.exponent at byte 19 needs 1 bytes, 0 are left");
    agent("too few floats", &column(2, &[B(&[4, 9]), B(&[0; 9])]), "floats at byte 19 needs 16 bytes, 9 are left");
    agent("too many floats", &column(1, &[B(&[5, 5]), B(&[0; 5])]), "1 bytes follow the end of floats at byte 22");
    agent("too few bools", &column(9, &[B(&[6, 1, 0xff])]), "bools at byte 19 needs 2 bytes, 1 are left");
    agent("bools after the last", &column(3, &[B(&[6, 1, 0x0f])]), "bools at byte 19 is 15; expected no bit set after the last value");
    agent("texts longer than the bytes", &column(2, &[B(&[7, 4, 1, 2, b'a', b'b'])]), "texts at byte 21 needs 3 bytes, 2 are left");
    agent("texts cut in a character", &column(2, &[B(&[7, 4, 1, 1, 0xc3, 0xa4])]), "texts at byte 19 is not UTF-8");
    agent("texts that are not UTF-8", &column(1, &[B(&[7, 2, 1, 0xff])]), "texts at byte 18 is not UTF-8");
    agent("an unknown constant", &column(2, &[B(&[8, 1, 6])]), "constant.tag at byte 19 is 6; expected 1-5");
    agent("a constant with a tail", &column(2, &[B(&[8, 2, 3, 3])]), "1 bytes follow the end of constant at byte 20");
    agent("mixed with too few floats", &column(2, &[B(&[9, 3, 1, 4, 0])]), "floats at byte 22 needs 8 bytes, 0 are left");
    agent(
        "mixed within mixed",
        &column(2, &[B(&[9, 4, 1, 9, 1, 0])]),
        "mixed.encoding at byte 22 is 9; expected an encoding of numbers, 0-5",
    );
    agent(
        "mixed with its halves exchanged",
        &column(2, &[B(&[9, 4, 1, 0, 1, 0])]),
        "mixed.encoding at byte 20 is 0; expected floats (2-5), then integers (0-1)",
    );
}

#[test]
fn frames_of_a_hub_that_cannot_be_read() {
    let hub = |rule: &str, frame: &[u8], expected: &str| {
        assert_eq!(HubFrame::parse(frame).expect_err(rule).to_string(), expected, "{rule}");
    };
    hub("nothing", &[], "the frame is empty; a frame begins with its type");
    hub(
        "an agent's frame",
        &[1],
        "frame type 0x01 is not known here; expected a hub's: 0x81 welcome, 0x82 ack, 0x83 retry, 0x84 slow_down, 0x85 closing",
    );
    hub(
        "a limit beyond 32 bits",
        &bytes(&[B(&[0x81]), V(1 << 32)]),
        "welcome.frame_bytes at byte 1 is 4294967296; expected at most 4294967295",
    );
    hub(
        "a welcome with an unknown flag",
        &bytes(&[B(&[0x81]), B(&[1; 7]), B(&[0; 8]), B(&[2])]),
        "welcome.last_durable at byte 16 is 2; expected 0 (none) or 1 (a value follows)",
    );
    hub(
        "rejections beyond the bytes",
        &bytes(&[B(&[0x82, 1, 0, 0]), V(NO_LIMIT)]),
        "ack.rejected at byte 4 needs 7696581394432 bytes, 0 are left",
    );
    hub("an unknown retry flag", &bytes(&[B(&[0x82, 1, 0, 0, 1, 1, 1, 0, 7, 0, 2, 0])]), "rejected.retry at byte 10 is 2; expected 0 or 1");
    hub(
        "a run that passes 32 bits",
        &bytes(&[B(&[0x82, 1, 0, 0, 1, 1]), V(2), V(u64::from(u32::MAX)), B(&[7, 0, 0, 0])]),
        "rejected.first at byte 7 is 4294967295; expected first + count of at most 4294967295",
    );
    hub("an ack with a tail", &[0x82, 1, 0, 0, 0, 9], "1 bytes follow the end of ack at byte 5");
    hub("a retry without a message", &[0x83, 1, 0, 200, 0], "retry.message at byte 5 is not a varint of at most 64 bits");
    hub(
        "a pause beyond 32 bits",
        &bytes(&[B(&[0x84]), V(1 << 33)]),
        "slow_down.after_ms at byte 1 is 8589934592; expected at most 4294967295",
    );
    hub("closing cut", &[0x85, 0xe9], "closing.code at byte 1 needs 2 bytes, 1 are left");
}

#[test]
fn a_later_version_may_add_fields_to_hello_and_welcome() {
    let golden = |name: &str| -> Vec<u8> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
        std::fs::read_to_string(path).unwrap().split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
    };
    let hello = [golden("hello.hex"), vec![1, 2, 3]].concat();
    assert!(matches!(AgentFrame::parse(&hello, &Limits::default()), Ok(AgentFrame::Hello(hello)) if hello.agent == "gw-07"));
    let welcome = [golden("welcome_again.hex"), vec![1, 2, 3]].concat();
    assert!(matches!(HubFrame::parse(&welcome), Ok(HubFrame::Welcome(welcome)) if welcome.last_durable == Some(300)));
}

#[test]
fn a_refused_batch_can_be_named_by_its_number() {
    let mut builder = BatchBuilder::new(Limits::default());
    for time in 0..3 {
        builder.push(0, time, Value::Int(time)).unwrap();
    }
    let mut frame = Vec::new();
    builder.encode(4711, &mut frame);
    let error = Batch::parse(&frame, &Limits { batch_readings: 2, ..Limits::default() }).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (FrameCode::LimitBatch, "limit batch_readings (rows of a group): 3 is more than 2")
    );
    assert_eq!(Batch::peek_seq(&frame), Some(4711));
    assert_eq!(Batch::peek_seq(&[4, 0]), None);
}
