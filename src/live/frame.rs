//! Messages to viewers as ready-made WebSocket frames, JSON or MessagePack, or as server-sent events: the one place where live
//! content becomes bytes. Server frames are not masked, so one [`Bytes`] serves every member of a group. Pure.
//!
//! Invariants: a message is at most about [`SNAPSHOT_PART_BYTES`] (one reading alone may be larger), since common clients refuse
//! messages beyond 1 MiB; what is larger is split, and only the last part carries the new cursor.

use std::ops::Range;

use actix_web::web::Bytes;

use super::content::{Envelope, Named, Number, Points, Run, Snapshot, Span, Tick};
use super::presence::DeviceState;
use super::protocol::{Encoding, Refused};
use super::write::{Events, Json, MsgPack, Write};
use crate::limits::SNAPSHOT_PART_BYTES;
use crate::model::{TimeNs, Value};

/// All messages of a tick, one after the other: update (it describes new series), then patch, then state.
#[must_use]
pub fn tick(envelope: &Envelope, tick: &Tick) -> Bytes {
    match envelope.encoding {
        Encoding::Json => tick_as::<Json>(envelope, tick),
        Encoding::MsgPack => tick_as::<MsgPack>(envelope, tick),
        Encoding::Events => tick_as::<Events>(envelope, tick),
    }
}

fn tick_as<W: Write>(envelope: &Envelope, tick: &Tick) -> Bytes {
    let mut out = Vec::new();
    let mut pieces = Vec::with_capacity(tick.spans.len());
    tick.spans.iter().for_each(|span| cut(span, &mut pieces));
    let patches = split(&pieces, Piece::size);
    if tick.has_update() {
        let updates = split_runs(&tick.runs);
        for (i, part) in updates.iter().enumerate() {
            let last = patches.is_empty() && i + 1 == updates.len();
            W::message(&mut out, |w| update(w, envelope, tick, part, i == 0, last));
        }
    }
    for (i, part) in patches.iter().enumerate() {
        W::message(&mut out, |w| patch(w, envelope, tick, &pieces[part.clone()], i + 1 == patches.len()));
    }
    for part in split(&tick.states, |state| 80 + state.device.len() + state.via.as_ref().map_or(0, |via| via.len())) {
        W::message(&mut out, |w| states(w, envelope, &tick.states[part.clone()]));
    }
    out.into()
}

fn patch<W: Write>(w: &mut W, envelope: &Envelope, tick: &Tick, pieces: &[Piece<'_>], last: bool) {
    w.map(4);
    head(w, "patch", envelope);
    w.cursor(if last { tick.cursor } else { tick.before });
    ranges(w, pieces);
    w.end_map();
}

/// A range as it travels: a span, or a part of one that is too large for one message.
struct Piece<'a> {
    number: Number,
    from: TimeNs,
    to: TimeNs,
    points: &'a [(TimeNs, Value)],
}

impl<'a> Piece<'a> {
    fn whole(span: &'a Span) -> Self {
        Self { number: span.number, from: span.from, to: span.to, points: &span.points }
    }

    fn size(&self) -> usize {
        72 + self.points.iter().map(|(_, value)| point_size(value)).sum::<usize>()
    }
}

/// Cuts a span between its points. Of a deleted range the first piece forgets all; no piece reaches into the points of another.
fn cut<'a>(span: &'a Span, pieces: &mut Vec<Piece<'a>>) {
    let first = pieces.len();
    let mut rest = Piece::whole(span);
    let (mut at, mut bytes) = (0, 0);
    while let Some((_, value)) = rest.points.get(at) {
        if bytes >= SNAPSHOT_PART_BYTES {
            let (points, later) = rest.points.split_at(at);
            let cut = if span.deleted && pieces.len() == first { span.to } else { points[at - 1].0 };
            pieces.push(Piece { to: cut, points, ..rest });
            let to = if span.deleted { later.last().map_or(span.to, |(time, _)| *time) } else { span.to };
            rest = Piece { from: later[0].0, to, points: later, ..rest };
            (at, bytes) = (0, 0);
            continue;
        }
        bytes += point_size(value);
        at += 1;
    }
    pieces.push(rest);
}

fn ranges<W: Write>(w: &mut W, pieces: &[Piece<'_>]) {
    w.key("ranges");
    w.array(pieces.len());
    for piece in pieces {
        w.map(4);
        w.key("series");
        w.uint(piece.number.into());
        w.key("from");
        w.time(piece.from);
        w.key("to");
        w.time(piece.to);
        w.key("points");
        w.array(piece.points.len());
        for (time, value) in piece.points {
            pair(w, *time, value);
        }
        w.end_array();
        w.end_map();
    }
    w.end_array();
}

fn pair<W: Write>(w: &mut W, time: TimeNs, value: &Value) {
    w.array(2);
    w.time(time);
    w.value(value);
    w.end_array();
}

/// Descriptions travel in the first part: it is the first that may use them.
fn update<W: Write>(w: &mut W, envelope: &Envelope, tick: &Tick, part: &[(usize, Range<usize>)], first: bool, last: bool) {
    let announced = first && !tick.announced.is_empty();
    let merged = first && tick.merged > 0;
    w.map(4 + usize::from(announced) + usize::from(merged));
    head(w, "update", envelope);
    w.cursor(if last { tick.cursor } else { tick.before });
    w.key("points");
    w.array(part.iter().map(|(_, range)| range.len()).sum());
    for (run, range) in part {
        let Run { number, points } = &tick.runs[*run];
        for (time, value) in &points[range.clone()] {
            w.array(3);
            w.uint((*number).into());
            w.time(*time);
            w.value(value);
            w.end_array();
        }
    }
    w.end_array();
    if announced {
        w.key("series");
        w.array(tick.announced.len());
        for named in &tick.announced {
            w.map(6);
            description(w, named);
            w.end_map();
        }
        w.end_array();
    }
    if merged {
        w.key("merged");
        w.uint(tick.merged);
    }
    w.end_map();
}

fn states<W: Write>(w: &mut W, envelope: &Envelope, states: &[DeviceState]) {
    w.map(3);
    head(w, "state", envelope);
    w.key("devices");
    w.array(states.len());
    for state in states {
        w.map(5);
        w.key("device");
        w.text(&state.device);
        w.key("state");
        w.text(state.state.as_str());
        w.key("since");
        w.time(state.since);
        w.key("seen");
        match state.seen {
            Some(seen) => w.time(seen),
            None => w.null(),
        }
        w.key("via");
        match &state.via {
            Some(via) => w.text(via),
            None => w.null(),
        }
        w.end_map();
    }
    w.end_array();
    w.end_map();
}

fn head<W: Write>(w: &mut W, kind: &'static str, envelope: &Envelope) {
    w.kind(kind);
    w.key("id");
    w.text(&envelope.id);
}

/// Six entries.
fn description<W: Write>(w: &mut W, named: &Named) {
    let (series, meta) = (&named.series, named.series.meta());
    w.key("series");
    w.uint(named.number.into());
    w.key("device");
    w.text(&series.key.device);
    w.key("metric");
    w.text(&series.key.metric);
    w.key("labels");
    w.map(series.key.labels.len());
    for (name, value) in series.key.labels.iter() {
        w.key(name);
        w.text(value);
    }
    w.end_map();
    w.key("unit");
    match &meta.unit {
        Some(unit) => w.text(unit),
        None => w.null(),
    }
    w.key("kind");
    w.text(series.kind().as_str());
}

/// Where the next part of a snapshot begins.
#[derive(Clone, Copy, Debug, Default)]
pub struct SnapshotPlace {
    span: usize,
    series: usize,
    point: usize,
}

/// The part of the snapshot that begins at `start`, and where the next begins; None behind the last.
#[must_use]
pub fn snapshot_part(envelope: &Envelope, snapshot: &Snapshot, start: SnapshotPlace) -> (Bytes, Option<SnapshotPlace>) {
    match envelope.encoding {
        Encoding::Json => snapshot_part_as::<Json>(envelope, snapshot, start),
        Encoding::MsgPack => snapshot_part_as::<MsgPack>(envelope, snapshot, start),
        Encoding::Events => snapshot_part_as::<Events>(envelope, snapshot, start),
    }
}

fn snapshot_part_as<W: Write>(envelope: &Envelope, snapshot: &Snapshot, start: SnapshotPlace) -> (Bytes, Option<SnapshotPlace>) {
    let (spans, series, next) = plan_part(snapshot, start);
    let last = next.is_none();
    let mut out = Vec::new();
    W::message(&mut out, |w| {
        let merged = last && snapshot.merged > 0;
        w.map(5 + usize::from(!spans.is_empty()) + usize::from(merged));
        head(w, "snapshot", envelope);
        if last {
            w.cursor(snapshot.cursor);
        } else {
            w.key("more");
            w.boolean(true);
            if !snapshot.recovered {
                w.no_cursor();
            }
        }
        w.key("recovered");
        w.boolean(snapshot.recovered);
        if merged {
            w.key("merged");
            w.uint(snapshot.merged);
        }
        if !spans.is_empty() {
            ranges(w, &snapshot.spans[spans].iter().map(Piece::whole).collect::<Vec<_>>());
        }
        w.key("series");
        w.array(series.len());
        for (index, range) in series {
            let one = &snapshot.series[index];
            w.map(7);
            description(w, &one.named);
            w.key("points");
            w.array(range.len());
            let mut left = range.len();
            one.points.walk(range.start, &mut |time, value| {
                if left == 0 {
                    return false;
                }
                left -= 1;
                pair(w, time, value);
                true
            });
            w.end_array();
            w.end_map();
        }
        w.end_array();
        w.end_map();
    });
    (out.into(), next)
}

type PartPlan = (Range<usize>, Vec<(usize, Range<usize>)>, Option<SnapshotPlace>);

/// Which spans and which points of which series go into the part that begins at `start`, and where the next begins.
/// A series that does not fit goes on in the next part, under the same number and with its description again.
fn plan_part(snapshot: &Snapshot, start: SnapshotPlace) -> PartPlan {
    let mut bytes = 0;
    let mut span = start.span;
    // Spans stand in the order of the series.
    let mut of_spans: Vec<usize> = Vec::new();
    while span < snapshot.spans.len() && bytes < SNAPSHOT_PART_BYTES {
        let one = &snapshot.spans[span];
        if of_spans.last().is_none_or(|index| snapshot.series[*index].named.number != one.number) {
            let from = of_spans.last().map_or(0, |last| last + 1);
            let index = (from..snapshot.series.len()).find(|index| snapshot.series[*index].named.number == one.number);
            let index = index.expect("a span is of a series of the snapshot");
            bytes += description_size(&snapshot.series[index].named);
            of_spans.push(index);
        }
        bytes += Piece::whole(one).size();
        span += 1;
    }
    let spans = start.span..span;
    let mut chosen = Vec::new();
    let (mut index, mut point) = (start.series, start.point);
    while index < snapshot.series.len() && bytes < SNAPSHOT_PART_BYTES {
        let one = &snapshot.series[index];
        bytes += description_size(&one.named);
        let total = one.points.len();
        let end = end_of_points(&one.points, point, total, &mut bytes);
        chosen.push((index, point..end));
        if end < total {
            point = end;
            break;
        }
        index += 1;
        point = 0;
    }
    let done = span == snapshot.spans.len() && index == snapshot.series.len();
    // Who applies each part as it comes knows a number before it is used: what has its points later is described here already.
    let told = start.series..start.series + chosen.len();
    chosen.extend(of_spans.into_iter().filter(|index| !told.contains(index)).map(|index| (index, 0..0)));
    (spans, chosen, (!done).then_some(SnapshotPlace { span, series: index, point }))
}

fn end_of_points(points: &Points, start: usize, total: usize, bytes: &mut usize) -> usize {
    // Without text every point is of about one size, so the end is a division; text is walked.
    let mut end = start;
    points.walk(start, &mut |_, value| {
        if *bytes >= SNAPSHOT_PART_BYTES {
            return false;
        }
        *bytes += point_size(value);
        end += 1;
        true
    });
    end.min(total)
}

fn description_size(named: &Named) -> usize {
    let key = &named.series.key;
    120 + key.device.len() + key.metric.len() + key.labels.iter().map(|(n, v)| n.len() + v.len() + 6).sum::<usize>()
}

/// About the bytes of one point in JSON, the larger encoding.
fn point_size(value: &Value) -> usize {
    let value = match value {
        Value::Text(text) => text.bytes().map(|b| if b < 0x20 { 6 } else { 1 + usize::from(b == b'"' || b == b'\\') }).sum(),
        _ => 12,
    };
    24 + value
}

/// Cuts a list into parts of about [`SNAPSHOT_PART_BYTES`]; a single item is never cut.
fn split<T>(items: &[T], size: impl Fn(&T) -> usize) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (i, item) in items.iter().enumerate() {
        if bytes >= SNAPSHOT_PART_BYTES {
            parts.push(start..i);
            (start, bytes) = (i, 0);
        }
        bytes += size(item);
    }
    if start < items.len() {
        parts.push(start..items.len());
    }
    parts
}

/// Parts of an update: pieces of runs. At least one part, also for no points (an update may only tell `merged`).
fn split_runs(runs: &[Run]) -> Vec<Vec<(usize, Range<usize>)>> {
    let mut parts = vec![Vec::new()];
    let mut bytes = 0;
    for (index, run) in runs.iter().enumerate() {
        let mut start = 0;
        for (i, (_, value)) in run.points.iter().enumerate() {
            if bytes >= SNAPSHOT_PART_BYTES {
                if start < i {
                    push_piece(&mut parts, index, start..i);
                }
                parts.push(Vec::new());
                (start, bytes) = (i, 0);
            }
            bytes += point_size(value);
        }
        if start < run.points.len() {
            push_piece(&mut parts, index, start..run.points.len());
        }
    }
    parts
}

fn push_piece(parts: &mut [Vec<(usize, Range<usize>)>], run: usize, range: Range<usize>) {
    if let Some(part) = parts.last_mut() {
        part.push((run, range));
    }
}

/// A message of this viewer was refused.
#[must_use]
pub fn error(encoding: Encoding, refused: &Refused) -> Bytes {
    match encoding {
        Encoding::Json => error_as::<Json>(refused),
        Encoding::MsgPack => error_as::<MsgPack>(refused),
        Encoding::Events => error_as::<Events>(refused),
    }
}

fn error_as<W: Write>(refused: &Refused) -> Bytes {
    let mut out = Vec::new();
    W::message(&mut out, |w| {
        w.map(2 + usize::from(refused.id.is_some()));
        w.kind("error");
        if let Some(id) = &refused.id {
            w.key("id");
            w.text(id);
        }
        w.key("error");
        w.map(2 + usize::from(refused.hint.is_some()));
        w.key("code");
        w.text(refused.code);
        w.key("message");
        w.text(&refused.message);
        if let Some(hint) = &refused.hint {
            w.key("hint");
            w.text(hint);
        }
        w.end_map();
        w.end_map();
    });
    out.into()
}

/// The hub is there.
#[must_use]
pub fn pong(encoding: Encoding) -> Bytes {
    match encoding {
        Encoding::Json => pong_as::<Json>(),
        Encoding::MsgPack => pong_as::<MsgPack>(),
        Encoding::Events => pong_as::<Events>(),
    }
}

fn pong_as<W: Write>() -> Bytes {
    let mut out = Vec::new();
    W::message(&mut out, |w| {
        w.map(1);
        w.kind("pong");
        w.end_map();
    });
    out.into()
}

/// The hub is about to close the connection with `code`.
#[must_use]
pub fn closing(encoding: Encoding, code: u16, reason: &str, retry_after_ms: Option<u32>) -> Bytes {
    match encoding {
        Encoding::Json => closing_as::<Json>(code, reason, retry_after_ms),
        Encoding::MsgPack => closing_as::<MsgPack>(code, reason, retry_after_ms),
        Encoding::Events => closing_as::<Events>(code, reason, retry_after_ms),
    }
}

fn closing_as<W: Write>(code: u16, reason: &str, retry_after_ms: Option<u32>) -> Bytes {
    let mut out = Vec::new();
    W::message(&mut out, |w| {
        w.map(3 + usize::from(retry_after_ms.is_some()));
        w.kind("closing");
        w.key("code");
        w.uint(code.into());
        w.key("reason");
        w.text(reason);
        if let Some(after) = retry_after_ms {
            w.key("retry_after_ms");
            w.uint(after.into());
        }
        w.end_map();
    });
    out.into()
}
