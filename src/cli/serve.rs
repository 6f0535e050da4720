//! `telltale serve`: settings, log, then the hub until SIGTERM or Ctrl-C.

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, Failure, Place, leave, offline, owner, print};
use crate::app::{App, StartError, Why};
use crate::auth::access::Role;
use crate::clock::Clock;
use crate::config::{Config, Flag};
use crate::logging;

#[derive(Args, Debug)]
pub(super) struct Serve {
    #[command(flatten)]
    place: Place,
    /// The IP address and port to serve on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

/// As many as Linux lets any process have, unless it was told otherwise.
const MOST_FILES: u64 = 1 << 20;

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let listen = self.listen.map(|value| Flag { flag: "--listen", section: "listen", key: "address", value });
        let config = self.place.config(listen)?;
        owner::check(&config.data.dir)?;
        logging::start(config.logging);
        allow_files();
        actix_web::rt::System::new().block_on(serve(config))
    }
}

/// Each connection takes a file, one of HTTP two, and so does each day of history that is open. Shells allow 1024 and more to who asks.
fn allow_files() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(MOST_FILES, |most| most.min(MOST_FILES));
    if limit.current.is_some_and(|now| now < most)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum })
    {
        tracing::warn!(%error, files = limit.current, "the number of open files stays as it was");
    }
}

async fn serve(config: Config) -> Result<(), Failure> {
    // Taken before the hub opens, so that a stop asked for during recovery is not lost.
    let failed = |error: std::io::Error| Failure::of(&error);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let app = App::build(config, Clock::system()).map_err(|error| not_started(&error))?;
    print(format_args!("listening on {}", app.url()))?;
    if let Some(link) = login_link(&app)? {
        print(format_args!("login: {link}"))?;
    }
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let ended = app.run(stop).await.map_err(failed)?;
    let done = match ended.why {
        Why::Asked => Ok(()),
        Why::Poisoned => Err(Failure::new(Exit::Poisoned, "the commit log is poisoned; the log above says why")),
    };
    if ended.unfinished.is_some() {
        // A supervisor waits for so long and no longer. As after kill -9: what was acked is on disk.
        leave(done);
    }
    done
}

/// While nobody manages this hub from a browser, each start prints a way in.
fn login_link(app: &App) -> Result<Option<String>, Failure> {
    let auth = &app.hub.auth;
    let made = auth.login_due().and_then(|due| if due { auth.create_login_code(Role::Admin).map(Some) } else { Ok(None) });
    let code = made.map_err(|error| Failure::of(&error))?;
    Ok(code.map(|code| app.door.login_link(&code)))
}

fn not_started(error: &StartError) -> Failure {
    match error {
        StartError::Hub(error) => offline::not_opened(error),
        StartError::Tls(_) => Failure::new(Exit::Configuration, logging::chain(error)),
        _ => Failure::of(error),
    }
}
