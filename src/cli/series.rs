//! `telltale series top`: who makes the most series, and whose grow fastest.

use clap::{Args, Subcommand};

use super::{Failure, Place, client, offline, print, task};
use crate::http::top;

#[derive(Debug, Subcommand)]
pub(super) enum Series {
    /// Show who makes most series, those with most new ones first
    Top(Top),
}

#[derive(Args, Debug)]
pub(super) struct Top {
    /// Group by token, device, metric or label
    #[arg(long, default_value = "token")]
    by: String,
    /// Series made within this time are new
    #[arg(long, default_value = "1h")]
    since: String,
    /// Rows to show
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// The answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Series {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Top(top) => top.run(),
        }
    }
}

impl Top {
    fn run(self) -> Result<(), Failure> {
        let Self { by, since, limit, json, place } = self;
        let dir = place.data_dir()?;
        let answer = if offline::is_running(&dir) {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("by", &by).append_pair("since", &since).append_pair("limit", &limit.to_string());
            client::ask(&dir, "GET", &format!("/api/v1/series/top?{}", query.finish()), None)?
        } else {
            task::must_be_data(&dir)?;
            offline::with_hub(&place, async |hub| {
                let mut answer = top::ask(&hub, &by, &since).map_err(|error| Failure::refused(&error))?;
                answer.groups.truncate(limit as usize);
                serde_json::to_value(answer).map_err(|error| Failure::of(&error))
            })?
        };
        if json {
            return print(format_args!("{answer:#}"));
        }
        print(format_args!("{:>10} {:>10}  {by}", "series", "new"))?;
        for row in answer["groups"].as_array().into_iter().flatten() {
            let values = row["values"].as_u64().map_or_else(String::new, |values| format!(" ({values} values)"));
            let [series, new] = ["series", "new"].map(|name| row[name].as_u64().unwrap_or_default());
            print(format_args!("{series:>10} {new:>10}  {}{values}", row["name"].as_str().unwrap_or_default()))?;
        }
        Ok(())
    }
}
