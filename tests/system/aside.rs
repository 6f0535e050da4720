//! Directories in a bad state, and what the commands make of them: files that were set aside for damage, files of a newer program, and
//! directories that cannot be written.

use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::hub::Hub;
use crate::tools::{change, copy, readings, restored, run, send, store_file};

/// Two days of readings, and no hub.
async fn filled(dir: &Path) {
    let hub = Hub::start(dir);
    for day in 0..2 {
        send(&hub, day as u64, &readings(day)).await;
    }
    assert_eq!(hub.stop(), Some(0));
}

/// Files copied, and files there are.
fn copied(stdout: &str) -> (u64, u64) {
    let words: Vec<_> = stdout.lines().nth(1).unwrap().split(' ').collect();
    (words[0].parse().unwrap(), words[2].parse().unwrap())
}

#[tokio::test]
async fn a_backup_has_what_was_set_aside_for_damage() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let file = store_file(dir.path());
    // As the hub does, with a WAL that holds a part of it.
    change(&file, "PRAGMA wal_checkpoint(TRUNCATE)");
    let aside = file.with_extension("sqlite.damaged-1");
    std::fs::rename(&file, &aside).unwrap();
    for end in ["-wal", "-shm"] {
        drop(std::fs::remove_file(file.with_extension(format!("sqlite{end}"))));
    }
    let backup = dir.path().join("backup");
    let to = backup.to_str().unwrap();
    let hub = Hub::start(dir.path());
    assert_eq!(hub.history("*/*").len(), 1414, "it is read");
    let (code, stdout, stderr) = run(dir.path(), &["backup", to]);
    assert_eq!(code, 0, "{stderr}");
    let (all, files) = copied(&stdout);
    assert_eq!(all, files);
    let names: Vec<_> = std::fs::read_dir(backup.join("files")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().any(|name| name == "2026-01-01.raw.0.sqlite.damaged-1.000001"), "{names:?}");
    let (to_dir, said) = restored(dir.path(), to, &[]);
    assert!(said.starts_with("1414 readings"), "{said}");
    let copy = Hub::start(to_dir.path());
    assert_eq!(copy.history("*/*"), hub.history("*/*"));
    assert!(copy.get("/api/v1/status")["store"]["damaged"][0].as_str().unwrap().starts_with("2026-01-01.raw.0.sqlite.damaged-1: "));
    copy.kill();
    run(dir.path(), &["backup", to]);
    let (_, stdout, _) = run(dir.path(), &["backup", to]);
    let (again, files) = copied(&stdout);
    assert!(again < files, "it is not copied again: {stdout}");
    let names: Vec<_> = std::fs::read_dir(backup.join("files")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().any(|name| name == "2026-01-01.raw.0.sqlite.damaged-1.000001"), "{names:?}");
}

/// What is done to the bytes of a file.
type Spoil<'a> = &'a dyn Fn(&mut Vec<u8>);

#[tokio::test]
async fn a_backup_is_made_though_a_day_is_damaged() {
    let good = tempfile::tempdir().unwrap();
    filled(good.path()).await;
    let page = 4096;
    // The whole header; and what makes a page one, of all pages but the first.
    let spoil: [(&str, Spoil<'_>); 2] = [
        ("header", &|bytes| bytes[..100].fill(0xff)),
        ("pages", &|bytes| (page..bytes.len()).step_by(page).for_each(|at| bytes[at] = 0xff)),
    ];
    for (what, spoil) in spoil {
        let dir = tempfile::tempdir().unwrap();
        copy(good.path(), dir.path());
        let file = store_file(dir.path());
        change(&file, "PRAGMA wal_checkpoint(TRUNCATE)");
        let mut bytes = std::fs::read(&file).unwrap();
        spoil(&mut bytes);
        std::fs::write(&file, &bytes).unwrap();
        let backup = dir.path().join("backup");
        let hub = Hub::start(dir.path());
        let (code, _, stderr) = run(dir.path(), &["backup", backup.to_str().unwrap()]);
        assert_eq!(code, 0, "{what}: {stderr}");
        let (to, said) = restored(dir.path(), backup.to_str().unwrap(), &[]);
        assert!(said.starts_with("707 readings"), "{what}: {said}");
        let restored = std::fs::read(to.path().join("data/store/2026-01-01.raw.0.sqlite")).unwrap();
        assert_eq!(restored.len(), bytes.len(), "{what}: for whoever can read more of it");
        drop(hub);
    }
}

/// A command with a data directory on which nothing can be written: exit code, stdout and stderr.
fn run_unwritable(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let script = "mount --bind data data && mount -o remount,bind,ro data && exec \"$0\" \"$@\" --data-dir data";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_telltale")]);
    let output = command.args(arguments).current_dir(dir).env_clear().env("PATH", "/usr/bin:/bin").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().expect("it was not killed"), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn check_and_stats_look_where_nothing_can_be_written() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let written = (run(dir.path(), &["check"]), run(dir.path(), &["stats"]));
    let names = || {
        let entries = ["data", "data/store", "data/log"].map(|within| std::fs::read_dir(dir.path().join(within)).unwrap());
        let mut names: Vec<_> = entries.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names
    };
    let before = names();
    let (code, stdout, stderr) = run_unwritable(dir.path(), &["check"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert_eq!(stdout, written.0.1, "the same as where it can be written");
    let (code, stdout, stderr) = run_unwritable(dir.path(), &["stats"]);
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, written.1.1.as_str(), ""));
    assert_eq!(names(), before);
    // A hub cannot work there, and says what it could not do.
    let (code, _, stderr) = run_unwritable(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(code == 1 && stderr.contains("data/lock: Read-only file system"), "{code} {stderr}");
}

/// A change that is in the WAL alone, as a hub leaves it that is killed.
fn change_in_wal(path: &Path, sql: &str) {
    let db = Connection::open(path).unwrap();
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    db.execute_batch(sql).unwrap();
}

fn remove_indexes(dir: &Path) {
    let entries = ["data", "data/store"].map(|within| std::fs::read_dir(dir.join(within)).unwrap());
    let paths = entries.into_iter().flatten().map(|entry| entry.unwrap().path());
    let indexes: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|extension| extension == "sqlite-shm")).collect();
    assert!(!indexes.is_empty());
    indexes.iter().for_each(|path| std::fs::remove_file(path).unwrap());
}

#[tokio::test]
async fn what_is_in_wals_alone_is_read_where_nothing_can_be_written() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    change_in_wal(&store_file(dir.path()), "DELETE FROM blocks");
    change_in_wal(&dir.path().join("data/catalog.sqlite"), "UPDATE series SET device = 'renamed', sum = NULL WHERE device = 'fast'");
    for has_indexes in [true, false] {
        if !has_indexes {
            remove_indexes(dir.path());
        }
        let (code, stdout, stderr) = run_unwritable(dir.path(), &["check"]);
        assert_eq!((code, stderr.as_str()), (0, ""), "{has_indexes}: {stdout}");
        assert!(stdout.starts_with("1407 readings in 5 chunks of 3 files"), "{has_indexes}: {stdout}");
        let (code, stdout, stderr) = run_unwritable(dir.path(), &["stats"]);
        assert_eq!((code, stderr.as_str()), (0, ""), "{has_indexes}: {stdout}");
        assert!(stdout.starts_with("1407 readings of 3 series"), "{has_indexes}: {stdout}");
        assert!(stdout.contains("renamed/a") && !stdout.contains("fast/a"), "{has_indexes}: {stdout}");
        let (code, _, stderr) = run_unwritable(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
        assert!(code == 1 && stderr.contains("data/lock: Read-only file system"), "{code} {stderr}");
    }
}

#[tokio::test]
async fn what_a_killed_hub_left_is_looked_at_where_nothing_can_be_written() {
    let (dir, copied) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(dir.path()).await;
    let hub = Hub::start(dir.path());
    send(&hub, 9, &readings(2)).await;
    hub.kill();
    copy(dir.path(), copied.path());
    // Who may write moves the catalog's WAL into it, and ends a file that was being made: these are other sizes.
    let but_sizes = |(code, stdout, stderr): (i32, String, String)| {
        let lines = stdout.lines().filter(|line| !line.ends_with(" of catalog"));
        let lines: Vec<_> = lines
            .map(|line| line.rsplit_once(", ").filter(|(_, end)| end.ends_with(" bytes")).map_or(line, |(start, _)| start).to_owned())
            .collect();
        (code, lines, stderr)
    };
    let stats = but_sizes(run(copied.path(), &["stats"]));
    let check = but_sizes(run(copied.path(), &["check"]));
    assert_eq!((stats.0, check.0, check.1[1].as_str()), (0, 0, "nothing is damaged"));
    for has_indexes in [true, false] {
        if !has_indexes {
            remove_indexes(dir.path());
        }
        assert_eq!(but_sizes(run_unwritable(dir.path(), &["check"])), check, "{has_indexes}");
        assert_eq!(but_sizes(run_unwritable(dir.path(), &["stats"])), stats, "{has_indexes}");
    }
    // A file that a kill left while it was made.
    std::fs::write(dir.path().join("data/store/2026-02-01.raw.0.sqlite"), "").unwrap();
    let (code, stdout, _) = run_unwritable(dir.path(), &["check"]);
    assert!(code == 0 && stdout.ends_with("nothing is damaged\n"), "{stdout}");
    // Nothing of it was changed, so a hub that may write has all.
    let hub = Hub::start(dir.path());
    assert_eq!(hub.history("*/*").len(), 3 * 707);
    hub.kill();
}

#[tokio::test]
async fn check_and_stats_name_the_file_of_a_newer_program_and_leave_it_alone() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let file = store_file(dir.path());
    change(&file, "PRAGMA user_version = 2; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = delete");
    let before = std::fs::read(&file).unwrap();
    for command in ["check", "stats"] {
        let (code, stdout, stderr) = run(dir.path(), &[command]);
        let expected = "2026-01-01.raw.0.sqlite: format 2 is newer than this program knows (1): use a newer telltale\n";
        assert!(code == 78 && stderr.ends_with(expected) && stdout.is_empty(), "{command}: {code} {stderr}{stdout}");
        assert_eq!(std::fs::read(&file).unwrap(), before, "{command}");
    }
}
