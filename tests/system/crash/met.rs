//! What kills met: seals, merges, backups and starts that were under way, told by what they left. It is looked at in copies, since SQLite
//! would tidy up what it opens.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rusqlite::Connection;

use crate::tools::{restored, run};

#[derive(Debug)]
pub(super) struct Met {
    dir: PathBuf,
    /// Runs in which something was sealed until the kill, and kills between the first note of a seal and the catalog.
    seals: u64,
    cut_off: u64,
    sealed: i64,
    /// Runs in which days were merged until the kill.
    merges: u64,
    merged_up_to: Vec<i64>,
    /// Backups whose hub went away.
    backups: u64,
    /// Hubs that were killed before they listened, and soon after.
    starts: (u64, u64),
}

impl Met {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), seals: 0, cut_off: 0, sealed: 0, merges: 0, merged_up_to: Vec::new(), backups: 0, starts: (0, 0) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_telltale"));
        command.args(arguments).arg("--data-dir").arg(self.dir.join("data")).env_clear().stderr(Stdio::null());
        command
    }

    /// A hub that is killed after so long, started or not.
    pub(super) fn start(&mut self, after: Duration) {
        let config = self.dir.join("hub.toml");
        let mut serve = self.command(&["serve", "--listen", "127.0.0.1:0", "--config", config.to_str().unwrap()]);
        let mut hub = serve.stdout(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(after);
        hub.kill().unwrap();
        let said = hub.wait_with_output().unwrap().stdout;
        *(if said.is_empty() { &mut self.starts.0 } else { &mut self.starts.1 }) += 1;
    }

    /// Into one directory, so that the next one goes on where it was cut off. Returns when its first file is there, or it ended.
    pub(super) async fn begin_backup(&self) -> Child {
        let files = self.backup().join("files");
        let names = || std::fs::read_dir(&files).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect::<Vec<_>>();
        let before = names();
        let mut backup = self.command(&["backup", self.backup().to_str().unwrap()]).stdout(Stdio::null()).spawn().unwrap();
        while names() == before && backup.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        backup
    }

    fn backup(&self) -> PathBuf {
        self.dir.join("backup")
    }

    /// After a kill.
    pub(super) fn look(&mut self, backup: Option<Child>, when: &str) {
        if let Some(mut backup) = backup {
            // Without its hub the command does it alone, if it had not begun to ask.
            self.backups += u64::from(!backup.wait().unwrap().success());
            if self.backup().join("backup.json").exists() {
                let (to, _) = restored(&self.dir, self.backup().to_str().unwrap(), &[]);
                assert_eq!(run(to.path(), &["check"]).0, 0, "{when}: a backup that was left is whole");
            }
        }
        let copy = tempfile::tempdir().unwrap();
        let store = self.dir.join("data/store");
        let sealed = ask(&self.dir.join("data/catalog.sqlite"), copy.path(), "SELECT up_to FROM sealed");
        let begun = ask(&store.join("state.sqlite"), copy.path(), "SELECT coalesce(max(up_to), 0) FROM seals");
        self.cut_off += u64::from(begun > sealed);
        self.seals += u64::from(sealed > self.sealed);
        self.sealed = sealed;
        let files = std::fs::read_dir(&store).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut raw: Vec<_> = files.filter(|path| path.to_str().unwrap().ends_with(".raw.0.sqlite")).collect();
        raw.sort();
        let merged: Vec<_> = raw.iter().map(|path| ask(path, copy.path(), "SELECT up_to FROM merged")).collect();
        self.merges += u64::from(merged.iter().sum::<i64>() > self.merged_up_to.iter().sum());
        self.merged_up_to = merged;
    }

    pub(super) fn has_everything(&self, runs: u64) {
        let met = [self.seals, self.merges, self.backups, self.starts.0];
        assert!(runs < 50 || met.iter().all(|times| *times > 0), "of each there was some: {self:?}");
    }
}

/// A number from a copy of a database. 0: it is not there, or not whole yet.
fn ask(path: &Path, copies: &Path, sql: &str) -> i64 {
    let copy = copies.join(path.file_name().unwrap());
    for end in ["", "-wal"] {
        drop(std::fs::copy(format!("{}{end}", path.display()), format!("{}{end}", copy.display())));
    }
    Connection::open(copy).and_then(|db| db.query_row(sql, [], |row| row.get(0))).unwrap_or(0)
}
