//! `telltale-agent check`: says on stdout what is right, and names what is not.

use std::process::ExitCode;
use std::time::Duration;

use telltale_sdk::probe;

use crate::cli::{complain, say};
use crate::config::Config;
use crate::run::client_config;

/// Clocks further apart than this are worth a word; ten minutes ahead is refused.
const CLOCKS_APART_NS: u64 = 1_000_000_000;

pub(crate) async fn check(config: &Config) -> ExitCode {
    let client = client_config(config);
    say(&format!("settings are right: agent {:?}, spool {}", client.agent_id, config.spool.dir.display()));
    match probe(&client).await {
        Ok(probe) => {
            say(&format!("connected to {}: {}", probe.url, probe.hub));
            if probe.clock_apart_ns.unsigned_abs() > CLOCKS_APART_NS {
                let apart = Duration::from_nanos(probe.clock_apart_ns.unsigned_abs());
                let side = if probe.clock_apart_ns > 0 { "ahead of" } else { "behind" };
                say(&format!("the hub's clock is {apart:.1?} {side} this machine's"));
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}
