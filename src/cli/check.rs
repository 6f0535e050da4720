//! `telltale check`: reads everything that is stored and names what is damaged.

use clap::Args;

use super::{Exit, Failure, Place, print, task};
use crate::catalog::CatalogError;
use crate::http::check::CheckBody;
use crate::store::StoreError;
use crate::tools::check::{Beside, CheckError, run};

#[derive(Args, Debug)]
pub(super) struct Check {
    #[command(flatten)]
    place: Place,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let answer = task::run(&self.place, "/api/v1/check", None, |dir, progress| {
            let report = run(dir, Beside::Nobody, progress).map_err(|error| failure(&error))?;
            serde_json::to_value(CheckBody::from(report)).map_err(|error| Failure::of(&error))
        })?;
        let lines = |name: &str| answer[name].as_array().into_iter().flatten();
        for bad in lines("bad") {
            print(bad["text"].as_str().unwrap_or_default())?;
        }
        for note in lines("notes") {
            print(format_args!("note: {}", note.as_str().unwrap_or_default()))?;
        }
        let number = |name: &str| answer[name].as_u64().unwrap_or_default();
        let [readings, rows, files] = ["readings", "rows", "files"].map(number);
        let [commits, segments, bytes] = ["commits", "segments", "bytes"].map(number);
        print(format_args!(
            "{readings} readings in {rows} chunks of {files} files, {commits} commits in {segments} segments, {bytes} bytes"
        ))?;
        match number("damaged") {
            0 => print("nothing is damaged"),
            n => Err(Failure::new(Exit::Failed, format!("damaged places: {n}; the rest can be read"))),
        }
    }
}

fn failure(error: &CheckError) -> Failure {
    let exit = match error {
        CheckError::Catalog(CatalogError::Newer { .. }) | CheckError::Store(StoreError::Newer { .. }) => Exit::NewerFormat,
        _ => Exit::Failed,
    };
    Failure::new(exit, crate::logging::chain(error))
}
