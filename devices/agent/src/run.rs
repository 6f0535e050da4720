//! Opens the client, runs the inputs, and ends in order: inputs first, then what they read is sent as far as time allows.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use telltale_sdk::{Client, OpenError, SpoolError, Token};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::{Config, InputKind};
use crate::inputs::{Sink, host, simulate, stdin};

/// Inputs that are told to stop do so at once, unless the system they ask hangs.
const INPUTS_DEADLINE: Duration = Duration::from_secs(2);
const STATS_EVERY: Duration = Duration::from_secs(60);
/// As the hub: a directory that another process uses.
const EXIT_IN_USE: u8 = 75;

/// Runs until the inputs end or a signal comes.
pub(crate) async fn run(config: Config) -> ExitCode {
    let client = match Client::open(client_config(&config)) {
        Ok(client) => Arc::new(client),
        Err(error) => {
            tracing::error!("{error}");
            return match error {
                OpenError::Spool(SpoolError::InUse { .. }) => ExitCode::from(EXIT_IN_USE),
                _ => ExitCode::FAILURE,
            };
        }
    };
    let (stop, stopped) = watch::channel(false);
    let mut inputs = JoinSet::new();
    let sink = Sink::new(Arc::clone(&client), &config.spool);
    for input in &config.agent.inputs {
        start(*input, &config, &sink, &stopped, &mut inputs);
    }
    drop((sink, stopped));
    let ended = tokio::select! {
        () = all_ended(&mut inputs) => true,
        () = signalled() => false,
        () = log_stats(&client) => unreachable!("it goes on for ever"),
    };
    stop.send_replace(true);
    if !ended && timeout(INPUTS_DEADLINE, all_ended(&mut inputs)).await.is_err() {
        inputs.abort_all();
        tracing::warn!("an input did not stop within {} s", INPUTS_DEADLINE.as_secs());
    }
    drop(inputs);
    let wait = if ended { config.stdin.wait } else { config.agent.stop_wait };
    close(client, wait, ended, &config).await
}

/// The settings as the SDK takes them.
pub(crate) fn client_config(config: &Config) -> telltale_sdk::Config {
    let id = agent_id(config);
    let mut client = telltale_sdk::Config::new(config.hub.url.as_str(), id, config.spool.dir.as_path());
    client.token = config.hub.token_file.clone().map(Token::File);
    client.ca_file.clone_from(&config.hub.ca_file);
    client.program = concat!("telltale-agent ", env!("CARGO_PKG_VERSION")).to_owned();
    client.attributes.clone_from(&config.agent.attributes);
    client.spool_bytes_max = config.spool.bytes;
    client.when_full = config.spool.when_full;
    client.sync_every = config.spool.sync_every;
    client
}

fn agent_id(config: &Config) -> String {
    config.agent.id.clone().unwrap_or_else(host::host_name)
}

fn start(input: InputKind, config: &Config, sink: &Sink, stop: &watch::Receiver<bool>, inputs: &mut JoinSet<()>) {
    let (sink, stop) = (sink.clone(), stop.clone());
    match input {
        InputKind::Host => {
            let device = config.host.device.clone().unwrap_or_else(host::host_name);
            inputs.spawn(host::run(device, config.host.every, sink, stop));
        }
        InputKind::Simulate => {
            inputs.spawn(simulate::run(config.simulate.clone(), sink, stop));
        }
        InputKind::Stdin => {
            inputs.spawn(async move {
                stdin::run(tokio::io::stdin(), sink, stop).await;
            });
        }
    }
}

async fn all_ended(inputs: &mut JoinSet<()>) {
    while let Some(result) = inputs.join_next().await {
        if let Err(error) = result
            && !error.is_cancelled()
        {
            tracing::error!(%error, "an input failed");
        }
    }
}

async fn signalled() {
    let (mut terminate, mut interrupt) = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "signals cannot be heard");
            return std::future::pending().await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("Ctrl-C: stopping"),
    }
}

async fn log_stats(client: &Client) {
    loop {
        tokio::time::sleep(STATS_EVERY).await;
        let stats = client.stats();
        tracing::info!(
            connected = stats.connected,
            pushed = stats.pushed,
            stored = stats.stored,
            duplicate = stats.duplicate,
            rejected = stats.rejected,
            dropped = stats.dropped,
            unsent = stats.unsent,
            spool_bytes = stats.spool_bytes,
            "so far"
        );
    }
}

async fn close(client: Arc<Client>, wait: Duration, ended: bool, config: &Config) -> ExitCode {
    let stats = client.stats();
    let Some(client) = Arc::into_inner(client) else {
        // An input that hangs still holds it: what was read is in the spool.
        tracing::warn!(unsent = stats.unsent, "ended without the acks");
        return ExitCode::SUCCESS;
    };
    let closed = client.close(wait).await;
    if closed.unsent == 0 {
        tracing::info!(readings = stats.pushed, "all is sent");
        return ExitCode::SUCCESS;
    }
    tracing::warn!(unsent = closed.unsent, spool = %config.spool.dir.display(), "readings stay in the spool for the next run");
    if let Some(error) = stats.last_error {
        tracing::warn!("{error}");
    }
    // Who pipes a file in wants to know whether the hub has it; who stops the agent does not.
    if ended { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
