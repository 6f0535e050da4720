//! `telltale backup`: everything that is stored, into a directory.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::task::Bar;
use super::{Failure, Place, client, offline, print, task};
use crate::http::backup::BackupBody;
use crate::tools::backup::run;

#[derive(Args, Debug)]
pub(super) struct Backup {
    /// An empty directory, or an earlier backup, of which only what changed is written
    dir: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Backup {
    pub(super) fn run(self) -> Result<(), Failure> {
        let dir = std::path::absolute(&self.dir).map_err(|error| Failure::of(&error))?;
        let body = json!({ "dir": dir });
        let bar = Bar::new();
        let data = self.place.data_dir()?;
        let answer = match client::follow(&data, "/api/v1/backup", Some(&body), &mut |done, total| bar.show(done, total))? {
            Some(answer) => answer,
            None => {
                drop(task::lock(&data)?);
                offline::with_hub(&self.place, async |hub| {
                    let done = run(&hub, &dir, &mut |done, total| bar.show(done, total)).map_err(|error| Failure::of(&error))?;
                    serde_json::to_value(BackupBody::from(done)).map_err(|error| Failure::of(&error))
                })?
            }
        };
        drop(bar);
        let number = |name: &str| answer[name].as_u64().unwrap_or_default();
        let [readings, series, files] = ["readings", "series", "files"].map(number);
        let [copied, bytes, position] = ["copied", "copied_bytes", "position"].map(number);
        let epoch = answer.get("epoch").and_then(Value::as_str).unwrap_or_default();
        print(format_args!("{readings} readings of {series} series up to {epoch}-{position}"))?;
        print(format_args!("{copied} of {files} files copied, {bytes} bytes"))
    }
}
