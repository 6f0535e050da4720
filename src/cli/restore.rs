//! `telltale restore`: a data directory from a backup.

use std::path::PathBuf;

use clap::Args;

use super::task::Bar;
use super::{Exit, Failure, Place, offline, owner, print};
use crate::clock::Clock;
use crate::hub::{self, Hub};
use crate::model::Position;
use crate::tools::backup::{BackupError, Difference, Manifest, differences};
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
        Manifest::read(&self.dir).map_err(|error| failure(&error))?;
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
        if self.without_tokens {
            print("all tokens have ended: make new ones with `telltale token create`")?;
        }
        if self.verify { verify(&self.place, &manifest) } else { Ok(()) }
    }
}

fn failure(error: &BackupError) -> Failure {
    let exit = if matches!(error, BackupError::Newer { .. }) { Exit::NewerFormat } else { Exit::Failed };
    Failure::new(exit, crate::logging::chain(error))
}

fn verify(place: &Place, manifest: &Manifest) -> Result<(), Failure> {
    let differences = offline::with_hub(place, async |hub| {
        let (mut found, bar) = (Ok(Vec::new()), Bar::of_series());
        let pin = hub.head.pins().pin(Position(manifest.position));
        hub.store.while_still(&mut || found = differences(hub.store.as_ref(), &pin, manifest, &mut |done, all| bar.show(done, all)));
        let found = found.map_err(|error| Failure::of(&error))?;
        Ok(found.into_iter().map(|difference| told(&hub, difference)).collect::<Vec<_>>())
    })?;
    for line in &differences {
        print(line)?;
    }
    match differences.len() {
        0 => print("everything is as the backup says"),
        n => Err(Failure::new(Exit::Failed, format!("{n} series are not as the backup says"))),
    }
}

fn told(hub: &Hub, Difference { series, there, saved }: Difference) -> String {
    let name = hub.series.by_id(series).map_or_else(|| format!("series number {}", series.0), |series| series.key.to_string());
    if there == saved {
        return format!("{name}: its {there} readings have other times or values than in the backup");
    }
    format!("{name}: {there} readings, where the backup has {saved}")
}
