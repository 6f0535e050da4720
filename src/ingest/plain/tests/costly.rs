//! Frames that are cheap to send and were dear to decide. Each is of some megabytes: what is done for each reading again takes minutes
//! or memory by the gigabyte here. Only answers are asserted.

use super::*;

fn map(pairs: u32) -> Vec<u8> {
    let mut out = vec![0xdf];
    out.extend(pairs.to_be_bytes());
    out
}

fn text(bytes: usize) -> Vec<u8> {
    let mut out = vec![0xdb];
    out.extend(u32::try_from(bytes).unwrap().to_be_bytes());
    out.resize(out.len() + bytes, b'x');
    out
}

/// One map: `parts`, and `fields` entries `f` of this value under `key`.
fn frame(parts: &[&[u8]], key: &[u8], fields: u32, value: u8) -> Vec<u8> {
    let mut frame = vec![0x80 | u8::try_from(parts.len() / 2 + 1).unwrap()];
    parts.iter().for_each(|part| frame.extend(*part));
    frame.extend(key);
    frame.extend(map(fields));
    (0..fields).for_each(|_| frame.extend([0xa1, b'f', value]));
    frame
}

/// Tags or labels, so many without a value. These are as good as absent, so no limit is on their number.
fn empty_texts(pairs: u32) -> Vec<u8> {
    let mut out = map(pairs);
    (0..pairs).for_each(|_| out.extend(b"\xa0\xa0"));
    out
}

const FIELDS: u32 = 40_000;
const NIL: u8 = 0xc0;

#[track_caller]
fn check_refused(frame: &[u8], code: RowCode, device: &str, metric: &str) {
    let mut world = world();
    let steps = world.plain.frame(&mut world.session, frame, NOW);
    let Some(Step::Settled(Waiting(What::Pending(_, pending)))) = steps.into_iter().next() else {
        panic!("one batch, all of it refused");
    };
    let nothing = Outcome::Committed { position: Position(0), stored: 0, duplicate: 0, refused: Vec::new() };
    let settled = pending.settle(world.session.door(), world.session.access(), NOW, nothing).unwrap();
    assert_eq!((settled.stored, settled.rejected.len()), (0, FIELDS as usize));
    for rejected in [&settled.rejected[0], settled.rejected.last().unwrap()] {
        assert_eq!(
            (rejected.refusal.code, &*rejected.device, rejected.metric.as_deref()),
            (code, device, Some(metric)),
            "{}",
            rejected.refusal.message
        );
    }
}

#[test]
fn long_names_of_a_telegraf_metric_are_judged_once_for_all_fields() {
    let begins = format!("{}…", "x".repeat(64));
    let name = text(2 << 20);
    check_refused(&frame(&[b"\xa4name", &name], b"\xa6fields", FIELDS, NIL), RowCode::BadValue, "", &begins);
    check_refused(&frame(&[b"\xa4name", &name], b"\xa6fields", FIELDS, 1), RowCode::LimitName, "", &begins);
    let host = [b"\x81\xa4host".to_vec(), text(2 << 20)].concat();
    check_refused(&frame(&[b"\xa4name\xa1m", b"", b"\xa4tags", &host], b"\xa6fields", FIELDS, NIL)[..], RowCode::BadValue, &begins, "m.f");
    check_refused(&frame(&[b"\xa4name\xa1m", b"", b"\xa4tags", &host], b"\xa6fields", FIELDS, 1)[..], RowCode::LimitName, &begins, "m.f");
    let tags = empty_texts(500_000);
    check_refused(&frame(&[b"\xa4name\xa1m", b"", b"\xa4tags", &tags], b"\xa6fields", FIELDS, 1)[..], RowCode::NoDevice, "", "m.f");
}

#[test]
fn a_long_device_or_many_labels_of_a_row_are_judged_once_for_all_values() {
    let begins = format!("{}…", "x".repeat(64));
    let device = text(2 << 20);
    check_refused(&frame(&[b"\xa6device", &device], b"\xa6values", FIELDS, NIL), RowCode::BadValue, &begins, "f");
    check_refused(&frame(&[b"\xa6device", &device], b"\xa6values", FIELDS, 1), RowCode::LimitName, &begins, "f");
    let label = [b"\x81\xa1l".to_vec(), text(2 << 20)].concat();
    check_refused(&frame(&[b"\xa6device\xa1d", b"", b"\xa6labels", &label], b"\xa6values", FIELDS, 1)[..], RowCode::LimitName, "d", "f");
}

#[test]
fn names_too_long_to_be_known_again_are_taken_all_the_same() {
    let labels: Json = (0..32).map(|i| (format!("l{i}"), json!("x".repeat(1024)))).collect::<serde_json::Map<_, _>>().into();
    let mut world = world();
    for value in 1..3 {
        world.now = NOW + value;
        let row = json!({"device": "d", "labels": labels, "values": {"m": value, "n": value}});
        let metric = json!({"name": "m", "tags": {"host": "h", "long": "x".repeat(1000)}, "fields": {"f": value}});
        let answers = world.json(&batch(&json!([row, metric])));
        assert_eq!(codes(&answers), json!([{"ack": 1, "stored": 3, "duplicate": 0, "rejected": []}]));
    }
    assert_eq!(world.session.door().series.resolve(key("the next"), TokenId(7)).unwrap().id, SeriesId(3), "each series was made once");
}

#[test]
fn readings_are_counted_under_every_key_that_holds_some() {
    let most = u32::try_from(crate::limits::BATCH_READINGS).unwrap();
    let [full, over] = [most, most + 1].map(|fields| frame(&[], b"\xa6fields", fields, NIL)[1..].to_vec());
    let half = frame(&[], b"\xa6values", most / 2 + 1, NIL)[1..].to_vec();
    let none = b"\xa6values\x80".to_vec();
    let rows: [(&[&[u8]], bool); 6] = [
        (&[&full], true),
        (&[&full, &none], true),
        (&[&over, &none], false),
        (&[&half, &half], false),
        (&[&half, &none], true),
        (&[&over, b"\xa6values\x01"], false),
    ];
    for (parts, is_taken) in rows {
        let mut bytes = b"\x82\xa3seq\x01\xa8readings\x91".to_vec();
        bytes.push(0x80 | u8::try_from(parts.len()).unwrap());
        parts.iter().for_each(|part| bytes.extend(*part));
        let answers = world().frame(&bytes);
        let code = &answers[0]["error"]["code"];
        assert_eq!(code, &if is_taken { Json::Null } else { json!("limit_batch") }, "{} parts of {} bytes", parts.len(), bytes.len());
    }
}

/// Each of these maps is refused as one reading, whatever it says of an empty `values` beside.
#[test]
fn a_map_that_is_refused_as_one_reading_counts_as_one() {
    let most = u32::try_from(crate::limits::BATCH_READINGS).unwrap();
    let map = b"\x82\xa6values\x80\xa6values\x01";
    for (maps, is_taken) in [(most, true), (most + 1, false)] {
        let mut bytes = b"\x82\xa3seq\x01\xa8readings\xdd".to_vec();
        bytes.extend(maps.to_be_bytes());
        (0..maps).for_each(|_| bytes.extend(map));
        assert_eq!(world().frame(&bytes)[0]["error"].is_null(), is_taken, "{maps} maps");
    }
}
