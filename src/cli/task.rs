//! Tasks over everything that is stored: asked of the running hub, or else done here under the directory's lock. A bar on stderr
//! shows how far they are, when it is a terminal.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::{Exit, Failure, Place, client, offline};
use crate::catalog;
use crate::hub::{self, OpenHubError};
use crate::tools::Progress;

/// Drawn over itself; nothing at all where stderr is no terminal.
#[derive(Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Self {
        Self::with("{bar:40} {bytes} of {total_bytes}, {eta} left")
    }

    pub(super) fn of_readings() -> Self {
        Self::with("{bar:40} {human_pos} of {human_len} readings, {eta} left")
    }

    pub(super) fn of_series() -> Self {
        Self::with("{bar:40} {human_pos} of {human_len} series compared, {eta} left")
    }

    fn with(template: &str) -> Self {
        let style = ProgressStyle::with_template(template);
        Self(ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    pub(super) fn show(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }

    /// A line on stderr, above the bar.
    pub(super) fn say(&self, line: &str) {
        self.0.suspend(|| {
            // Nothing is left to say where even stderr is gone.
            drop(writeln!(io::stderr(), "{line}"));
        });
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The answer's JSON, from the hub or from `here`.
pub(super) fn run(
    place: &Place,
    path: &str,
    body: Option<&Value>,
    here: impl FnOnce(&Path, &mut Progress<'_>) -> Result<Value, Failure>,
) -> Result<Value, Failure> {
    let dir = place.data_dir()?;
    let bar = Bar::new();
    let mut show = |done, total| bar.show(done, total);
    if let Some(answer) = client::follow(&dir, path, body, &mut show)? {
        return Ok(answer);
    }
    let _lock = lock_to_look(&dir)?;
    here(&dir, &mut show)
}

/// The lock of a directory that is there: a mistyped one is not to become a new one.
pub(super) fn lock(dir: &Path) -> Result<File, Failure> {
    lock_with(dir, hub::lock)
}

/// The same for who only looks, also where nothing can be written.
pub(super) fn lock_to_look(dir: &Path) -> Result<File, Failure> {
    lock_with(dir, hub::lock_to_look)
}

/// Of a directory that a hub has used.
pub(super) fn must_be_data(dir: &Path) -> Result<(), Failure> {
    if !dir.exists() {
        return Err(Failure::new(Exit::Failed, format!("{}: there is no data directory", dir.display())));
    }
    if !dir.join(catalog::FILE_NAME).is_file() && !dir.join("log").is_dir() {
        let message = format!("{}: not a data directory of telltale (no {} in it)", dir.display(), catalog::FILE_NAME);
        return Err(Failure::new(Exit::Failed, message));
    }
    Ok(())
}

fn lock_with(dir: &Path, lock: impl FnOnce(&Path) -> Result<File, OpenHubError>) -> Result<File, Failure> {
    must_be_data(dir)?;
    lock(dir).map_err(|error| offline::not_opened(&error))
}
