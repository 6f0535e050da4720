//! The aliases of one connection: what an agent's short numbers stand for.
//!
//! Invariant: names are kept until their series is found, then the series has them. They are bounded in sum.

use std::num::NonZeroU16;
use std::sync::Arc;

use telltale_wire::reader::{Reader, put_text};
use telltale_wire::{self as wire, varint};

use crate::ingest::session::Known;
use crate::keyed::KeyedMap;
use crate::limits::ALIAS_BYTES_PER_CONNECTION;
use crate::model::{Kind, ValueType};

/// Aliases of a page. An agent counts them, so of a page most are used.
const PAGE: usize = 64;
type Page = [Option<Alias>; PAGE];

#[derive(Debug, Default)]
pub(super) struct Aliases {
    /// By number, which frames bound (`limits::ALIASES_PER_CONNECTION`); a page is made when one of its numbers is defined.
    pages: Vec<Option<Box<Page>>>,
    /// An agent has few, and many aliases of each.
    units: Vec<Arc<str>>,
    by_unit: KeyedMap<Arc<str>, NonZeroU16>,
    bytes: usize,
}

/// One series as the agent defined it. The names are judged when a reading uses them. Small: a connection may have a hundred thousand.
#[derive(Debug)]
pub(super) struct Alias {
    pub(super) called: Called,
    /// The era of the session in which it was found.
    pub(super) era: u32,
    unit: Option<NonZeroU16>,
    pub(super) value_type: ValueType,
    pub(super) kind: Option<Kind>,
}

const _: () = assert!(size_of::<Option<Alias>>() == 24);

#[derive(Debug)]
pub(super) enum Called {
    /// Device, metric and labels one after the other.
    Names(Box<[u8]>),
    Known(Known),
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
            let unit = definition.unit.map(|unit| self.unit(unit)).transpose()?;
            let alias = Alias::of(&definition, unit);
            self.bytes += alias.weight();
            if let Some(replaced) = self.place(definition.alias).replace(alias) {
                self.bytes -= replaced.weight();
            }
            if self.bytes > ALIAS_BYTES_PER_CONNECTION {
                let max = ALIAS_BYTES_PER_CONNECTION;
                return Err(format!("limit alias bytes of a connection: {} is more than {max}", self.bytes));
            }
        }
        Ok(())
    }

    fn place(&mut self, number: u32) -> &mut Option<Alias> {
        let (page, at) = page_and_place(number);
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let bytes = &mut self.bytes;
        let page = self.pages[page].get_or_insert_with(|| {
            *bytes += size_of::<Page>();
            Box::new(std::array::from_fn(|_| None))
        });
        &mut page[at]
    }

    pub(super) fn of(&self, number: u32) -> Option<&Alias> {
        let (page, at) = page_and_place(number);
        self.pages.get(page)?.as_ref()?[at].as_ref()
    }

    /// The series of an alias was found.
    pub(super) fn found(&mut self, number: u32, known: Known, era: u32) {
        let (page, at) = page_and_place(number);
        if let Some(alias) = self.pages.get_mut(page).and_then(Option::as_mut).and_then(|page| page[at].as_mut()) {
            self.bytes -= alias.weight();
            (alias.called, alias.era) = (Called::Known(known), era);
            self.bytes += alias.weight();
        }
    }

    pub(super) fn unit_of(&self, alias: &Alias) -> Option<&Arc<str>> {
        self.units.get(usize::from(alias.unit?.get()) - 1)
    }

    /// One more than its place. Err: more units than one connection may have.
    fn unit(&mut self, unit: &str) -> Result<NonZeroU16, String> {
        if let Some(known) = self.by_unit.get(unit) {
            return Ok(*known);
        }
        let number = u16::try_from(self.units.len() + 1).ok().and_then(NonZeroU16::new);
        let number = number.ok_or_else(|| format!("limit units of a connection: more than {}", u16::MAX))?;
        let unit: Arc<str> = unit.into();
        self.bytes += unit.len();
        self.by_unit.insert(Arc::clone(&unit), number);
        self.units.push(unit);
        Ok(number)
    }

    pub(super) fn first_unknown(&self, batch: &wire::Batch<'_>) -> Option<u32> {
        let mut aliases = batch.groups().flat_map(|group| group.columns()).map(|column| column.alias());
        aliases.find(|alias| self.of(*alias).is_none())
    }
}

fn page_and_place(number: u32) -> (usize, usize) {
    (number as usize / PAGE, number as usize % PAGE)
}

impl Alias {
    fn of(definition: &wire::Definition<'_>, unit: Option<NonZeroU16>) -> Self {
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
            era: 0,
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

    /// Bytes beside its place in a page.
    fn weight(&self) -> usize {
        if let Called::Names(names) = &self.called { names.len() } else { 0 }
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
