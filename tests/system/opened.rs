//! A hub in this process, with a clock of the test's own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use telltale::clock::Clock;
use telltale::config::Config;
use telltale::hub::{Hub, OpenHubError};

pub fn opened(config: &Config, clock: &Clock) -> Arc<Hub> {
    Arc::new(try_open(config, clock).unwrap())
}

/// A program that another test starts has every open file between fork and exec, the lock of the directory too: it is waited for.
pub fn try_open(config: &Config, clock: &Clock) -> Result<Hub, OpenHubError> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match Hub::open(config.clone(), clock.clone()) {
            Err(OpenHubError::InUse { .. }) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(1)),
            opened => return opened,
        }
    }
}
