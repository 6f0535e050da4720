//! `DATA/migrating`: what a migration has while it lasts. How far it came is noted after each handover, so that a killed run goes on
//! there; the switch is noted before its first step, so that a killed one is finished.
//!
//! Invariant: until the switch is noted, the hub's own store is untouched and a hub may run on it.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{MigrateError, io_error};
use crate::catalog::Catalog;
use crate::config::StoreKind;
use crate::model::{Position, TimeNs};
use crate::store::{embedded, influx};
use crate::tools::SWITCHING;

const DIR_NAME: &str = "migrating";
const PROGRESS: &str = "progress";

/// What is copied to where: a run goes on only with its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// As settings say it.
    pub(super) to: String,
    /// Of an InfluxDB.
    pub(super) address: String,
    pub(super) epoch: u64,
    /// Everything up to here is copied.
    pub(super) position: u64,
}

/// How far the copy is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    pub(super) plan: Plan,
    /// All series with lesser numbers are copied, and of this one what lies before `from`.
    pub(super) series: u64,
    pub(super) from: TimeNs,
    pub(super) handovers: u64,
    pub(super) readings: u64,
}

/// The steps by which the new store takes the place of the old one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    to: String,
    epoch: u64,
    position: u64,
    /// Within the data directory, in this order.
    moves: Vec<(String, String)>,
    made: TimeNs,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    data: PathBuf,
    dir: PathBuf,
}

impl Place {
    /// A run that was cut off goes on where it was, if it was the same; else all begins anew.
    pub(super) fn open(data: &Path, plan: Plan) -> Result<(Self, Progress), MigrateError> {
        let place = Self { data: data.to_owned(), dir: data.join(DIR_NAME) };
        let noted: Option<Progress> = read(&place.dir.join(PROGRESS))?;
        if let Some(progress) = noted.filter(|noted| noted.plan == plan) {
            return Ok((place, progress));
        }
        remove_all(&place.dir)?;
        DirBuilder::new().mode(0o700).create(&place.dir).map_err(io_error("make", &place.dir))?;
        let progress = Progress { plan, series: 0, from: TimeNs::MIN, handovers: 0, readings: 0 };
        place.note(&progress)?;
        sync(data)?;
        Ok((place, progress))
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn note(&self, progress: &Progress) -> Result<(), MigrateError> {
        write(&self.dir.join(PROGRESS), progress)
    }

    /// The next run begins anew.
    pub(super) fn forget(&self) -> Result<(), MigrateError> {
        let path = self.dir.join(PROGRESS);
        fs::remove_file(&path).map_err(io_error("remove", &path))
    }

    /// From here on the switch is done, by this run or by a later one.
    pub(super) fn switch(&self, plan: &Plan, made: TimeNs) -> Result<Switch, MigrateError> {
        let Plan { to, epoch, position, .. } = plan.clone();
        let aside = |name: &str| (name.to_owned(), free_name(&self.data, name));
        let there = |name: &str| self.data.join(name).exists();
        let mut moves = Vec::new();
        if there(embedded::DIR_NAME) {
            moves.push(aside(embedded::DIR_NAME));
        }
        if to == StoreKind::Embedded.as_str() {
            moves.push((format!("{DIR_NAME}/{}", embedded::DIR_NAME), embedded::DIR_NAME.to_owned()));
            moves.push(aside(influx::DIR_NAME));
        }
        let switch = Switch { to, epoch, position, moves, made };
        write(&self.data.join(SWITCHING), &switch)?;
        Ok(switch)
    }
}

/// The first that nothing has.
fn free_name(data: &Path, name: &str) -> String {
    let first = format!("{name}-before-migration");
    let names = std::iter::once(first.clone()).chain((2..).map(|n| format!("{first}-{n}")));
    names.into_iter().find(|name| !data.join(name).exists()).expect("names do not end")
}

impl Switch {
    /// One that was begun and not ended. With the lock of `data` held.
    pub fn find(data: &Path) -> Result<Option<Self>, MigrateError> {
        let found = read(&data.join(SWITCHING))?;
        if found.is_none() {
            // What a kill at the very end left: it goes if nothing is in it.
            drop(fs::remove_dir(data.join(DIR_NAME)));
        }
        Ok(found)
    }

    #[must_use]
    pub fn is_to(&self, kind: StoreKind) -> bool {
        self.to == kind.as_str()
    }

    /// Where the embedded store is kept that was the source.
    #[must_use]
    pub fn kept(&self) -> Option<&str> {
        let (_, aside) = self.moves.iter().find(|(from, _)| from == embedded::DIR_NAME)?;
        self.is_to(StoreKind::Influx).then_some(aside)
    }

    /// With the lock of `data` held. Each step may have been done before.
    pub fn finish(&self, data: &Path) -> Result<(), MigrateError> {
        for (from, to) in &self.moves {
            let (from, to) = (data.join(from), data.join(to));
            if from.exists() && !to.exists() {
                fs::rename(&from, &to).map_err(io_error("rename", &from))?;
                sync(data)?;
            }
        }
        if self.is_to(StoreKind::Influx) {
            influx::note_forwarded(data, self.epoch, Position(self.position)).map_err(io_error("note what is copied in", data))?;
        } else {
            Catalog::open(data)?.note_store_made(self.made)?;
        }
        sync(data)?;
        remove_all(&data.join(DIR_NAME))?;
        sync(data)
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, MigrateError> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("read", path)(error)),
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| io_error("read", path)(error.into())),
    }
}

/// All of it or nothing, and on disk when it returns.
fn write(path: &Path, what: &impl Serialize) -> Result<(), MigrateError> {
    let attempt = || {
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(what)?)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    };
    attempt().map_err(io_error("write", path))
}

fn remove_all(dir: &Path) -> Result<(), MigrateError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error("remove", dir)(error)),
        _ => Ok(()),
    }
}

fn sync(dir: &Path) -> Result<(), MigrateError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("sync", dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(to: StoreKind) -> Plan {
        Plan { to: to.as_str().to_owned(), address: String::new(), epoch: 7, position: 9 }
    }

    fn make(path: &Path) {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join("file"), path.to_str().unwrap()).unwrap();
    }

    #[test]
    fn a_run_goes_on_with_its_own_progress_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (place, mut progress) = Place::open(dir.path(), plan(StoreKind::Influx)).unwrap();
        progress = Progress { series: 4, from: 5, handovers: 2, readings: 3, ..progress };
        place.note(&progress).unwrap();
        assert_eq!(Place::open(dir.path(), plan(StoreKind::Influx)).unwrap(), (place, progress));
        let (place, anew) = Place::open(dir.path(), Plan { position: 10, ..plan(StoreKind::Influx) }).unwrap();
        assert_eq!((anew.series, anew.readings), (0, 0), "something was committed in between");
        place.forget().unwrap();
        assert_eq!(Place::open(dir.path(), plan(StoreKind::Influx)).unwrap().1.plan.position, 9);
    }

    #[test]
    fn a_switch_that_was_cut_off_anywhere_is_finished() {
        for to in [StoreKind::Influx, StoreKind::Embedded] {
            for done in 0..4 {
                let dir = tempfile::tempdir().unwrap();
                let data = dir.path();
                let (place, _) = Place::open(data, plan(to)).unwrap();
                ["store", "store-before-migration", "influx", "migrating/store"].iter().for_each(|name| make(&data.join(name)));
                if to == StoreKind::Influx {
                    remove_all(&data.join("influx")).unwrap();
                }
                let switch = place.switch(&plan(to), 1).unwrap();
                // As far as it came before it was killed.
                for (from, to) in switch.moves.iter().take(done) {
                    fs::rename(data.join(from), data.join(to)).unwrap();
                }
                let found = Switch::find(data).unwrap().unwrap();
                assert_eq!(found, switch);
                found.finish(data).unwrap();
                assert_eq!(Switch::find(data).unwrap(), None);
                let origin = |name: &str| {
                    let text = fs::read_to_string(data.join(name).join("file")).ok();
                    text.map(|text| text.strip_prefix(data.to_str().unwrap()).unwrap().to_owned())
                };
                let origins = ["store-before-migration", "store-before-migration-2", "store", "influx-before-migration"].map(origin);
                let [earlier, kept, store, influx] = origins;
                assert_eq!((earlier.as_deref(), kept.as_deref()), (Some("/store-before-migration"), Some("/store")));
                let forwarded = fs::read_to_string(data.join("influx/forwarded")).ok();
                if to == StoreKind::Influx {
                    assert_eq!((store, influx, forwarded.as_deref()), (None, None, Some("7 9 2\n")));
                    assert_eq!(switch.kept(), Some("store-before-migration-2"));
                } else {
                    assert_eq!((store.as_deref(), influx.as_deref(), forwarded), (Some("/migrating/store"), Some("/influx"), None));
                    assert_eq!(switch.kept(), None);
                }
                assert!(!data.join("migrating").exists());
            }
        }
    }
}
