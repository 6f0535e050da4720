//! The program itself, started as a user starts it, against the SDK's fake hub.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

#[path = "../../sdk/tests/fake_hub/mod.rs"]
#[allow(dead_code, reason = "the SDK's tests use all of it")]
mod fake_hub;

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use fake_hub::{FakeHub, Mood};
use telltale_wire::Limits;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

const LONG: Duration = Duration::from_secs(60);

fn agent(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_telltale-agent"));
    command.args(args).current_dir(dir).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TELLTALE_AGENT__")) {
        command.env_remove(name);
    }
    command
}

/// Runs to the end with this on standard input.
async fn run(mut command: Command, input: &str) -> Output {
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    ended(child).await
}

async fn ended(child: Child) -> Output {
    tokio::time::timeout(LONG, child.wait_with_output()).await.expect("the agent ends").unwrap()
}

fn terminate(child: &Child) {
    let pid = rustix::process::Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn lines(numbers: std::ops::Range<i64>) -> String {
    numbers.map(|n| format!("{{\"device\":\"d\",\"metric\":\"m\",\"value\":{n},\"time\":{}}}\n", 1_700_000_000_000_000_000 + n)).collect()
}

#[tokio::test]
async fn lines_from_a_pipe_arrive_and_a_bad_one_is_named() {
    let hub = FakeHub::start(Limits::default(), || Mood::Ack).await;
    let dir = tempfile::tempdir().unwrap();
    let input = lines(0..2) + "{\"device\":\"d\",\"metric\":\"m\",\"valu\":1}\n" + &lines(2..5000);
    let output = run(agent(dir.path(), &["stdin", "--url", &hub.url()]), &input).await;
    let log = stderr(&output);
    assert!(output.status.success(), "{log}");
    assert!(log.contains("line 3: unknown_field: \"valu\"; the nearest known one is \"value\""), "{log}");
    assert_eq!(output.stdout, b"", "stdout is not the log's");
    assert_eq!(hub.books().stored.len(), 5000);
    let key = ("d".to_owned(), "m".to_owned(), Vec::new(), 1_700_000_000_000_004_999);
    assert_eq!(hub.books().stored[&key], "Int(4999)");
}

#[tokio::test]
async fn what_a_killed_agent_had_read_is_sent_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = agent(dir.path(), &["stdin", "--url", "ws://127.0.0.1:1", "--spool", "spool"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = lines(0..3000);
    stdin.write_all(input.as_bytes()).await.unwrap();
    stdin.flush().await.unwrap();
    // All is read when the spool has stopped growing at the size that 3,000 readings have.
    let spooled = || {
        let files = std::fs::read_dir(dir.path().join("spool")).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum::<u64>()
    };
    eventually("the spool", || spooled() > 3000 * 5).await;
    let mut before = 0;
    while spooled() != before {
        before = spooled();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    child.start_kill().unwrap(); // SIGKILL
    ended(child).await;

    let hub = FakeHub::start(Limits::default(), || Mood::Ack).await;
    let output = run(agent(dir.path(), &["stdin", "--url", &hub.url(), "--spool", "spool"]), "").await;
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(hub.books().stored.len(), 3000);
}

#[tokio::test]
async fn without_a_hub_the_readings_stay_and_the_exit_code_says_so() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("agent.toml"), "[stdin]\nwait = \"100ms\"\n[hub]\nurl = \"ws://127.0.0.1:1\"\n").unwrap();
    let output = run(agent(dir.path(), &["stdin", "--config", "agent.toml"]), &lines(0..10)).await;
    let log = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("unsent=10") && log.contains("connection refused"), "{log}");
}

#[tokio::test]
async fn the_host_is_reported_until_sigterm() {
    let hub = FakeHub::start(Limits::default(), || Mood::Ack).await;
    let dir = tempfile::tempdir().unwrap();
    let mut command = agent(dir.path(), &["run", "--url", &hub.url(), "--agent-id", "gw"]);
    command.env("TELLTALE_AGENT__HOST__EVERY", "100ms").env("TELLTALE_AGENT__HOST__DEVICE", "box");
    let child = command.spawn().unwrap();
    let count = |metric: &str| hub.books().stored.keys().filter(|key| key.0 == "box" && key.1 == metric).count();
    eventually("readings of the host", || count("mem.used") >= 3 && count("cpu.usage") >= 6).await;
    terminate(&child);
    let output = ended(child).await;
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("all is sent"), "{}", stderr(&output));
}

#[tokio::test]
async fn devices_are_made_up_beside_another_agent() {
    let hub = FakeHub::start(Limits::default(), || Mood::Ack).await;
    let dir = tempfile::tempdir().unwrap();
    let args = ["simulate", "--url", &hub.url(), "--devices", "7", "--every", "100ms", "--late", "0"];
    let child = agent(dir.path(), &args).spawn().unwrap();
    let devices = || hub.books().stored.keys().map(|key| key.0.clone()).collect::<std::collections::BTreeSet<_>>();
    eventually("seven devices", || devices().len() == 7).await;
    let second = run(agent(dir.path(), &args), "").await;
    assert_eq!(second.status.code(), Some(75), "the spool is in use");
    assert!(stderr(&second).contains("in use by another process"), "{}", stderr(&second));
    terminate(&child);
    assert!(ended(child).await.status.success());
    assert!(devices().contains("sim-7"));
}

#[tokio::test]
async fn wrong_settings_end_with_64_and_one_line() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.toml"), "[hub]\nurll = \"x\"\n").unwrap();
    let cases: [(&[&str], &str); 4] = [
        (&["run", "--config", "bad.toml"], "bad.toml:2: [hub] urll = \"x\": unknown key; the nearest known one is url"),
        (&["run", "--config", "none.toml"], "none.toml: cannot be read"),
        (&["simulate", "--devices", "many"], "--devices: [simulate] devices = \"many\": expected a whole number from 1 to 100000"),
        (&["run", "--url", "hub"], "--url: [hub] url = \"hub\": expected ws://HOST:PORT"),
    ];
    for (args, message) in cases {
        let output = run(agent(dir.path(), args), "").await;
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(stderr(&output).contains(message), "{args:?}: {}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1, "{args:?}");
    }
    assert_eq!(run(agent(dir.path(), &["fly"]), "").await.status.code(), Some(64));
    assert_eq!(run(agent(dir.path(), &["--help"]), "").await.status.code(), Some(0));
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "no file was touched: {left:?}");
}

#[tokio::test]
async fn check_says_what_works_and_names_what_does_not() {
    let hub = FakeHub::start(Limits::default(), || Mood::Ack).await;
    let dir = tempfile::tempdir().unwrap();
    let output = run(agent(dir.path(), &["check", "--url", &hub.url(), "--agent-id", "gw"]), "").await;
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(said.contains("agent \"gw\"") && said.contains("/api/v1/ingest: fake"), "{said}");
    assert!(said.contains("behind this machine's"), "the fake hub lives in 1970: {said}");

    let output = run(agent(dir.path(), &["check", "--url", "ws://127.0.0.1:1"]), "").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("connection refused"), "{}", stderr(&output));
    assert!(!dir.path().join("telltale-spool").exists(), "checking makes no spool");
}

#[tokio::test]
async fn the_token_is_in_no_log() {
    let hub = FakeHub::start(Limits::default(), || Mood::Ack).await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("token"), "tt_verysecret\n").unwrap();
    let args = ["stdin", "--url", &hub.url(), "--token-file", "token", "--log", "trace", "--log-format", "json"];
    let output = run(agent(dir.path(), &args), &lines(0..10)).await;
    let log = stderr(&output);
    assert!(output.status.success() && log.lines().all(|line| line.starts_with('{')), "{log}");
    assert!(log.contains("connected") && !log.contains("verysecret"), "{log}");
}
