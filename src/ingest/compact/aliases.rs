//! The aliases of one connection: what an agent's short numbers stand for.
//!
//! Invariant: names are kept until their series is found, then the series has them. They are bounded in sum.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use telltale_wire::reader::{Reader, put_text};
use telltale_wire::{self as wire, varint};

use crate::ingest::session::Known;
use crate::limits::ALIAS_BYTES_PER_CONNECTION;
use crate::model::{Kind, ValueType};

#[derive(Debug, Default)]
pub(super) struct Aliases {
    by_number: FxHashMap<u32, Alias>,
    /// An agent has few, and many aliases of each.
    units: FxHashSet<Arc<str>>,
    bytes: usize,
}

/// One series as the agent defined it. The names are judged when a reading uses them.
#[derive(Debug)]
pub(super) struct Alias {
    pub(super) called: Called,
    pub(super) value_type: ValueType,
    pub(super) unit: Option<Arc<str>>,
    pub(super) kind: Option<Kind>,
}

#[derive(Debug)]
pub(super) enum Called {
    /// Device, metric and labels one after the other.
    Names(Box<[u8]>),
    /// Found in this era of the session.
    Known(Known, u32),
}

#[derive(Debug)]
pub(super) struct Names<'a> {
    pub(super) device: &'a str,
    pub(super) metric: &'a str,
    pub(super) labels: Vec<(&'a str, &'a str)>,
}

impl Aliases {
    /// Err: more names than one connection may hold.
    pub(super) fn define(&mut self, define: &wire::Define<'_>) -> Result<(), String> {
        for definition in define.definitions() {
            let unit = definition.unit.map(|unit| self.unit(unit));
            let alias = Alias::of(&definition, unit);
            self.bytes += alias.weight();
            if let Some(replaced) = self.by_number.insert(definition.alias, alias) {
                self.bytes -= replaced.weight();
            }
            if self.bytes > ALIAS_BYTES_PER_CONNECTION {
                let max = ALIAS_BYTES_PER_CONNECTION;
                return Err(format!("limit alias bytes of a connection: {} is more than {max}", self.bytes));
            }
        }
        Ok(())
    }

    pub(super) fn of(&self, number: u32) -> Option<&Alias> {
        self.by_number.get(&number)
    }

    /// The series of an alias was found.
    pub(super) fn found(&mut self, number: u32, known: Known, era: u32) {
        if let Some(alias) = self.by_number.get_mut(&number) {
            self.bytes -= alias.weight();
            alias.called = Called::Known(known, era);
            self.bytes += alias.weight();
        }
    }

    fn unit(&mut self, unit: &str) -> Arc<str> {
        self.units.get(unit).cloned().unwrap_or_else(|| {
            let unit = Arc::from(unit);
            self.units.insert(Arc::clone(&unit));
            unit
        })
    }

    pub(super) fn first_unknown(&self, batch: &wire::Batch<'_>) -> Option<u32> {
        let mut aliases = batch.groups().flat_map(|group| group.columns()).map(|column| column.alias());
        aliases.find(|alias| !self.by_number.contains_key(alias))
    }
}

impl Alias {
    fn of(definition: &wire::Definition<'_>, unit: Option<Arc<str>>) -> Self {
        let mut raw = Vec::new();
        put_text(&mut raw, definition.device);
        put_text(&mut raw, definition.metric);
        varint::put(&mut raw, definition.labels.len() as u64);
        for (name, value) in &definition.labels {
            put_text(&mut raw, name);
            put_text(&mut raw, value);
        }
        Self {
            called: Called::Names(raw.into()),
            value_type: match definition.value_type {
                wire::ValueType::Number => ValueType::Number,
                wire::ValueType::Bool => ValueType::Bool,
                wire::ValueType::Text => ValueType::Text,
            },
            unit,
            kind: definition.kind.map(|kind| match kind {
                wire::Kind::Gauge => Kind::Gauge,
                wire::Kind::Counter => Kind::Counter,
                wire::Kind::State => Kind::State,
                wire::Kind::Text => Kind::Text,
            }),
        }
    }

    fn weight(&self) -> usize {
        let names = if let Called::Names(names) = &self.called { names.len() } else { 0 };
        size_of::<(u32, Self)>() + names + self.unit.as_ref().map_or(0, |unit| unit.len())
    }
}

/// What `Called::Names` holds.
pub(super) fn names(raw: &[u8]) -> Names<'_> {
    const WRITTEN: &str = "written by `Alias::of`";
    let mut reader = Reader::new(raw);
    let device = reader.text("device").expect(WRITTEN);
    let metric = reader.text("metric").expect(WRITTEN);
    let labels = reader.count("labels", 2).expect(WRITTEN);
    let labels = (0..labels).map(|_| (reader.text("name").expect(WRITTEN), reader.text("value").expect(WRITTEN))).collect();
    Names { device, metric, labels }
}
