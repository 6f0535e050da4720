//! `telltale migrate`: history from one kind of store to the other, while no hub runs.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Exit, Failure, Place, offline, owner, print, task};
use crate::config::{Both, Config, StoreKind};
use crate::hub::Hub;
use crate::logging::chain;
use crate::store::influx;
use crate::tools::migrate::{Done, MigrateError, Phase, Step, Switch, run};

/// How long what is only in the log may wait for an InfluxDB that does not answer.
const AWAY: Duration = Duration::from_secs(30);
/// Between two looks at how far the forwarder is.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Args, Debug)]
pub(super) struct Migrate {
    /// The kind of store that holds the readings
    #[arg(long, value_name = "KIND")]
    from: Kind,
    /// The kind of store that is to hold them; [store.influxdb] says where an InfluxDB is
    #[arg(long, value_name = "KIND")]
    to: Kind,
    #[command(flatten)]
    place: Place,
}

/// As `[store] kind` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Embedded,
    Influxdb,
}

impl From<Kind> for StoreKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Embedded => Self::Embedded,
            Kind::Influxdb => Self::Influx,
        }
    }
}

impl Migrate {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (from, to) = (StoreKind::from(self.from), StoreKind::from(self.to));
        if from == to {
            let message = format!("--from {0} --to {0}: expected the two kinds of store", from.as_str());
            return Err(Failure::new(Exit::Configuration, message));
        }
        let sources = self.place.sources([]);
        let both = Config::load_both(&sources).map_err(|error| Failure::new(Exit::Configuration, error.to_string()))?;
        let data = both.of(from).data.dir.clone();
        owner::check(&data)?;
        let lock = task::lock(&data)?;
        if let Some(switch) = Switch::find(&data).map_err(|error| Failure::of(&error))? {
            switch.finish(&data).map_err(|error| Failure::of(&error))?;
            print("the readings were copied and compared before; the switch that was cut off is done")?;
            return self.tell(&switch, &both, &data);
        }
        check(&data, from)?;
        drop(lock);
        let bar = Bar::new();
        let done = offline::with_config(both.of(from).clone(), async |hub| {
            settle(&hub).await?;
            run(&hub, &both, to, &mut |step| bar.show(step)).map_err(|error| failed(&error))
        })?;
        drop(bar);
        told(&done)?;
        self.tell(&done.switch, &both, &data)
    }

    /// What is left to do by hand.
    fn tell(&self, switch: &Switch, both: &Both, data: &Path) -> Result<(), Failure> {
        let to = if switch.is_to(StoreKind::Influx) { StoreKind::Influx } else { StoreKind::Embedded };
        if let Some(kept) = switch.kept() {
            print(format_args!("the old store is kept as {}: remove it when all is well", data.join(kept).display()))?;
        }
        let file = self.place.config.as_ref().map_or_else(String::new, |file| format!(" in {}", file.display()));
        let bounded = both.embedded.store.max_bytes > 0 || !both.embedded.retention.is_empty();
        let out = if to == StoreKind::Influx && bounded { " and take out max_bytes and [[retention]]" } else { "" };
        print(format_args!("now set [store] kind = \"{}\"{out}{file}, and start the hub", to.as_str()))
    }
}

/// Before anything is opened: a directory that was begun with the wrong kind would be bound to it.
fn check(data: &Path, from: StoreKind) -> Result<(), Failure> {
    let is_influx = data.join(influx::DIR_NAME).exists();
    if is_influx == (from == StoreKind::Influx) {
        return Ok(());
    }
    let has = if is_influx { StoreKind::Influx } else { StoreKind::Embedded };
    let message = format!("--from {}: {} holds the readings of the store \"{}\"", from.as_str(), data.display(), has.as_str());
    Err(Failure::new(Exit::Configuration, message))
}

/// All that the log has goes into the store, and the hub ends but for its data.
async fn settle(hub: &Hub) -> Result<(), Failure> {
    let fail = |why: String| Failure::new(Exit::Failed, format!("not everything is in the store yet: {why}"));
    let position = hub.head.position();
    let began = Instant::now();
    if let Some(influx) = &hub.influx {
        while influx.status().forwarded < position {
            if let Some(away) = influx.status().away.filter(|_| began.elapsed() > AWAY) {
                return Err(fail(away.why));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    hub.stop().await;
    if hub.head.sealed_position() < position {
        let trouble = hub.pressure.trouble().map_or_else(|| "the seal did not end".to_owned(), |trouble| format!("{trouble:?}"));
        return Err(fail(trouble));
    }
    Ok(())
}

fn failed(error: &MigrateError) -> Failure {
    let again = match error {
        MigrateError::Store(_) | MigrateError::Import(_) | MigrateError::Io { .. } => {
            "; what is copied by now stays, and the same command goes on from there"
        }
        _ => "",
    };
    let exit = if matches!(error, MigrateError::Influx(_)) { Exit::Configuration } else { Exit::Failed };
    Failure::new(exit, format!("{}{again}", chain(error)))
}

fn told(done: &Done) -> Result<(), Failure> {
    let Done { epoch, position, series, readings, before, unreadable, rollups, .. } = done;
    let before = if *before > 0 { format!(" ({before} of them by a run before)") } else { String::new() };
    print(format_args!("{readings} readings of {series} series copied{before} and compared, up to {epoch:016x}-{}", position.0))?;
    if unreadable.count() > 0 {
        print(format_args!("left behind, since they cannot be read: some readings of {unreadable}"))?;
    }
    if rollups.count() > 0 {
        print(format_args!("left behind, since InfluxDB has no place for them: rollups of readings that are gone, of {rollups}"))?;
    }
    Ok(())
}

/// One for each phase; nothing at all where stderr is no terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let style = ProgressStyle::with_template("{prefix:9} {bar:40} {pos} of {len} series, {msg} readings, {eta} left");
        Self(ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    fn show(&self, step: Step) {
        let prefix = match step.phase {
            Phase::Reading => "reading",
            Phase::Copying => "copying",
            Phase::Comparing => "comparing",
        };
        // Each of these draws it: without a length it is full.
        self.0.set_length(step.of as u64);
        self.0.set_position(step.series as u64);
        self.0.set_message(step.readings.to_string());
        if self.0.prefix() != prefix {
            self.0.set_prefix(prefix);
            self.0.reset_eta();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
