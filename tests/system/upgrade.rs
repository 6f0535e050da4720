//! The first version's data directory, as files in `format_1`: what is in it is there with today's program, to the last byte of
//! an export, is sound, goes on, and survives a backup and a restore. Its catalog has format 2, its store and its log format 1, with the
//! tables that they had then.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::hub::Hub;
use crate::tools::{readings, restored, run, send};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/system/format_1")
}

/// SQL becomes databases, digits become bytes.
fn lay_out(dir: &Path) {
    for within in ["", "store", "log"] {
        let to = dir.join("data").join(within);
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(golden().join(within)).unwrap().map(|entry| entry.unwrap().path()) {
            let (Some(name), Some(kind)) = (entry.file_stem(), entry.extension()) else { continue };
            let text = || std::fs::read_to_string(&entry).unwrap();
            match kind.to_str().unwrap() {
                "sql" => Connection::open(to.join(name)).unwrap().execute_batch(&text()).unwrap(),
                "hex" => std::fs::write(to.join(name), bytes(&text())).unwrap(),
                _ => {}
            }
        }
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}

/// Lines and checksum of all there is.
fn exported(dir: &Path) -> String {
    let (code, stdout, stderr) =
        run(dir, &["export", "--select", "*/*", "--from", "0s", "--to", "2026-02-01T00:00:00Z", "--format", "ndjson"]);
    assert_eq!(code, 0, "{stderr}");
    format!("{} lines, crc32c {:08x}\n", stdout.lines().count(), crc32c::crc32c(stdout.as_bytes()))
}

#[tokio::test]
async fn a_data_directory_of_the_first_version_goes_on() {
    let expected = std::fs::read_to_string(golden().join("expected")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    lay_out(dir.path());
    let (code, stdout, stderr) = run(dir.path(), &["check"]);
    assert_eq!(code, 0, "as it is: {stdout}{stderr}");
    let hub = Hub::start(dir.path());
    assert_eq!(exported(dir.path()), expected);
    let deleted = hub.get("/api/v1/history?select=meter/power.value&from=2026-01-01T06:00:00Z&to=2026-01-01T07:00:00Z&agg=count");
    assert_eq!(deleted["series"][0]["points"], serde_json::json!([]), "a delete that was not sealed holds");
    assert_eq!(hub.get("/api/v1/status")["recovered"]["epoch_changed"], false, "cursors are good");
    send(&hub, 1, &readings(40)).await;
    assert_eq!(hub.stop(), Some(0));
    let (code, stdout, stderr) = run(dir.path(), &["check"]);
    assert_eq!(code, 0, "upgraded: {stdout}{stderr}");
    let hub = Hub::start(dir.path());
    assert_eq!(exported(dir.path()), expected);
    let backup = dir.path().join("backup");
    let (code, _, stderr) = run(dir.path(), &["backup", backup.to_str().unwrap()]);
    assert_eq!(code, 0, "{stderr}");
    let (to, _) = restored(dir.path(), backup.to_str().unwrap(), &[]);
    assert_eq!(exported(to.path()), expected);
    drop(hub);
}
