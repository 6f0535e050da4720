//! Batches become frames of one connection: series get aliases on first use, and the hub's limits are kept.
//!
//! Invariant: an alias is defined in a frame before the first batch that uses it. Aliases live as long as the connection.

use std::collections::HashMap;

use telltale_wire as wire;
use telltale_wire::{BatchBuilder, Definition, Limits, ValueType, encode_define};

use crate::reading::{Kind, Value};
use crate::spool::codec::{Batch, SeriesNames};

/// Bytes of a definition beyond its texts, their lengths included.
const DEFINITION_BYTES_MAX: usize = 48;

#[derive(Debug)]
pub(crate) struct Encoder {
    limits: Limits,
    builder: BatchBuilder,
    /// By series, then by type of value: a sender may change it, and the hub has to be told which one is meant.
    aliases: HashMap<SeriesNames, [Option<u32>; 3]>,
    next_alias: u32,
}

#[derive(Debug)]
pub(crate) struct Encoded {
    /// Definitions first, the batch last.
    pub(crate) frames: Vec<Vec<u8>>,
    /// Place in the frame -> row of the batch.
    pub(crate) order: Vec<u32>,
}

/// The batch passes a limit of the hub; half of it may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{limit}: {found} is more than the hub takes ({max})")]
pub(crate) struct TooBig {
    pub(crate) limit: &'static str,
    found: u64,
    max: u64,
}

impl Encoder {
    pub(crate) fn new(limits: Limits) -> Encoder {
        Encoder { limits, builder: BatchBuilder::new(limits), aliases: HashMap::new(), next_alias: 0 }
    }

    pub(crate) fn encode(&mut self, seq: u64, batch: &Batch) -> Result<Encoded, TooBig> {
        let encoded = self.try_encode(seq, batch);
        if encoded.is_err() {
            // Aliases may have been given whose definitions now stay unsent.
            self.forget_aliases();
        }
        encoded
    }

    fn try_encode(&mut self, seq: u64, batch: &Batch) -> Result<Encoded, TooBig> {
        let used = used_types(batch);
        self.make_room(batch, &used)?;
        let mut frames = Vec::new();
        let mut definitions = Definitions { frame_bytes: self.limits.frame_bytes as usize, bytes: 0, list: Vec::new() };
        let mut aliases: Vec<[u32; 3]> = Vec::with_capacity(batch.series.len());
        for (names, used) in batch.series.iter().zip(&used) {
            aliases.push(self.aliases_of(names, *used, &mut definitions, &mut frames)?);
        }
        definitions.flush(&mut frames);
        self.builder.clear();
        for row in &batch.rows {
            let (value, value_type) = wire_value(&row.value);
            let alias = aliases[row.series as usize][type_index(value_type)];
            self.builder.push(alias, row.time_ns, value).map_err(|full| TooBig { limit: full.limit, found: full.found, max: full.max })?;
        }
        let mut frame = Vec::with_capacity(64 + batch.rows.len() * 8);
        let order = self.builder.encode(seq, &mut frame).to_vec();
        frames.push(frame);
        Ok(Encoded { frames, order })
    }

    /// When the aliases of this connection run out, all are given anew: a later definition replaces an earlier one.
    fn make_room(&mut self, batch: &Batch, used: &[[bool; 3]]) -> Result<(), TooBig> {
        let needed: usize = used.iter().flatten().filter(|used| **used).count();
        let max = self.limits.aliases;
        if needed as u64 > u64::from(max) {
            return Err(TooBig { limit: "aliases", found: needed as u64, max: u64::from(max) });
        }
        let missing: usize = batch
            .series
            .iter()
            .zip(used)
            .map(|(names, used)| {
                let known = self.aliases.get(names).copied().unwrap_or_default();
                used.iter().zip(known).filter(|(used, known)| **used && known.is_none()).count()
            })
            .sum();
        if u64::from(self.next_alias) + missing as u64 > u64::from(max) {
            self.forget_aliases();
        }
        Ok(())
    }

    fn forget_aliases(&mut self) {
        self.aliases.clear();
        self.next_alias = 0;
    }

    fn aliases_of<'b>(
        &mut self,
        names: &'b SeriesNames,
        used: [bool; 3],
        definitions: &mut Definitions<'b>,
        frames: &mut Vec<Vec<u8>>,
    ) -> Result<[u32; 3], TooBig> {
        let mut known = self.aliases.get(names).copied().unwrap_or_default();
        let mut fresh = false;
        for value_type in [ValueType::Number, ValueType::Bool, ValueType::Text] {
            let slot = &mut known[type_index(value_type)];
            if used[type_index(value_type)] && slot.is_none() {
                definitions.push(definition(self.next_alias, names, value_type), frames)?;
                *slot = Some(self.next_alias);
                self.next_alias += 1;
                fresh = true;
            }
        }
        if fresh {
            self.aliases.insert(names.clone(), known);
        }
        Ok(known.map(|alias| alias.unwrap_or(0)))
    }
}

/// Definitions that wait for their frame.
struct Definitions<'b> {
    frame_bytes: usize,
    bytes: usize,
    list: Vec<Definition<'b>>,
}

impl<'b> Definitions<'b> {
    fn push(&mut self, definition: Definition<'b>, frames: &mut Vec<Vec<u8>>) -> Result<(), TooBig> {
        let labels: usize = definition.labels.iter().map(|(name, value)| name.len() + value.len() + 6).sum();
        let bytes = DEFINITION_BYTES_MAX + definition.device.len() + definition.metric.len() + definition.unit.map_or(0, str::len) + labels;
        if bytes > self.frame_bytes {
            return Err(TooBig { limit: "frame_bytes", found: bytes as u64, max: self.frame_bytes as u64 });
        }
        if self.bytes + bytes > self.frame_bytes {
            self.flush(frames);
        }
        self.bytes += bytes;
        self.list.push(definition);
        Ok(())
    }

    fn flush(&mut self, frames: &mut Vec<Vec<u8>>) {
        if !self.list.is_empty() {
            let mut frame = Vec::with_capacity(self.bytes);
            encode_define(&self.list, &mut frame);
            frames.push(frame);
            self.list.clear();
            self.bytes = 0;
        }
    }
}

fn used_types(batch: &Batch) -> Vec<[bool; 3]> {
    let mut used = vec![[false; 3]; batch.series.len()];
    for row in &batch.rows {
        used[row.series as usize][type_index(wire_value(&row.value).1)] = true;
    }
    used
}

fn definition(alias: u32, names: &SeriesNames, value_type: ValueType) -> Definition<'_> {
    Definition {
        alias,
        device: &names.device,
        metric: &names.metric,
        labels: names.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        value_type,
        unit: names.unit.as_deref(),
        kind: names.kind.map(|kind| match kind {
            Kind::Gauge => wire::Kind::Gauge,
            Kind::Counter => wire::Kind::Counter,
            Kind::State => wire::Kind::State,
            Kind::Text => wire::Kind::Text,
        }),
    }
}

fn wire_value(value: &Value) -> (wire::Value<'_>, ValueType) {
    match value {
        Value::Int(int) => (wire::Value::Int(*int), ValueType::Number),
        Value::Float(float) => (wire::Value::Float(*float), ValueType::Number),
        Value::Bool(bool) => (wire::Value::Bool(*bool), ValueType::Bool),
        Value::Text(text) => (wire::Value::Text(text), ValueType::Text),
    }
}

fn type_index(value_type: ValueType) -> usize {
    match value_type {
        ValueType::Number => 0,
        ValueType::Bool => 1,
        ValueType::Text => 2,
    }
}
