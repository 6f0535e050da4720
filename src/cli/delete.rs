//! `telltale delete`: readings of a range go, for good. Without `--yes` it says what would go.

use clap::Args;
use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::{Failure, Place, client, offline, print, task};
use crate::auth::access::Scope;
use crate::http::history::erase::{self, Wish};

#[derive(Args, Debug)]
pub(super) struct Delete {
    /// Which series, such as 'pump-*/debug.*'; may be given several times
    #[arg(long, value_name = "SELECTOR", required = true)]
    select: Vec<String>,
    /// Since when: RFC 3339, '-2h', or an epoch with its unit such as '1795396030s'
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: String,
    /// Until when [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<String>,
    /// Delete; without it nothing is deleted
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: Place,
}

impl Delete {
    pub(super) fn run(self) -> Result<(), Failure> {
        let dir = self.place.data_dir()?;
        let Self { select, from, to, yes, place } = self;
        let wish = Wish { select, from, to, dry_run: !yes };
        let (series, readings) = if offline::is_running(&dir) {
            let answer = client::ask_patiently(&dir, "DELETE", &format!("/api/v1/history?{}", query(&wish)), None)?;
            (number(&answer["series"]), number(&answer["readings"]))
        } else {
            task::must_be_data(&dir)?;
            let erased = offline::with_hub(&place, async |hub| {
                erase::carry_out(hub, wish, Scope::default()).await.map_err(|error| Failure::refused(&error))
            })?;
            (erased.series as u64, erased.readings as u64)
        };
        let what = format!("{readings} readings of {series} series");
        print(if yes { format!("deleted {what}") } else { format!("would delete {what}; --yes does it") })
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn query(wish: &Wish) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(wish.select.iter().map(|select| ("select", select)));
    query.append_pair("from", &wish.from);
    query.extend_pairs(wish.to.iter().map(|to| ("to", to)));
    query.append_pair("dry_run", if wish.dry_run { "true" } else { "false" });
    query.finish()
}
