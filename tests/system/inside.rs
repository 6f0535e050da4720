//! A small disk for one program: a file system of its own in a mount namespace of its own, which nothing outside sees. Needs root or
//! user namespaces.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Lasts as long as this does, whatever runs on it.
pub struct SmallDisk {
    holder: Child,
    pub at: PathBuf,
}

impl SmallDisk {
    pub fn make(at: &Path, megabytes: u32) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let script = format!("mount -t tmpfs -o size={megabytes}m tmpfs \"$0\" && : >\"$0/there\" && exec sleep infinity");
        let mut command = Command::new("unshare");
        command.arg("--mount");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        let holder = command.args(["sh", "-c", &script]).arg(at).stdin(Stdio::null()).spawn().expect("unshare of util-linux is there");
        let mut disk = Self { holder, at: at.to_owned() };
        let deadline = Instant::now() + Duration::from_secs(10);
        while !disk.run("test", &["-e", "there"]) {
            assert!(
                disk.holder.try_wait().unwrap().is_none(),
                "no mount namespace can be made here: run as root, or allow user namespaces"
            );
            assert!(Instant::now() < deadline, "the small disk is not there");
            std::thread::sleep(Duration::from_millis(10));
        }
        disk
    }

    /// A command that sees the disk; its pid is that of the program.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.holder.id().to_string()]);
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").arg(program);
        command
    }

    fn run(&self, program: &str, args: &[&str]) -> bool {
        let (last, first) = args.split_last().unwrap();
        let mut command = self.command(Path::new(program));
        command.args(first).arg(self.at.join(last)).stderr(Stdio::null());
        command.status().unwrap().success()
    }

    /// Until not a byte more fits.
    pub fn fill(&self) {
        let filler = format!("of={}", self.at.join("filler").display());
        let mut command = self.command(Path::new("dd"));
        let full = command.args(["if=/dev/zero", "bs=4k", &filler]).stderr(Stdio::null()).status().unwrap();
        assert!(!full.success(), "dd ends when the disk is full");
    }

    pub fn free(&self) {
        assert!(self.run("rm", &["filler"]));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The file system goes with the last process that sees it.
        let _ended = self.holder.kill();
        let _reaped = self.holder.wait();
    }
}
