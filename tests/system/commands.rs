//! The commands as their users run them: exit codes, what goes to stdout, tokens and links from another process, TLS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

const PATIENCE: Duration = Duration::from_secs(30);

fn telltale(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_telltale"));
    command.args(arguments).arg("--data-dir").arg(data).env_clear();
    command
}

/// Exit code, stdout and stderr of a command that ends by itself.
fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code().expect("it was not killed"), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A running `serve`. Killed when dropped.
struct Served {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    url: String,
}

impl Served {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("the hub ended before it listened").unwrap();
        let url = first.strip_prefix("listening on ").expect(&first).to_owned();
        Self { child, lines, url }
    }

    fn on(data: &Path) -> Self {
        Self::start(telltale(data, &["serve", "--listen", "127.0.0.1:0"]))
    }

    fn login_line(&mut self) -> String {
        self.lines.next().expect("a login link").unwrap()
    }

    fn authority(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    fn get(&self, path: &str, header: &str) -> String {
        exchange(TcpStream::connect(self.authority()).unwrap(), "GET", path, header, "")
    }

    fn post(&self, path: &str, header: &str, body: &str) -> String {
        exchange(TcpStream::connect(self.authority()).unwrap(), "POST", path, header, body)
    }

    /// SIGTERM, and the exit code.
    fn stop(mut self) -> i32 {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap().code().expect("it ended by itself")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Already gone after `stop`; an error says just that.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// One request; the whole answer as text. HTTP/1.0 ends with the connection.
fn exchange(mut stream: impl Read + Write, method: &str, path: &str, header: &str, body: &str) -> String {
    let length = body.len();
    let header = if header.is_empty() { "Accept: */*" } else { header };
    let request =
        format!("{method} {path} HTTP/1.0\r\n{header}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
    // A TLS peer may close without saying so, or before it has read all; what came is what counts.
    drop(stream.write_all(request.as_bytes()));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8(answer).unwrap()
}

#[track_caller]
fn eventually(within: Duration, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < within, "not within {within:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_bad_setting_ends_with_64_before_anything_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let file = dir.path().join("hub.toml");
    std::fs::write(&file, "[log]\nkeep_fro = \"2h\"\n").unwrap();
    let file = file.to_str().unwrap();
    /// Arguments, variables, and what stderr says.
    type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);
    let rows: &[Row<'_>] = &[
        (&["serve", "--config", file], &[], "hub.toml:2: [log] keep_fro = \"2h\": unknown key; the nearest known one is keep_for"),
        (&["serve", "--config", "/no/such.toml"], &[], "/no/such.toml: cannot be read"),
        (&["serve", "--listen", "8080"], &[], "--listen: [listen] address = \"8080\": expected an IP address and a port"),
        (&["serve", "--listen", "0.0.0.0:0"], &[], "an address beyond loopback needs TLS"),
        (&["serve"], &[("TELLTALE_LOG__KEEP", "2h")], "TELLTALE_LOG__KEEP: the environment: unknown setting"),
        (&["serve"], &[("TELLTALE_LOG__KEEP_FOR", "2 h 3")], "TELLTALE_LOG__KEEP_FOR: [log] keep_for = \"2 h 3\": expected a duration"),
        (
            &["serve"],
            &[("TELLTALE_LISTEN__TLS_CERT", "/no/cert.pem"), ("TELLTALE_LISTEN__TLS_KEY", "/no/key.pem")],
            "[listen] tls_cert = \"/no/cert.pem\": cannot be read",
        ),
        (&["token", "create", "--role", "boss"], &[], "--role = \"boss\": expected agent, viewer or admin"),
        (
            &["token", "create", "--role", "viewer", "--select", "pump"],
            &[],
            "--select: selector `pump` has no `/` between device and metric",
        ),
        (&["token", "create", "--role", "viewer", "--select", ""], &[], "--select: selector `` has no `/`"),
        (&["token", "create", "--role", "viewer", "--devices", ""], &[], "--devices = \"\": expected a glob of device ids, such as pump-*"),
        (&["token", "create", "--role", "viewer", "--name", ""], &[], "--name = \"\": expected 1 to 256 bytes"),
        (&["serve", "--lisen", "x"], &[], "unexpected argument '--lisen'"),
    ];
    for (arguments, variables, message) in rows {
        let (code, stdout, stderr) = run(telltale(&data, arguments).envs(variables.iter().copied()));
        assert_eq!((code, stdout.as_str()), (64, ""), "{arguments:?} {variables:?}");
        assert!(stderr.contains(message), "{arguments:?}: {stderr}");
        assert!(!data.exists(), "{arguments:?} touched the data directory");
    }
}

#[test]
fn a_second_hub_on_the_same_directory_ends_with_75() {
    let dir = tempfile::tempdir().unwrap();
    let first = Served::on(dir.path());
    let (code, stdout, stderr) = run(&mut telltale(dir.path(), &["serve", "--listen", "127.0.0.1:0"]));
    assert_eq!((code, stdout.as_str()), (75, ""));
    assert!(stderr.contains(&format!("{} is in use", dir.path().display())), "{stderr}");
    assert!(first.get("/healthz", "").contains("200 OK"));
    assert_eq!(first.stop(), 0);
}

#[test]
fn a_catalog_of_a_newer_format_ends_with_78() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Served::on(dir.path()).stop(), 0);
    let catalog = rusqlite::Connection::open(dir.path().join("catalog.sqlite")).unwrap();
    catalog.pragma_update(None, "user_version", 999).unwrap();
    drop(catalog);
    let (code, _, stderr) = run(&mut telltale(dir.path(), &["serve", "--listen", "127.0.0.1:0"]));
    assert_eq!(code, 78, "{stderr}");
    assert!(stderr.contains("format 999"), "{stderr}");
}

#[test]
fn a_token_is_printed_alone_works_at_once_and_ends_within_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    // Before the first start, then while the hub runs.
    let early = run(&mut telltale(&data, &["token", "create", "--role", "admin"]));
    assert_eq!((early.0, early.2.as_str()), (0, ""));
    let hub = Served::on(&data);
    let (_, wall, _) = run(&mut telltale(&data, &["token", "create", "--role", "viewer", "--name", "wall", "--devices", "pump-*"]));
    let session = |token: &str| hub.get("/api/v1/session", &format!("Authorization: Bearer {}", token.trim()));
    assert!(session(&early.1).contains("\"role\":\"admin\""));
    assert!(session(&wall).ends_with("{\"role\":\"viewer\",\"name\":\"wall\"}"), "{}", session(&wall));

    let (_, list, _) = run(&mut telltale(&data, &["token", "list"]));
    assert!(list.lines().nth(2).unwrap().trim().starts_with("2  viewer"), "{list}");
    assert!(list.contains("--devices pump-*") && !list.contains(wall.trim()), "{list}");

    assert_eq!(run(&mut telltale(&data, &["token", "revoke", "2"])).0, 0);
    eventually(Duration::from_secs(1), || session(&wall).contains("\"unauthorized\""));
    assert!(session(&early.1).contains("\"role\":\"admin\""));
    let (code, _, stderr) = run(&mut telltale(&data, &["token", "revoke", "2"]));
    assert_eq!((code, stderr.as_str()), (1, "telltale: there is no token 2, or it was revoked before\n"));
}

#[test]
fn revoking_a_token_closes_its_sockets_with_4401_within_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Served::on(dir.path());
    for (id, role, path) in [("1", "agent", "/api/v1/ingest"), ("2", "viewer", "/api/v1/live")] {
        let (_, token, _) = run(&mut telltale(dir.path(), &["token", "create", "--role", role]));
        let mut socket = TcpStream::connect(hub.authority()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let upgrade =
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        write!(socket, "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n{upgrade}\r\n\r\n", hub.authority(), token.trim())
            .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");

        assert_eq!(run(&mut telltale(dir.path(), &["token", "revoke", id])).0, 0);
        let revoked = Instant::now();
        let code = close_code(&mut socket);
        assert_eq!(code, 4401, "{role}");
        assert!(revoked.elapsed() < Duration::from_secs(1), "{role}: {:?}", revoked.elapsed());
    }
}

/// An answer in chunks says where it ends. One that is broken off does not.
#[test]
fn revoking_a_token_breaks_off_its_answers() {
    const ROWS: usize = 200_000;
    let dir = tempfile::tempdir().unwrap();
    let hub = Served::on(dir.path());
    let (_, admin, _) = run(&mut telltale(dir.path(), &["token", "create", "--role", "admin"]));
    let (_, viewer, _) = run(&mut telltale(dir.path(), &["token", "create", "--role", "viewer"]));
    let bearer = |token: &str| format!("Authorization: Bearer {}", token.trim());
    let rows: String = (0..ROWS).map(|n| format!("d,m,{},{n}\n", 1_767_225_600_000_000_000 + n as i64 * 1_000_000_000)).collect();
    let stored = hub.post("/api/v1/import?format=csv", &bearer(&admin), &format!("device,metric,time,value\n{rows}"));
    assert!(stored.contains(&format!("\"stored\":{ROWS}")), "{stored}");
    let export = |token: &str| {
        let mut socket = TcpStream::connect(hub.authority()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let path = "/api/v1/export?select=*/*";
        write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{}\r\n\r\n", bearer(token)).unwrap();
        // From here on it waits for this side to read on.
        let mut begins = [0; 4096];
        socket.read_exact(&mut begins).unwrap();
        assert!(begins.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&begins));
        socket
    };
    let rest = |mut socket: TcpStream| {
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).map(|_| rest)
    };
    let whole = rest(export(&admin)).unwrap();
    assert!(whole.ends_with(b"\r\n0\r\n\r\n") && whole.len() > 5_000_000, "{} bytes", whole.len());

    let cut = export(&viewer);
    assert_eq!(run(&mut telltale(dir.path(), &["token", "revoke", "2"])).0, 0);
    eventually(Duration::from_secs(1), || hub.get("/api/v1/session", &bearer(&viewer)).contains("\"unauthorized\""));
    // A connection that is reset is broken as well.
    let came = rest(cut).unwrap_or_default();
    assert!(came.len() < whole.len() / 2 && !came.ends_with(b"\r\n0\r\n\r\n"), "{} of {} bytes", came.len(), whole.len());
}

/// Reads frames up to a close frame and gives its code. A server's frames are not masked, and these are short.
fn close_code(socket: &mut TcpStream) -> u16 {
    loop {
        let mut head = [0; 2];
        socket.read_exact(&mut head).unwrap();
        assert!(head[1] < 126, "a short frame");
        let mut payload = vec![0; head[1].into()];
        socket.read_exact(&mut payload).unwrap();
        if head[0] & 0x0f == 8 {
            return u16::from_be_bytes([payload[0], payload[1]]);
        }
    }
}

#[test]
fn a_login_link_is_printed_until_it_was_used_and_again_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, stderr) = run(&mut telltale(dir.path(), &["login"]));
    assert_eq!(code, 1);
    assert!(stderr.contains("no hub runs on"), "{stderr}");

    let mut hub = Served::on(dir.path());
    let line = hub.login_line();
    let link = line.strip_prefix("login: ").unwrap().to_owned();
    let (url, code) = link.split_once("/#login=").unwrap();
    assert_eq!(url, hub.url);
    let login = |code: &str| hub.post("/api/v1/login", "", &format!("{{\"code\":\"{code}\"}}"));
    let answer = login(code);
    assert!(answer.contains(" 204 ") && answer.contains("HttpOnly; SameSite=Strict; Path=/"), "{answer}");
    assert!(!answer.contains("Secure"), "not without TLS: {answer}");
    assert!(login(code).contains(" 401 "), "once");

    let (_, asked, _) = run(&mut telltale(dir.path(), &["login", "--role", "viewer"]));
    assert!(login(asked.trim().split_once("/#login=").unwrap().1).contains(" 204 "));
    let mode = std::fs::metadata(dir.path().join("hub.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // An admin has a session now, so a restart prints no link; and a socket left by a kill is no hindrance.
    drop(hub);
    let mut hub = Served::on(dir.path());
    assert_eq!(run(&mut telltale(dir.path(), &["login"])).0, 0);
    kill_process(Pid::from_child(&hub.child), Signal::TERM).unwrap();
    assert!(hub.lines.next().is_none(), "nothing else on stdout");
}

#[test]
fn a_directory_of_another_user_is_refused_with_the_way_to_run_it() {
    let dir = tempfile::tempdir().unwrap();
    let (foreign, owner) = if geteuid().is_root() {
        std::os::unix::fs::chown(dir.path(), Some(65534), None).unwrap();
        (dir.path(), "nobody")
    } else {
        (Path::new("/"), "root")
    };
    for arguments in [&["token", "list"][..], &["login"], &["serve", "--listen", "127.0.0.1:0"]] {
        let (code, _, stderr) = run(&mut telltale(foreign, arguments));
        assert_eq!(code, 1, "{arguments:?}");
        assert!(stderr.contains(&format!("belongs to {owner}: run this as `sudo -u {owner} telltale ...`")), "{stderr}");
    }
}

#[test]
fn tls_serves_https_and_a_secure_cookie() {
    let dir = tempfile::tempdir().unwrap();
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert_file, key_file) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert_file, cert.pem()).unwrap();
    std::fs::write(&key_file, signing_key.serialize_pem()).unwrap();
    let mut command = telltale(&dir.path().join("data"), &["serve", "--listen", "127.0.0.1:0"]);
    command.env("TELLTALE_LISTEN__TLS_CERT", cert_file).env("TELLTALE_LISTEN__TLS_KEY", key_file);
    let mut hub = Served::start(command);
    assert!(hub.url.starts_with("https://127.0.0.1:"), "{}", hub.url);

    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = Arc::new(config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth());
    let line = hub.login_line();
    let body = format!("{{\"code\":\"{}\"}}", line.split_once("#login=").unwrap().1);
    let stream = TcpStream::connect(hub.authority()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let client = rustls::ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
    let answer = exchange(rustls::StreamOwned::new(client, stream), "POST", "/api/v1/login", "", &body);
    assert!(answer.contains(" 204 ") && answer.contains("; Secure"), "{answer}");
    assert!(!hub.get("/healthz", "").contains("200 OK"), "plain HTTP is not served on this port");
    assert_eq!(hub.stop(), 0);
}

#[test]
fn a_hub_may_open_as_many_files_as_it_is_allowed() {
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn 256 && ulimit -Hn 3000 && exec \"$0\" serve --listen 127.0.0.1:0 --data-dir \"$1\""]);
    command.arg(env!("CARGO_BIN_EXE_telltale")).arg(data.path()).env_clear();
    let hub = Served::start(command);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", hub.child.id())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["3000", "3000"]);
    assert_eq!(hub.stop(), 0);
}

/// Nothing is needed for it: no hub, no data.
#[test]
fn the_document_of_rest_is_what_the_hub_serves() {
    let data = tempfile::tempdir().unwrap();
    let (code, printed, _) = run(Command::new(env!("CARGO_BIN_EXE_telltale")).arg("openapi").env_clear());
    assert_eq!(code, 0);
    let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let hub = Served::on(data.path());
    let answer = hub.get("/api/v1/openapi.json", "");
    let served: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert!(printed == served && printed["paths"]["/api/v1/history"].is_object());
}
