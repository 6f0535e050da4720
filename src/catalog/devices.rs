//! What people (or an agent's hello) say about devices: name, note, attributes. Read from memory, written to the catalog first.
//!
//! Invariants: a device that is not here has no name and no attributes, and no reading waits for it to be here; memory holds
//! what the catalog holds. Lock order: the map's lock is taken while the catalog's is not held.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::RwLock;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Catalog, CatalogError};
use crate::keyed::KeyedMap;
use crate::limits::LABELS;
use crate::model::TimeNs;
use crate::query::selector::{Attributes, fingerprint};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    pub name: Option<String>,
    pub note: Option<String>,
    pub attributes: BTreeMap<String, String>,
    /// Grows with each edit; 0 is a device nobody described.
    pub version: i64,
}

/// An edit. None leaves a part as it is; an empty text takes it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescriptionEdit {
    pub name: Option<String>,
    pub note: Option<String>,
    pub attributes: BTreeMap<String, String>,
    /// The version the editor saw. Another one now: the edit is a conflict.
    pub seen: Option<i64>,
}

#[derive(Debug, thiserror::Error)]
pub enum EditError {
    #[error("the device was edited by someone else: version {found} now, {seen} was edited")]
    Conflict { seen: i64, found: i64 },
    #[error("a device has at most {LABELS} attributes, this would make {would}")]
    TooMany { would: usize },
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

#[derive(Debug)]
pub struct Devices {
    catalog: Arc<Catalog>,
    described: RwLock<KeyedMap<Box<str>, Arc<Description>>>,
}

impl Devices {
    pub fn load(catalog: Arc<Catalog>) -> Result<Self, CatalogError> {
        let described = catalog.descriptions()?.into_iter().map(|(id, is)| (id.into_boxed_str(), Arc::new(is))).collect();
        Ok(Self { catalog, described: RwLock::new(described) })
    }

    /// The ids of all that were ever described.
    #[must_use]
    pub fn described(&self) -> Vec<String> {
        self.described.read().keys().map(|id| id.to_string()).collect()
    }

    #[must_use]
    pub fn description(&self, device: &str) -> Option<Arc<Description>> {
        self.described.read().get(device).cloned()
    }

    /// Blocks on the catalog.
    pub fn edit(&self, device: &str, edit: &DescriptionEdit, now: TimeNs) -> Result<Arc<Description>, EditError> {
        let edited = Arc::new(self.catalog.edit_description(device, edit, now)?);
        let mut described = self.described.write();
        let entry = described.entry(device.into()).or_default();
        // Two edits at once may come here in the other order than they were committed in.
        if entry.version < edited.version {
            *entry = Arc::clone(&edited);
        }
        Ok(edited)
    }
}

impl Description {
    fn fingerprint(&self, device: &str) -> u64 {
        fingerprint(device, self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

impl Attributes for Devices {
    fn with_value(&self, device: &str, name: &str, use_value: &mut dyn FnMut(&str)) {
        let description = self.description(device);
        use_value(description.as_ref().and_then(|is| is.attributes.get(name)).map_or("", String::as_str));
    }

    fn fingerprint(&self, device: &str) -> u64 {
        self.description(device).map_or(0, |is| is.fingerprint(device))
    }

    fn fingerprints(&self, each: &mut dyn FnMut(&str, u64)) {
        let described = self.described.read();
        let all = described.iter().map(|(device, is)| (device, is.fingerprint(device)));
        all.filter(|(_, fingerprint)| *fingerprint != 0).for_each(|(device, fingerprint)| each(device, fingerprint));
    }
}

impl Catalog {
    fn descriptions(&self) -> Result<KeyedMap<String, Description>, CatalogError> {
        self.read("read devices from", |db| {
            let mut all: KeyedMap<String, Description> = db
                .prepare("SELECT id, name, note, version FROM devices")?
                .query_map([], |row| {
                    let is = Description { name: row.get(1)?, note: row.get(2)?, version: row.get(3)?, ..Description::default() };
                    Ok((row.get(0)?, is))
                })?
                .collect::<rusqlite::Result<_>>()?;
            let mut statement = db.prepare("SELECT device, name, value FROM attributes")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                all.entry(row.get(0)?).or_default().attributes.insert(row.get(1)?, row.get(2)?);
            }
            Ok(all)
        })
    }

    fn edit_description(&self, device: &str, edit: &DescriptionEdit, now: TimeNs) -> Result<Description, EditError> {
        self.write("describe a device in", |db| {
            let found: i64 = db.query_row("SELECT version FROM devices WHERE id = ?1", [device], |row| row.get(0)).optional()?.unwrap_or(0);
            if let Some(seen) = edit.seen.filter(|seen| *seen != found) {
                return Ok(Err(EditError::Conflict { seen, found }));
            }
            let (held, would) = attributes_after(db, device, edit)?;
            if would > LABELS && would > held {
                return Ok(Err(EditError::TooMany { would }));
            }
            let version = found + 1;
            let sql = "INSERT INTO devices (id, name, note, version, changed) VALUES (?1, nullif(?2, ''), nullif(?3, ''), ?4, ?5) \
                       ON CONFLICT (id) DO UPDATE SET version = ?4, changed = ?5, \
                       name = CASE WHEN ?2 IS NULL THEN name ELSE nullif(?2, '') END, \
                       note = CASE WHEN ?3 IS NULL THEN note ELSE nullif(?3, '') END";
            db.execute(sql, params![device, edit.name, edit.note, version, now])?;
            for (name, value) in &edit.attributes {
                if value.is_empty() {
                    db.execute("DELETE FROM attributes WHERE device = ?1 AND name = ?2", params![device, name])?;
                } else {
                    let sql = "INSERT INTO attributes (device, name, value, version) VALUES (?1, ?2, ?3, ?4) \
                               ON CONFLICT (device, name) DO UPDATE SET value = ?3, version = ?4";
                    db.execute(sql, params![device, name, value, version])?;
                }
            }
            let (name, note) =
                db.query_row("SELECT name, note FROM devices WHERE id = ?1", [device], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let attributes = db
                .prepare("SELECT name, value FROM attributes WHERE device = ?1")?
                .query_map([device], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            Ok(Ok(Description { name, note, attributes, version }))
        })?
    }
}

/// How many attributes a device has, and how many it would have after an edit.
fn attributes_after(db: &Connection, device: &str, edit: &DescriptionEdit) -> rusqlite::Result<(usize, usize)> {
    let mut ask = db.prepare("SELECT name FROM attributes WHERE device = ?1")?;
    let mut names: BTreeSet<String> = ask.query_map([device], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let held = names.len();
    for (name, value) in &edit.attributes {
        if value.is_empty() {
            names.remove(name);
        } else {
            names.insert(name.clone());
        }
    }
    Ok((held, names.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(name: Option<&str>, attributes: &[(&str, &str)], seen: Option<i64>) -> DescriptionEdit {
        let attributes = attributes.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        DescriptionEdit { name: name.map(str::to_owned), note: None, attributes, seen }
    }

    #[test]
    fn an_edit_changes_what_it_names_and_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let devices = Devices::load(Arc::new(Catalog::open(dir.path()).unwrap())).unwrap();
        devices.edit("d", &edit(Some("Pump"), &[("site", "hall 1"), ("floor", "2")], None), 1).unwrap();
        let now = devices.edit("d", &edit(None, &[("floor", "")], Some(1)), 2).unwrap();
        assert_eq!((now.name.as_deref(), now.version), (Some("Pump"), 2));
        assert_eq!(now.attributes, [("site".to_owned(), "hall 1".to_owned())].into());

        let again = Devices::load(Arc::new(Catalog::open(dir.path()).unwrap())).unwrap();
        assert_eq!(again.description("d"), Some(now));
        let mut site = String::new();
        again.with_value("d", "site", &mut |value| value.clone_into(&mut site));
        assert_eq!(site, "hall 1");
        again.with_value("other", "site", &mut |value| value.clone_into(&mut site));
        assert_eq!(site, "");
    }

    #[test]
    fn an_edit_of_an_older_version_is_a_conflict_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let devices = Devices::load(Arc::new(Catalog::open(dir.path()).unwrap())).unwrap();
        devices.edit("d", &edit(Some("a"), &[], None), 1).unwrap();
        devices.edit("d", &edit(Some("b"), &[], Some(1)), 2).unwrap();
        let error = devices.edit("d", &edit(Some("c"), &[], Some(1)), 3).unwrap_err();
        assert!(matches!(error, EditError::Conflict { seen: 1, found: 2 }), "{error}");
        assert_eq!(devices.description("d").unwrap().name.as_deref(), Some("b"));
    }

    #[test]
    fn a_device_has_no_more_attributes_than_it_may_whoever_edits_it_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let devices = Devices::load(Arc::new(Catalog::open(dir.path()).unwrap())).unwrap();
        let many = |from: usize| (from..from + LABELS).map(|n| (format!("a{n}"), "x".to_owned())).collect();
        let edit_of = |attributes| DescriptionEdit { attributes, ..DescriptionEdit::default() };
        devices.edit("d", &edit_of(many(0)), 1).unwrap();
        let error = devices.edit("d", &edit_of(many(1)), 2).unwrap_err();
        assert_eq!(error.to_string(), format!("a device has at most {LABELS} attributes, this would make {}", LABELS + 1));
        let swapped = devices.edit("d", &edit(None, &[("a0", ""), ("b", "x")], None), 3).unwrap();
        assert_eq!((swapped.attributes.len(), swapped.version), (LABELS, 2), "one for another is no more");
    }
}
