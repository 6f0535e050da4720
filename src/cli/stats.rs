//! `telltale stats`: what takes the room.

use clap::Args;
use serde_json::Value;

use super::{Exit, Failure, Place, client, offline, print, task};
use crate::http::stats::StatsBody;
use crate::store::StoreError;
use crate::tools::stats::run;

#[derive(Args, Debug)]
pub(super) struct Stats {
    /// How many series to show, those that take most first
    #[arg(long, default_value_t = 20)]
    top: usize,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Stats {
    pub(super) fn run(self) -> Result<(), Failure> {
        let dir = self.place.data_dir()?;
        let answer = if offline::is_running(&dir) {
            client::ask_patiently(&dir, "GET", &format!("/api/v1/stats?top={}", self.top), None)?
        } else {
            let _lock = task::lock_to_look(&dir)?;
            let stats = run(&dir, self.top).map_err(|error| failure(&error))?;
            serde_json::to_value(StatsBody::from(stats)).map_err(|error| Failure::of(&error))?
        };
        if self.json { print(format_args!("{answer:#}")) } else { table(&answer) }
    }
}

fn failure(error: &StoreError) -> Failure {
    let exit = if matches!(error, StoreError::Newer { .. }) { Exit::NewerFormat } else { Exit::Failed };
    Failure::new(exit, error.to_string())
}

fn table(answer: &Value) -> Result<(), Failure> {
    let number = |of: &Value, name: &str| of[name].as_u64().unwrap_or_default();
    let rows = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
    let each = answer["bytes_per_reading"].as_f64().map_or_else(String::new, |each| format!(", {each:.2} bytes each"));
    let (readings, bytes) = (number(answer, "readings"), number(answer, "bytes"));
    print(format_args!("{readings} readings of {} series in {bytes} bytes{each}", number(answer, "series")))?;
    if let Some(waiting) = answer["waiting"].as_u64().filter(|waiting| *waiting > 0) {
        print(format_args!("{waiting} readings are in memory and in the log, and not in the store yet"))?;
    }
    print(format_args!("{} bytes of log, {} of catalog", number(answer, "log_bytes"), number(answer, "catalog_bytes")))?;
    print(format_args!("\n{:<10}  {:<6}  {:>13}  {:>13}  LEVELS", "DAY", "KIND", "READINGS", "BYTES"))?;
    for file in rows("files") {
        let level = |level: &Value| match number(level, "level") {
            0 => format!("readings {}", number(level, "bytes")),
            seconds => format!("{seconds} s {}", number(level, "bytes")),
        };
        let levels: Vec<_> = file["levels"].as_array().into_iter().flatten().map(level).collect();
        let (day, kind) = (file["day"].as_str().unwrap_or_default(), file["kind"].as_str().unwrap_or_default());
        let (readings, bytes) = (number(&file, "readings"), number(&file, "bytes"));
        print(format_args!("{day:<10}  {kind:<6}  {readings:>13}  {bytes:>13}  {}", levels.join(", ")))?;
    }
    print(format_args!("\n{:>13}  {:>13}  SERIES", "READINGS", "BYTES"))?;
    for series in rows("top") {
        let name = series["name"].as_str().map_or_else(|| format!("number {}", number(&series, "number")), str::to_owned);
        print(format_args!("{:>13}  {:>13}  {name}", number(&series, "readings"), number(&series, "bytes")))?;
    }
    Ok(())
}
