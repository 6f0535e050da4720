//! The frames of `golden/`: for each, the bytes as hex and the content as JSON, for every implementation of the protocol.
//!
//! Both ways are checked: the content encodes to the bytes, the bytes decode to the content. To take a change of the
//! format on purpose, run with `TELLTALE_GOLDEN=write` and read the difference before it is committed.

#![expect(clippy::unwrap_used, reason = "the files of the folder are good; the test fails at the first that is not")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use support::{Owned, Reading, decode};
use telltale_wire::{
    Ack, AgentFrame, Batch, BatchBuilder, Closing, Code, Definition, Goodbye, Hello, HubFrame, Kind, Limits, Places, Rejected, Retry,
    SlowDown, ValueType, Welcome, encode_define,
};

/// `batch_two_groups` has the largest alias; aliases of definitions are within the default.
const LIMITS: fn() -> Limits = Limits::default;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn content(name: &str) -> Json {
    serde_json::from_str(&fs::read_to_string(folder().join(format!("{name}.json"))).unwrap()).unwrap()
}

fn bytes(name: &str) -> Vec<u8> {
    let hex = fs::read_to_string(folder().join(format!("{name}.hex"))).unwrap_or_default();
    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    let line = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    bytes.chunks(16).map(|bytes| line(bytes) + "\n").collect()
}

#[test]
fn every_content_encodes_to_its_bytes() {
    for name in names() {
        let encoded = encode(&content(&name));
        if std::env::var("TELLTALE_GOLDEN").is_ok_and(|mode| mode == "write") {
            fs::write(folder().join(format!("{name}.hex")), to_hex(&encoded)).unwrap();
        }
        assert_eq!(to_hex(&encoded), to_hex(&bytes(&name)), "{name}");
    }
}

#[test]
fn every_frame_decodes_to_its_content() {
    for name in names() {
        let mut expected = content(&name);
        expected.as_object_mut().unwrap().remove("about");
        assert_eq!(describe(&bytes(&name)), expected, "{name}");
    }
}

#[test]
fn the_frames_show_every_encoding_and_every_time_mode() {
    let mut seen = BTreeSet::new();
    for name in names().iter().filter(|name| name.starts_with("batch_")) {
        let frame = bytes(name);
        let batch = Batch::parse(&frame, &LIMITS()).unwrap();
        for group in batch.groups() {
            let text = format!("{group:?}");
            seen.extend(["Regular(", "Deltas(", "DeltasOfDeltas("].into_iter().filter(|mode| text.contains(mode)).map(str::to_owned));
            seen.extend(
                ["1,", "1000,", "1000000,", "1000000000,"]
                    .map(|unit| format!("unit_ns: {unit}"))
                    .into_iter()
                    .filter(|unit| text.contains(unit)),
            );
            for column in group.columns() {
                let text = format!("{column:?}");
                let encoding = text.split("encoding: ").nth(1).unwrap().split(',').next().unwrap();
                seen.insert(encoding.to_owned());
                if !column.presence().is_all() {
                    seen.insert("presence".into());
                }
            }
        }
    }
    let expected = "Bool Constant DecimalDelta DecimalOffset Deltas( DeltasOfDeltas( F32 F64 IntDelta IntOffset Mixed Regular( Text presence \
                    unit_ns: 1, unit_ns: 1000, unit_ns: 1000000, unit_ns: 1000000000,";
    assert_eq!(seen.into_iter().collect::<Vec<_>>().join(" "), expected);
}

// JSON -> frame. 64-bit integers are texts in the JSON, since JavaScript's numbers cannot hold them.

fn text(json: &Json) -> &str {
    json.as_str().unwrap_or_else(|| panic!("{json} is not a text"))
}

fn u64_of(json: &Json) -> u64 {
    text(json).parse().unwrap()
}

fn i64_of(json: &Json) -> i64 {
    text(json).parse().unwrap()
}

fn u32_of(json: &Json) -> u32 {
    json.as_u64().unwrap().try_into().unwrap()
}

fn pairs(json: &Json) -> Vec<(&str, &str)> {
    json.as_array().unwrap().iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

fn encode(json: &Json) -> Vec<u8> {
    let mut out = Vec::new();
    match text(&json["frame"]) {
        "hello" => Hello {
            agent: text(&json["agent"]),
            boot: u64_of(&json["boot"]),
            clock_ns: i64_of(&json["clock_ns"]),
            program: text(&json["program"]),
            attributes: pairs(&json["attributes"]),
        }
        .encode(&mut out),
        "welcome" => Welcome {
            limits: limits_of(&json["limits"]),
            hub_time_ns: i64_of(&json["hub_time_ns"]),
            last_durable: (!json["last_durable"].is_null()).then(|| u64_of(&json["last_durable"])),
            program: text(&json["program"]),
        }
        .encode(&mut out),
        "define" => {
            let definitions: Vec<Definition<'_>> = json["definitions"].as_array().unwrap().iter().map(definition).collect();
            encode_define(&definitions, &mut out);
        }
        "goodbye" => Goodbye { reason: text(&json["reason"]) }.encode(&mut out),
        "ack" => Ack {
            up_to: u64_of(&json["up_to"]),
            stored: u64_of(&json["stored"]),
            duplicate: u64_of(&json["duplicate"]),
            rejected: json["rejected"].as_array().unwrap().iter().map(rejected).collect(),
        }
        .encode(&mut out),
        "retry" => Retry {
            seq: u64_of(&json["seq"]),
            after_ms: u32_of(&json["after_ms"]),
            code: code(&json["code"]),
            message: text(&json["message"]),
        }
        .encode(&mut out),
        "slow_down" => SlowDown { after_ms: u32_of(&json["after_ms"]) }.encode(&mut out),
        "closing" => Closing {
            code: u32_of(&json["code"]).try_into().unwrap(),
            reason: text(&json["reason"]),
            retry_after_ms: json["retry_after_ms"].as_u64().map(|ms| ms.try_into().unwrap()),
        }
        .encode(&mut out),
        "batch" => encode_batch(json, &mut out),
        other => panic!("unknown frame {other}"),
    }
    out
}

/// The readings stand in the order of their places, and pushed in this order they keep it.
fn encode_batch(json: &Json, out: &mut Vec<u8>) {
    let mut builder = BatchBuilder::new(LIMITS());
    for json in json["readings"].as_array().unwrap() {
        let reading = reading(json);
        builder.push(reading.alias, reading.time_ns, reading.value.borrowed()).unwrap();
    }
    let count = u32::try_from(builder.len()).unwrap();
    assert!(builder.encode(u64_of(&json["seq"]), out).iter().copied().eq(0..count), "the readings are not in the order of their places");
}

fn reading(json: &Json) -> Reading {
    let value = [
        json.get("int").map(|int| Owned::Int(i64_of(int))),
        json.get("float").map(|float| Owned::Float(float.as_f64().unwrap())),
        json.get("bool").map(|bool| Owned::Bool(bool.as_bool().unwrap())),
        json.get("text").map(|value| Owned::Text(text(value).to_owned())),
    ];
    Reading { alias: u32_of(&json["alias"]), time_ns: i64_of(&json["time_ns"]), value: value.into_iter().flatten().next().unwrap() }
}

fn limits_of(json: &Json) -> Limits {
    Limits {
        frame_bytes: u32_of(&json["frame_bytes"]),
        batch_readings: u32_of(&json["batch_readings"]),
        aliases: u32_of(&json["aliases"]),
        name_bytes: u32_of(&json["name_bytes"]),
        label_value_bytes: u32_of(&json["label_value_bytes"]),
        label_count: u32_of(&json["label_count"]),
        text_bytes: u32_of(&json["text_bytes"]),
    }
}

fn definition(json: &Json) -> Definition<'_> {
    Definition {
        alias: u32_of(&json["alias"]),
        device: text(&json["device"]),
        metric: text(&json["metric"]),
        labels: pairs(&json["labels"]),
        value_type: [ValueType::Number, ValueType::Bool, ValueType::Text]
            .into_iter()
            .find(|value_type| value_type.as_str() == text(&json["value_type"]))
            .unwrap(),
        unit: json["unit"].as_str(),
        kind: json["kind"].as_str().map(|kind| Kind::from_text(kind).unwrap()),
    }
}

fn code(json: &Json) -> Code {
    Code::from_number(u32_of(json).try_into().unwrap())
}

fn rejected(json: &Json) -> Rejected<'_> {
    let places = match &json["places"] {
        Json::String(all) if all == "all" => Places::All,
        run => Places::Run { first: u32_of(&run["first"]), count: u32_of(&run["count"]) },
    };
    Rejected {
        seq: u64_of(&json["seq"]),
        places,
        code: code(&json["code"]),
        retry: json["retry"].as_bool().unwrap(),
        message: text(&json["message"]),
    }
}

// Frame -> JSON.

fn describe(frame: &[u8]) -> Json {
    if frame[0] < 0x80 { describe_agent(frame) } else { describe_hub(frame) }
}

fn describe_agent(frame: &[u8]) -> Json {
    match AgentFrame::parse(frame, &LIMITS()).unwrap() {
        AgentFrame::Hello(hello) => json!({
            "frame": "hello", "agent": hello.agent, "boot": hello.boot.to_string(), "clock_ns": hello.clock_ns.to_string(),
            "program": hello.program, "attributes": hello.attributes,
        }),
        AgentFrame::Define(define) => {
            let definitions: Vec<Json> = define.definitions().map(|definition| describe_definition(&definition)).collect();
            assert_eq!(definitions.len(), define.len());
            json!({"frame": "define", "definitions": definitions})
        }
        AgentFrame::Goodbye(goodbye) => json!({"frame": "goodbye", "reason": goodbye.reason}),
        AgentFrame::Batch(_) => {
            let (seq, readings) = decode(frame, &LIMITS()).unwrap();
            assert_eq!(Batch::peek_seq(frame), Some(seq));
            json!({"frame": "batch", "seq": seq.to_string(), "readings": readings.iter().map(describe_reading).collect::<Vec<_>>()})
        }
    }
}

fn describe_definition(definition: &Definition<'_>) -> Json {
    assert!(definition.labels_ascend());
    json!({
        "alias": definition.alias, "device": definition.device, "metric": definition.metric, "labels": definition.labels,
        "value_type": definition.value_type.as_str(), "kind": definition.kind.map(Kind::as_str), "unit": definition.unit,
    })
}

fn describe_reading(reading: &Reading) -> Json {
    let (name, value) = match &reading.value {
        Owned::Int(int) => ("int", json!(int.to_string())),
        Owned::Float(float) => ("float", json!(float)),
        Owned::Bool(bool) => ("bool", json!(bool)),
        Owned::Text(text) => ("text", json!(text)),
    };
    json!({"alias": reading.alias, "time_ns": reading.time_ns.to_string(), name: value})
}

fn describe_hub(frame: &[u8]) -> Json {
    match HubFrame::parse(frame).unwrap() {
        HubFrame::Welcome(welcome) => {
            let limits = welcome.limits;
            json!({
                "frame": "welcome", "hub_time_ns": welcome.hub_time_ns.to_string(), "program": welcome.program,
                "last_durable": welcome.last_durable.map(|seq| seq.to_string()),
                "limits": {
                    "frame_bytes": limits.frame_bytes, "batch_readings": limits.batch_readings, "aliases": limits.aliases,
                    "name_bytes": limits.name_bytes, "label_value_bytes": limits.label_value_bytes,
                    "label_count": limits.label_count, "text_bytes": limits.text_bytes,
                },
            })
        }
        HubFrame::Ack(ack) => json!({
            "frame": "ack", "up_to": ack.up_to.to_string(), "stored": ack.stored.to_string(), "duplicate": ack.duplicate.to_string(),
            "rejected": ack.rejected.iter().map(describe_rejected).collect::<Vec<_>>(),
        }),
        HubFrame::Retry(retry) => json!({
            "frame": "retry", "seq": retry.seq.to_string(), "after_ms": retry.after_ms, "code": retry.code.number(),
            "message": retry.message,
        }),
        HubFrame::SlowDown(slow_down) => json!({"frame": "slow_down", "after_ms": slow_down.after_ms}),
        HubFrame::Closing(closing) => json!({
            "frame": "closing", "code": closing.code, "reason": closing.reason, "retry_after_ms": closing.retry_after_ms,
        }),
    }
}

fn describe_rejected(rejected: &Rejected<'_>) -> Json {
    let places = match rejected.places {
        Places::All => json!("all"),
        Places::Run { first, count } => json!({"first": first, "count": count}),
    };
    json!({
        "seq": rejected.seq.to_string(), "places": places, "code": rejected.code.number(), "retry": rejected.retry,
        "message": rejected.message,
    })
}
