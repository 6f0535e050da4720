//! A hub whose clock is told on stdin, so that a whole day can be measured as if it were lived through: this program started again
//! with `past-hub NS DIR`. It is the hub of `telltale serve` but for the clock.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use telltale::app::App;
use telltale::clock::Clock;
use telltale::config::{Config, Flag, Sources};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::hub::Hub;

pub(crate) const COMMAND: &str = "past-hub";

/// Tells a past hub what time it is. Its clock stands there when this returns: one series alone comes so fast that a clock on its way
/// would soon be ten minutes behind.
#[derive(Debug)]
pub(crate) struct Told {
    stdin: ChildStdin,
    said: BufReader<ChildStdout>,
    at: i64,
}

/// It is told again after so much.
const STEP_NS: i64 = 20 * 1_000_000_000;

impl Told {
    pub(crate) fn tell(&mut self, now: i64) {
        if now > self.at + STEP_NS {
            self.at = now;
            writeln!(self.stdin, "{now}").expect("the hub reads");
            self.said.read_line(&mut String::new()).expect("the hub says when its clock stands there");
        }
    }
}

pub(crate) fn start(now: i64, data: Arc<TempDir>, settings: &[(&str, &str)]) -> (Hub, Told) {
    let mut command = Command::new(std::env::current_exe().expect("Linux names the program"));
    command.arg(COMMAND).arg(now.to_string()).arg(data.path()).stdin(Stdio::piped());
    let mut hub = Hub::spawn(command, data, settings);
    let stdin = hub.process.stdin.take().expect("stdin is piped");
    let said = hub.stdout.take().expect("taken once");
    (hub, Told { stdin, said, at: now })
}

/// What the child does.
pub(crate) fn serve(now: &str, dir: &str) {
    let clock = Clock::manual(now.parse().expect("nanoseconds"));
    let flag = |flag, section, key, value: &str| Flag { flag, section, key, value: value.to_owned() };
    let flags = vec![flag("--data-dir", "data", "dir", dir), flag("--listen", "listen", "address", "127.0.0.1:0")];
    let config = Config::load(&Sources { file: None, variables: std::env::vars_os().collect(), flags }).expect("good settings");
    telltale::logging::start(config.logging);
    let told = clock.clone();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            told.set(line.parse().expect("nanoseconds"));
            println!("told");
        }
    });
    actix_web::rt::System::new().block_on(async {
        let mut terminate = signal(SignalKind::terminate()).expect("signals can be awaited");
        let app = App::build(config, clock).expect("the hub opens");
        println!("listening on {}", app.url());
        let stop = async move { terminate.recv().await.unwrap_or_default() };
        app.run(stop).await.expect("the hub ends well");
    });
}
