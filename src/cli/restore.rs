//! `telltale restore`: a data directory from a backup.

use std::path::PathBuf;

use clap::Args;

use super::task::Bar;
use super::{Exit, Failure, Place, offline, owner, print};
use crate::clock::Clock;
use crate::hub;
use crate::model::Position;
use crate::tools::backup::{Manifest, differences};
use crate::tools::restore::{Tokens, prepare, run};

#[derive(Args, Debug)]
pub(super) struct Restore {
    /// The backup
    dir: PathBuf,
    /// Afterwards read everything and compare it with what the backup says of each series
    #[arg(long)]
    verify: bool,
    /// End all tokens: agents and viewers need new ones
    #[arg(long)]
    without_tokens: bool,
    #[command(flatten)]
    place: Place,
}

impl Restore {
    pub(super) fn run(self) -> Result<(), Failure> {
        let data = self.place.data_dir()?;
        // Before anything is made.
        Manifest::read(&self.dir).map_err(|error| Failure::of(&error))?;
        prepare(&data).map_err(|error| Failure::of(&error))?;
        owner::make(&data)?;
        let lock = hub::lock(&data).map_err(|error| offline::not_opened(&error))?;
        let bar = Bar::new();
        let tokens = if self.without_tokens { Tokens::Ended { at: Clock::system().now() } } else { Tokens::Kept };
        let manifest = run(&self.dir, &data, tokens, &mut |done, total| bar.show(done, total)).map_err(|error| Failure::of(&error))?;
        drop((bar, lock));
        let readings: u64 = manifest.series.iter().map(|(_, count, _)| count).sum();
        let position = manifest.position;
        print(format_args!("{readings} readings of {} series up to position {position} restored", manifest.series.len()))?;
        if self.verify { verify(&self.place, &manifest) } else { Ok(()) }
    }
}

fn verify(place: &Place, manifest: &Manifest) -> Result<(), Failure> {
    let differences = offline::with_hub(place, async |hub| {
        let mut found = Ok(Vec::new());
        let pin = hub.head.pins().pin(Position(manifest.position));
        hub.store.while_still(&mut || found = differences(hub.store.as_ref(), &pin, manifest));
        found.map_err(|error| Failure::of(&error))
    })?;
    for line in &differences {
        print(line)?;
    }
    match differences.len() {
        0 => print("everything is as the backup says"),
        n => Err(Failure::new(Exit::Failed, format!("{n} series are not as the backup says"))),
    }
}
