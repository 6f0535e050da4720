//! A commit as bytes (FORMAT.md, "Commit record"). Pure: bytes in, commit out, and back.
//!
//! The readings of a batch stand grouped by series: the writer sorts them so, and `decode(encode(c)) == c` holds for such commits.
//! Times are deltas, `values` has the values: about 10 bytes a reading where rows of ten metrics share a time.

use std::sync::Arc;

use telltale_wire::WireError;
use telltale_wire::reader::{Reader, put_text};
use telltale_wire::varint::{put, unzigzag, zigzag};

use super::runs::{self, Unpacked};
use super::values::{bad, encode_values, run_tag};
use crate::model::{
    AgentSeq, BatchPart, Commit, Delete, Kind, Labels, MetaChange, Position, Reading, SeriesDef, SeriesId, SeriesKey, TimeNs, TokenId,
    ValueType,
};
use crate::replayed::Replayed;

/// Appends the body of `commit` to `out`. The position stands in the record's header, not in the body.
pub(super) fn encode(commit: &Commit, out: &mut Vec<u8>) {
    out.extend_from_slice(&commit.wall.to_le_bytes());
    put(out, commit.series.len() as u64);
    for def in &commit.series {
        encode_series(def, out);
    }
    put(out, commit.meta.len() as u64);
    for change in &commit.meta {
        put(out, u64::from(change.series.0));
        out.push(u8::from(change.unit.is_some()) | change.kind.map_or(0, |kind| kind_number(kind) << 1));
        if let Some(unit) = &change.unit {
            put_text(out, unit);
        }
    }
    put(out, commit.deletes.len() as u64);
    for delete in &commit.deletes {
        put(out, u64::from(delete.series.0));
        out.extend_from_slice(&delete.from.to_le_bytes());
        out.extend_from_slice(&delete.to.to_le_bytes());
    }
    put(out, commit.parts.len() as u64);
    for (part, readings) in commit.batches() {
        encode_part(part, readings, commit.wall, out);
    }
}

fn encode_series(def: &SeriesDef, out: &mut Vec<u8>) {
    put(out, u64::from(def.id.0));
    out.push(match def.value_type {
        ValueType::Number => 0,
        ValueType::Bool => 1,
        ValueType::Text => 2,
    });
    put(out, u64::from(def.owner.0));
    put_text(out, &def.key.device);
    put_text(out, &def.key.metric);
    put(out, def.key.labels.len() as u64);
    for (name, value) in def.key.labels.iter() {
        put_text(out, name);
        put_text(out, value);
    }
}

fn encode_part(part: &BatchPart, readings: &[Reading], wall: TimeNs, out: &mut Vec<u8>) {
    out.push(u8::from(part.agent.is_some()));
    if let Some(agent) = &part.agent {
        put_text(out, &agent.agent);
        out.extend_from_slice(&agent.boot.to_le_bytes());
        put(out, agent.seq);
    }
    put(out, zigzag(wall.wrapping_sub(part.received)));
    put(out, readings.chunk_by(|a, b| a.series == b.series).count() as u64);
    let (mut id, mut time) = (0_u32, part.received);
    for run in readings.chunk_by(|a, b| a.series == b.series) {
        let series = run[0].series.0;
        put(out, zigzag(i64::from(series) - i64::from(id)));
        id = series;
        let tag = run_tag(run);
        put(out, (run.len() as u64) << 4 | tag);
        let first = run[0].time;
        put(out, zigzag(first.wrapping_sub(time)));
        time = first;
        for pair in run.windows(2) {
            put(out, zigzag(pair[1].time.wrapping_sub(pair[0].time)));
        }
        encode_values(run, tag, out);
    }
}

/// When the commit was made, without reading the rest. A body too short for it has no time.
pub(super) fn wall(body: &[u8]) -> TimeNs {
    body.first_chunk().map_or(TimeNs::MIN, |bytes| TimeNs::from_le_bytes(*bytes))
}

/// Reads the body of the record at `position`.
pub(super) fn decode(position: Position, body: &[u8]) -> Result<Commit, WireError> {
    let mut unpacked = Unpacked::default();
    let commit = decode_with(position, body, |r, received| {
        runs::walk(r, received, |r, series, before| runs::unpack(r, series, (before, received), &mut unpacked))?;
        Ok(unpacked.readings())
    })?;
    let mut readings = Vec::with_capacity(unpacked.readings());
    unpacked.stretches().for_each(|stretch| readings.extend(stretch.readings()));
    Ok(Commit { readings, ..commit })
}

/// The same, behind what was read before. Readings stay packed, and are as good as if they had been unpacked.
pub(super) fn decode_into(position: Position, body: &[u8], replayed: &mut Replayed) -> Result<(), WireError> {
    let before = replayed.readings();
    let commit = decode_with(position, body, |r, received| {
        runs::walk(r, received, |r, series, time| {
            let at = r.at();
            let (first, count) = runs::skip(r, time)?;
            replayed.run(series, at, (time, received), count);
            Ok(first)
        })?;
        Ok(replayed.readings() - before)
    });
    match commit {
        Ok(commit) => replayed.push(commit, body),
        Err(error) => {
            replayed.forget_runs();
            return Err(error);
        }
    }
    Ok(())
}

/// The commit without its readings: `runs` takes those of each batch, which came at the time it is given, and says how many the commit has
/// with them.
pub(super) fn decode_with<'a>(
    position: Position,
    body: &'a [u8],
    mut runs: impl FnMut(&mut Reader<'a>, TimeNs) -> Result<usize, WireError>,
) -> Result<Commit, WireError> {
    let mut r = Reader::new(body);
    let mut commit = Commit { position, wall: r.i64("wall")?, ..Commit::default() };
    for _ in 0..r.count("series", 6)? {
        commit.series.push(decode_series(&mut r)?);
    }
    for _ in 0..r.count("meta changes", 2)? {
        commit.meta.push(decode_meta(&mut r)?);
    }
    for _ in 0..r.count("deletes", 17)? {
        commit.deletes.push(Delete { series: SeriesId(r.varint_u32("series id")?), from: r.i64("from")?, to: r.i64("to")? });
    }
    for _ in 0..r.count("batches", 3)? {
        let (agent, received) = decode_part(&mut r, commit.wall)?;
        commit.parts.push(BatchPart { agent, received, end: runs(&mut r, received)? });
    }
    r.end("commit")?;
    Ok(commit)
}

fn decode_meta(r: &mut Reader<'_>) -> Result<MetaChange, WireError> {
    let series = SeriesId(r.varint_u32("series id")?);
    let at = r.at();
    let flags = r.u8("meta flags")?;
    let unit = if flags & 1 == 1 { Some(Arc::from(r.text("unit")?)) } else { None };
    let kind = match flags >> 1 {
        0 => None,
        n => Some(kind_from(n).ok_or_else(|| bad("kind", at, u64::from(n), "1 to 4"))?),
    };
    Ok(MetaChange { series, unit, kind })
}

/// The readings of a record's body alone.
pub(crate) fn readings(position: Position, body: &[u8]) -> Result<Vec<Reading>, WireError> {
    decode(position, body).map(|commit| commit.readings)
}

fn decode_series(r: &mut Reader<'_>) -> Result<SeriesDef, WireError> {
    let id = SeriesId(r.varint_u32("series id")?);
    let at = r.at();
    let value_type = match r.u8("value type")? {
        0 => ValueType::Number,
        1 => ValueType::Bool,
        2 => ValueType::Text,
        n => return Err(bad("value type", at, u64::from(n), "0 to 2")),
    };
    let owner = TokenId(r.varint_u32("owner")?);
    let (device, metric) = (r.text("device")?.into(), r.text("metric")?.into());
    let mut labels = Vec::new();
    for _ in 0..r.count("labels", 2)? {
        labels.push((r.text("label name")?, r.text("label value")?));
    }
    Ok(SeriesDef { id, key: SeriesKey { device, metric, labels: Labels::from_pairs(labels) }, value_type, owner })
}

/// Who sent a batch, and when it came. Its runs follow.
fn decode_part(r: &mut Reader<'_>, wall: TimeNs) -> Result<(Option<AgentSeq>, TimeNs), WireError> {
    let agent = match r.u8("batch flags")? & 1 {
        0 => None,
        _ => Some(AgentSeq { agent: r.text("agent")?.into(), boot: r.u64("boot")?, seq: r.varint("sequence")? }),
    };
    Ok((agent, wall.wrapping_sub(unzigzag(r.varint("received")?))))
}

fn kind_number(kind: Kind) -> u8 {
    match kind {
        Kind::Gauge => 1,
        Kind::Counter => 2,
        Kind::State => 3,
        Kind::Text => 4,
    }
}

fn kind_from(number: u8) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind_number(*kind) == number)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::Value;

    fn random_value(rng: &mut fastrand::Rng) -> Value {
        match rng.u8(0..8) {
            0 => Value::Int(rng.i64(..)),
            1 => Value::Float(f64::from_bits(rng.u64(..) & !(1 << 62))),
            2 => Value::Bool(rng.bool()),
            3 => Value::Text(std::iter::repeat_with(|| rng.alphanumeric()).take(9).collect::<String>().into()),
            4 => Value::Int(rng.i64(-100..100)),
            5 => Value::Float(-0.0),
            _ => Value::Float(f64::from(rng.i32(-100_000..100_000)) / 100.0),
        }
    }

    pub(in crate::log) fn random_commit(rng: &mut fastrand::Rng) -> Commit {
        let mut commit = Commit { position: Position(7), wall: rng.i64(..), ..Commit::default() };
        for _ in 0..rng.usize(0..3) {
            commit.series.push(SeriesDef {
                id: SeriesId(rng.u32(..)),
                key: SeriesKey {
                    device: "pump-1 \u{fc}".into(),
                    metric: "temp".into(),
                    labels: Labels::from_pairs([("b", "2"), ("a", "1")]),
                },
                value_type: ValueType::Bool,
                owner: TokenId(rng.u32(..)),
            });
            let unit = rng.bool().then(|| Arc::from("\u{b0}C"));
            commit.meta.push(MetaChange { series: SeriesId(rng.u32(..)), unit, kind: rng.bool().then_some(Kind::Counter) });
            commit.deletes.push(Delete { series: SeriesId(rng.u32(..)), from: rng.i64(..), to: rng.i64(..) });
        }
        for _ in 0..rng.usize(0..4) {
            let agent = rng.bool().then(|| AgentSeq { agent: "gw".into(), boot: rng.u64(..), seq: rng.u64(..) });
            for series in 0..rng.u32(0..5) {
                let alike = rng.bool();
                let first = random_value(rng);
                for _ in 0..rng.usize(1..6) {
                    let value = if alike { first.clone() } else { random_value(rng) };
                    commit.readings.push(Reading { series: SeriesId(series * 1000), time: rng.i64(..), value });
                }
            }
            commit.parts.push(BatchPart { agent, received: rng.i64(..), end: commit.readings.len() });
        }
        commit
    }

    /// Bit by bit, since `Value` holds 1 and 1.0 for the same.
    fn exact(commit: &Commit) -> String {
        format!("{commit:?}")
    }

    #[test]
    fn what_is_written_is_read() {
        for seed in 0..500 {
            let commit = random_commit(&mut fastrand::Rng::with_seed(seed));
            let mut body = Vec::new();
            encode(&commit, &mut body);
            let back = decode(Position(7), &body).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            assert_eq!(exact(&back), exact(&commit), "seed {seed}");
        }
    }

    #[test]
    fn commits_are_read_behind_each_other_and_bad_ones_leave_nothing() {
        let mut rng = fastrand::Rng::with_seed(5);
        let (mut replayed, mut commits) = (Replayed::default(), Vec::new());
        for _ in 0..300 {
            let commit = random_commit(&mut rng);
            let mut body = Vec::new();
            encode(&commit, &mut body);
            let cut = rng.usize(0..2 * body.len());
            let whole = decode_into(Position(7), &body[..cut.min(body.len())], &mut replayed).is_ok();
            assert_eq!(whole, cut >= body.len());
            commits.extend(whole.then_some(commit));
        }
        for (i, commit) in commits.iter().enumerate() {
            assert_eq!(exact(&replayed.whole(i)), exact(commit), "{i}");
        }
        assert_eq!(replayed.readings(), commits.iter().map(|commit| commit.readings.len()).sum::<usize>());
        replayed.clear();
        assert!(replayed.is_empty());
    }

    #[test]
    fn broken_bytes_are_an_error_and_never_a_panic() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..2_000 {
            let mut body = Vec::new();
            encode(&random_commit(&mut rng), &mut body);
            match rng.u8(0..3) {
                0 => body.truncate(rng.usize(0..body.len())),
                1 => body.iter_mut().for_each(|b| *b ^= if rng.u8(..) == 0 { rng.u8(..) } else { 0 }),
                _ => body = std::iter::repeat_with(|| rng.u8(..)).take(60).collect(),
            }
            let mut replayed = Replayed::default();
            match (decode(Position(1), &body), decode_into(Position(1), &body, &mut replayed)) {
                (Ok(whole), Ok(())) => assert_eq!(exact(&replayed.whole(0)), exact(&whole)),
                (Err(_), Err(_)) => assert_eq!(replayed.readings(), 0),
                (whole, packed) => panic!("unpacked: {whole:?}, packed: {packed:?} of {body:x?}"),
            }
        }
    }

    #[test]
    fn a_row_of_ten_metrics_takes_about_ten_bytes_a_reading() {
        let mut rng = fastrand::Rng::with_seed(3);
        let mut commit = Commit { wall: 1_800_000_000_000_000_000, ..Commit::default() };
        for gateway in 0..50 {
            for metric in 0..10 {
                let value = Value::Float(rng.f64() * 100.0);
                commit.readings.push(Reading { series: SeriesId(gateway * 10 + metric), time: commit.wall - 1_000_000, value });
            }
            commit.parts.push(BatchPart { agent: None, received: commit.wall - 12_345, end: commit.readings.len() });
        }
        let mut body = Vec::new();
        encode(&commit, &mut body);
        let per_reading = body.len() as f64 / commit.readings.len() as f64;
        assert!(per_reading < 12.5, "{per_reading}");
    }
}
