//! The watched directory and what is done to it. Each method stands for one call of the program; a call on anything outside goes
//! straight through.
//!
//! Invariant: a call, its number and its place in the record are one step, under one lock within the program and one (flock) on the
//! record. Who holds the record may kill the program: no call is then done and not recorded.

use std::ffi::{CStr, CString};
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libc::{c_int, c_long};

use crate::event::Event;
use crate::plan::{Fate, Op, Plan, Slow};
use crate::raw;

#[derive(Debug)]
pub(crate) struct Shim {
    /// Without a slash at its end.
    dir: String,
    slow: Option<Slow>,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) plan: Plan,
    record: Option<c_int>,
    number: u64,
}

/// Both locks.
#[derive(Debug)]
pub(crate) struct Held<'a>(MutexGuard<'a, State>);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.record.inspect(|fd| raw::flock(*fd, libc::LOCK_UN));
    }
}

impl Deref for Held<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.0
    }
}

impl Shim {
    pub(crate) fn new(dir: &str, record: Option<&str>, plan: Plan, slow: Option<Slow>) -> Self {
        let record = record.map(|path| {
            let name = CString::new(path).expect("a path from the environment has no zero");
            let fd = raw::openat(libc::AT_FDCWD, &name, libc::O_CREAT | libc::O_WRONLY | libc::O_APPEND | libc::O_CLOEXEC, 0o600);
            assert!(fd >= 0, "TELLTALE_SHIM_RECORD={path} cannot be written");
            c_int::try_from(fd).expect("a descriptor is an int")
        });
        Self { dir: dir.trim_end_matches('/').to_owned(), slow, state: Mutex::new(State { plan, record, number: 0 }) }
    }

    pub(crate) fn state(&self) -> Held<'_> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.record.inspect(|fd| raw::flock(*fd, libc::LOCK_EX));
        Held(state)
    }

    /// The path below the watched directory; None outside of it.
    fn below(&self, path: &str) -> Option<String> {
        let rest = path.strip_prefix(&self.dir)?;
        if rest.is_empty() { Some(String::new()) } else { rest.strip_prefix('/').map(str::to_owned) }
    }

    fn name(&self, dir: c_int, path: &CStr) -> Option<String> {
        let path = path.to_str().ok()?;
        if path.starts_with('/') {
            return self.below(path);
        }
        self.below(&format!("{}/{}", raw::path_of(dir)?, path.trim_start_matches("./")))
    }

    /// A regular file or directory of ours: its inode, its path, whether it is a directory.
    fn file(&self, fd: c_int) -> Option<(u64, String, bool)> {
        let path = self.below(&raw::path_of(fd)?)?;
        let stat = raw::stat(fd)?;
        match stat.st_mode & libc::S_IFMT {
            libc::S_IFREG => Some((stat.st_ino, path, false)),
            libc::S_IFDIR => Some((stat.st_ino, path, true)),
            _ => None,
        }
    }

    pub(crate) fn open(&self, dir: c_int, path: &CStr, flags: c_int, mode: libc::mode_t) -> c_long {
        let real = || raw::openat(dir, path, flags, mode);
        if flags & (libc::O_CREAT | libc::O_TRUNC) == 0 {
            return real();
        }
        let Some(name) = self.name(dir, path) else { return real() };
        let mut state = self.state();
        let is_new = !raw::exists(dir, path);
        if is_new && let Fate::Fail(errno) = state.plan.next(Op::Create, &name) {
            return raw::fail(errno);
        }
        let fd = real();
        let inode = c_int::try_from(fd).ok().and_then(|fd| self.file(fd)).map(|(inode, ..)| inode);
        match inode {
            Some(inode) if is_new => state.note(&Event::Create { inode, path: name }),
            Some(inode) if flags & libc::O_TRUNC != 0 => state.note(&Event::SetLen { inode, path: name, len: 0 }),
            _ => {}
        }
        fd
    }

    /// `offset`: None writes where the file stands.
    pub(crate) fn write(&self, fd: c_int, bytes: &[u8], offset: Option<i64>) -> c_long {
        let real = |bytes: &[u8]| match offset {
            Some(offset) => raw::pwrite(fd, bytes, offset),
            None => raw::write(fd, bytes),
        };
        let Some((inode, path, false)) = self.file(fd) else { return real(bytes) };
        let mut state = self.state();
        let bytes = match state.plan.next(Op::Write, &path) {
            Fate::Fail(errno) => return raw::fail(errno),
            Fate::Short => &bytes[..bytes.len().div_ceil(2)],
            Fate::Real | Fate::Skip => bytes,
        };
        let at = offset.map_or_else(|| raw::place(fd), |offset| u64::try_from(offset).unwrap_or(0));
        let written = real(bytes);
        if let Ok(len) = usize::try_from(written) {
            state.note(&Event::Write { inode, path, offset: at, bytes: bytes[..len].to_vec() });
        }
        written
    }

    pub(crate) fn truncate(&self, fd: c_int, len: i64) -> c_long {
        let event = |inode, path| Event::SetLen { inode, path, len: u64::try_from(len).unwrap_or(0) };
        self.on_file(Op::Truncate, fd, || raw::ftruncate(fd, len), event)
    }

    pub(crate) fn allocate(&self, fd: c_int, mode: c_int, offset: i64, len: i64) -> c_long {
        let end = u64::try_from(offset.saturating_add(len)).unwrap_or(0);
        self.on_file(Op::Allocate, fd, || raw::fallocate(fd, mode, offset, len), |inode, path| Event::Allocate { inode, path, len: end })
    }

    pub(crate) fn sync(&self, op: Op, fd: c_int) -> c_long {
        let real = || if op == Op::Fdatasync { raw::fdatasync(fd) } else { raw::fsync(fd) };
        let file = self.file(fd);
        let is_dir = file.as_ref().is_some_and(|(.., is_dir)| *is_dir);
        // Outside of the locks: others go on meanwhile.
        if let Some((slow, (_, path, _))) = self.slow.as_ref().zip(file)
            && slow.meets(op, &path)
        {
            std::thread::sleep(Duration::from_secs(slow.seconds));
        }
        let event = |inode, path| if is_dir { Event::SyncDir { path } } else { Event::Sync { inode, path } };
        self.on_file(op, fd, real, event)
    }

    pub(crate) fn rename(&self, from: (c_int, &CStr), to: (c_int, &CStr), flags: u32) -> c_long {
        let names = self.name(from.0, from.1).zip(self.name(to.0, to.1));
        let event = names.map(|(from, to)| Event::Rename { from, to });
        self.on_entry(Op::Rename, event, || raw::renameat2(from.0, from.1, to.0, to.1, flags))
    }

    pub(crate) fn unlink(&self, dir: c_int, path: &CStr, flags: c_int) -> c_long {
        let event = self.name(dir, path).map(|path| Event::Unlink { path });
        self.on_entry(Op::Unlink, event, || raw::unlinkat(dir, path, flags))
    }

    pub(crate) fn mkdir(&self, dir: c_int, path: &CStr, mode: libc::mode_t) -> c_long {
        let event = self.name(dir, path).map(|path| Event::Mkdir { path });
        self.on_entry(Op::Mkdir, event, || raw::mkdirat(dir, path, mode))
    }

    pub(crate) fn link(&self, from: (c_int, &CStr), to: (c_int, &CStr), flags: c_int) -> c_long {
        let names = self.name(from.0, from.1).zip(self.name(to.0, to.1));
        let event = names.map(|(from, to)| Event::Link { from, to });
        self.on_entry(Op::Link, event, || raw::linkat(from.0, from.1, to.0, to.1, flags))
    }

    fn on_file(&self, op: Op, fd: c_int, real: impl FnOnce() -> c_long, event: impl FnOnce(u64, String) -> Event) -> c_long {
        let event = self.file(fd).map(|(inode, path, _)| event(inode, path));
        self.on_entry(op, event, real)
    }

    fn on_entry(&self, op: Op, event: Option<Event>, real: impl FnOnce() -> c_long) -> c_long {
        let Some(event) = event else { return real() };
        let mut state = self.state();
        match state.plan.next(op, event.path()) {
            Fate::Fail(errno) => {
                if let Event::Sync { inode, path } = event {
                    state.note(&Event::SyncFailed { inode, path });
                }
                return raw::fail(errno);
            }
            Fate::Skip => return 0,
            Fate::Real | Fate::Short => {}
        }
        let result = real();
        if result >= 0 {
            state.note(&event);
        }
        result
    }
}

impl State {
    /// One write for each event: whoever looks at the record finds whole events.
    fn note(&mut self, event: &Event) {
        let Some(fd) = self.record else { return };
        let errno = raw::errno();
        let bytes = event.encode(self.number);
        self.number += 1;
        let written = raw::write(fd, &bytes);
        assert_eq!(usize::try_from(written), Ok(bytes.len()), "the record takes no more");
        raw::fail(errno);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::fd::AsRawFd;

    use super::*;

    struct Row {
        _dir: tempfile::TempDir,
        path: String,
        shim: Shim,
    }

    fn row(fail: Option<&str>, skip: Option<&str>) -> Row {
        let dir = tempfile::tempdir().unwrap();
        let path = fs::canonicalize(dir.path()).unwrap().to_str().unwrap().to_owned();
        fs::create_dir(format!("{path}/data")).unwrap();
        let shim = Shim::new(&format!("{path}/data/"), Some(&format!("{path}/record")), Plan::new(fail, skip), None);
        Row { _dir: dir, path, shim }
    }

    fn c(path: &str) -> CString {
        CString::new(path).unwrap()
    }

    impl Row {
        fn create(&self, name: &str) -> c_int {
            let fd = self.shim.open(libc::AT_FDCWD, &c(&format!("{}/{name}", self.path)), libc::O_CREAT | libc::O_RDWR, 0o600);
            c_int::try_from(fd).unwrap()
        }

        fn events(&self) -> Vec<Event> {
            let bytes = fs::read(format!("{}/record", self.path)).unwrap();
            let (mut at, mut events) = (0, Vec::new());
            while let Some((event, took)) = Event::decode(&bytes[at..]) {
                events.push(event);
                at += took;
            }
            assert_eq!(at, bytes.len());
            events
        }
    }

    #[test]
    fn calls_below_the_directory_are_recorded_in_order() {
        let row = row(None, None);
        let fd = row.create("data/a");
        let outside = row.create("b");
        row.shim.write(outside, b"not ours", None);
        assert_eq!(row.shim.write(fd, b"one", None), 3);
        assert_eq!(row.shim.write(fd, b"two", None), 3);
        assert_eq!(row.shim.write(fd, b"three", Some(10)), 5);
        row.shim.truncate(fd, 4);
        row.shim.sync(Op::Fdatasync, fd);
        let at = |name: &str| c(&format!("{}/data/{name}", row.path));
        row.shim.rename((libc::AT_FDCWD, &at("a")), (libc::AT_FDCWD, &at("c")), 0);
        row.shim.sync(Op::Fsync, File::open(format!("{}/data", row.path)).unwrap().as_raw_fd());
        row.shim.unlink(libc::AT_FDCWD, &at("c"), 0);
        row.shim.write(fd, b"x", Some(0));
        let inode = raw::stat(fd).unwrap().st_ino;
        let path = || "a".to_owned();
        let write = |offset, bytes: &[u8]| Event::Write { inode, path: path(), offset, bytes: bytes.to_vec() };
        let expected = [
            Event::Create { inode, path: path() },
            write(0, b"one"),
            write(3, b"two"),
            write(10, b"three"),
            Event::SetLen { inode, path: path(), len: 4 },
            Event::Sync { inode, path: path() },
            Event::Rename { from: path(), to: "c".to_owned() },
            Event::SyncDir { path: String::new() },
            Event::Unlink { path: "c".to_owned() },
            Event::Write { inode, path: "c".to_owned(), offset: 0, bytes: b"x".to_vec() },
        ];
        assert_eq!(row.events(), expected);
    }

    #[test]
    fn a_call_that_failed_or_was_left_out_is_not_in_the_record() {
        let row = row(Some("nth=2,op=write,errno=ENOSPC,times=2,short=1"), Some("fsync"));
        let fd = row.create("data/a");
        let results: Vec<_> = (0..4).map(|_| row.shim.write(fd, b"abcd", None)).collect();
        assert_eq!(results, [4, 2, -1, 4]);
        assert_eq!(raw::errno(), libc::ENOSPC);
        assert_eq!((row.shim.sync(Op::Fsync, fd), row.shim.sync(Op::Fdatasync, fd)), (0, 0));
        let syncs = row.events().iter().filter(|event| matches!(event, Event::Sync { .. })).count();
        assert_eq!((syncs, row.events().len()), (1, 1 + 3 + 1));
        assert_eq!(fs::read(format!("{}/data/a", row.path)).unwrap(), b"abcdababcd");
    }

    #[test]
    fn a_sync_that_failed_says_so() {
        let row = row(Some("nth=1,op=fdatasync,errno=EIO"), None);
        let fd = row.create("data/a");
        assert_eq!((row.shim.sync(Op::Fdatasync, fd), raw::errno()), (-1, libc::EIO));
        assert!(matches!(row.events()[1], Event::SyncFailed { .. }));
    }
}
