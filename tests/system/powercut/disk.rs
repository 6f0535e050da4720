//! What a disk holds for sure, and what it may hold: the model of a power cut.
//!
//! A file's bytes are durable as of its last sync. Of what was done to it since, any part may be lost, also a part of one write, in
//! blocks of 512 bytes or 4 KiB; its length may have grown without its bytes. An entry of a directory (a name made, moved or removed)
//! is durable when the directory is synced, whatever was synced of the file; until then it is there or not, but never half.
//! This is harsher than ext4, where a file's sync brings its entry too, and entries change in order.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use super::event::Event;

#[cfg(test)]
mod tests;

#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    files: Vec<File>,
    inodes: HashMap<u64, usize>,
    /// Names as the hub sees them.
    live: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    pending: Vec<Entry>,
    done: usize,
    /// Linux takes pages for clean whose write failed, so no later sync writes them. Or the failure passed, and it does.
    pub(super) drops_what_failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Dir,
    File(usize),
}

#[derive(Clone, Debug, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Arc<[u8]> },
    SetLen(usize),
    Grow(usize),
}

#[derive(Clone, Debug)]
enum Entry {
    Put { path: String, node: Node },
    Remove { path: String },
    Move { from: String, to: String, node: Node },
}

/// How much of what was not synced a cut leaves.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Nothing,
    All,
    /// The first so many, and a part of the next.
    Prefix,
    Some,
}

/// The files of one state.
#[derive(Debug)]
pub(super) struct State(BTreeMap<String, Option<Vec<u8>>>);

impl Disk {
    /// A directory as it is, all of it durable.
    pub(super) fn of(dir: &Path) -> Self {
        let mut disk = Self::default();
        disk.take(dir, "");
        disk
    }

    fn take(&mut self, dir: &Path, name: &str) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let path = join(name, entry.file_name().to_str().unwrap());
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                self.live.insert(path.clone(), Node::Dir);
                self.take(&entry.path(), &path);
            } else if meta.is_file() {
                let node = self.add(meta.ino(), std::fs::read(entry.path()).unwrap());
                self.live.insert(path, node);
            }
        }
        self.durable.clone_from(&self.live);
    }

    fn add(&mut self, inode: u64, durable: Vec<u8>) -> Node {
        self.files.push(File { durable, pending: Vec::new() });
        self.inodes.insert(inode, self.files.len() - 1);
        Node::File(self.files.len() - 1)
    }

    /// Goes on to where `until` events have happened.
    pub(super) fn advance(&mut self, events: &[Event], until: usize) {
        for event in &events[self.done..until] {
            self.apply(event);
        }
        self.done = until;
    }

    fn apply(&mut self, event: &Event) {
        let size = |n: &u64| usize::try_from(*n).unwrap();
        match event {
            Event::Create { inode, path } => {
                let node = self.add(*inode, Vec::new());
                self.put(path, node);
            }
            Event::Write { inode, path, offset, bytes } => {
                self.file(*inode, path).pending.push(Change::Write { at: size(offset), bytes: bytes.as_slice().into() });
            }
            Event::SetLen { inode, path, len } => self.file(*inode, path).pending.push(Change::SetLen(size(len))),
            Event::Allocate { inode, path, len } => self.file(*inode, path).pending.push(Change::Grow(size(len))),
            Event::Sync { inode, path } => self.file(*inode, path).sync(),
            Event::SyncFailed { inode, path } => {
                let drops = self.drops_what_failed;
                let file = self.file(*inode, path);
                if drops {
                    file.pending.clear();
                }
            }
            Event::SyncDir { path } => self.sync_dir(path),
            Event::Mkdir { path } => self.put(path, Node::Dir),
            Event::Link { from, to } => {
                let node = self.live[from];
                self.put(to, node);
            }
            Event::Rename { from, to } => {
                // A name that was never seen is a socket.
                let Some(node) = self.live.remove(from) else { return };
                assert_ne!(node, Node::Dir, "directories are not renamed");
                self.live.insert(to.clone(), node);
                self.pending.push(Entry::Move { from: from.clone(), to: to.clone(), node });
            }
            Event::Unlink { path } => {
                if self.live.remove(path).is_some() {
                    self.pending.push(Entry::Remove { path: path.clone() });
                }
            }
        }
    }

    fn put(&mut self, path: &str, node: Node) {
        self.live.insert(path.to_owned(), node);
        self.pending.push(Entry::Put { path: path.to_owned(), node });
    }

    fn file(&mut self, inode: u64, path: &str) -> &mut File {
        let index = *self.inodes.get(&inode).unwrap_or_else(|| panic!("{path} was made by a call that the shim did not see"));
        &mut self.files[index]
    }

    fn sync_dir(&mut self, dir: &str) {
        let (synced, pending) = std::mem::take(&mut self.pending).into_iter().partition(|entry: &Entry| entry.dir() == dir);
        self.pending = pending;
        synced.iter().for_each(|entry: &Entry| entry.apply(&mut self.durable));
    }

    /// One of the states that a cut now could leave.
    pub(super) fn after_a_cut(&self, rng: &mut fastrand::Rng) -> State {
        // Of a third of the states all that was not synced is lost; that alone shows a missing sync.
        let all = match rng.u8(0..6) {
            0 | 1 => Some(Mood::Nothing),
            2 => Some(Mood::All),
            _ => None,
        };
        let mut names = self.durable.clone();
        let mood = all.unwrap_or_else(|| Mood::any(rng));
        let kept = rng.usize(..=self.pending.len());
        for (i, entry) in self.pending.iter().enumerate() {
            if mood.keeps(i, kept, rng) {
                entry.apply(&mut names);
            }
        }
        let mut state = BTreeMap::new();
        for (path, node) in names {
            let has_parent = parent(&path).is_empty() || state.contains_key(parent(&path));
            match node {
                _ if !has_parent || path.ends_with("-shm") => {}
                Node::Dir => drop(state.insert(path, None)),
                Node::File(file) => {
                    let mood = all.unwrap_or_else(|| Mood::any(rng));
                    state.insert(path, Some(self.files[file].after_a_cut(mood, rng)));
                }
            }
        }
        State(state)
    }
}

impl Mood {
    fn any(rng: &mut fastrand::Rng) -> Self {
        [Self::Nothing, Self::All, Self::Prefix, Self::Some][rng.usize(..4)]
    }

    fn keeps(self, i: usize, kept: usize, rng: &mut fastrand::Rng) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Prefix => i < kept,
            Self::Some => rng.bool(),
        }
    }
}

impl Entry {
    fn dir(&self) -> &str {
        match self {
            Self::Put { path, .. } | Self::Remove { path } | Self::Move { to: path, .. } => parent(path),
        }
    }

    fn apply(&self, names: &mut BTreeMap<String, Node>) {
        match self {
            Self::Put { path, node } => drop(names.insert(path.clone(), *node)),
            Self::Remove { path } => drop(names.remove(path)),
            Self::Move { from, to, node } => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
        }
    }
}

impl File {
    fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            change.apply(&mut self.durable);
        }
    }

    fn after_a_cut(&self, mood: Mood, rng: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let kept = rng.usize(..=self.pending.len());
        for (i, change) in self.pending.iter().enumerate() {
            let torn = match mood {
                Mood::Prefix => i == kept,
                Mood::Some => rng.u8(0..3) == 0,
                Mood::Nothing | Mood::All => false,
            };
            if torn {
                change.tear(&mut bytes, rng);
            } else if mood.keeps(i, kept, rng) {
                change.apply(&mut bytes);
            }
        }
        bytes
    }
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => overwrite(file, *at, bytes),
            Self::SetLen(len) => file.resize(*len, 0),
            Self::Grow(len) => file.resize(file.len().max(*len), 0),
        }
    }

    /// Some blocks of a write, or the first so many; a length changes or not.
    fn tear(&self, file: &mut Vec<u8>, rng: &mut fastrand::Rng) {
        let Self::Write { at, bytes } = self else {
            if rng.bool() {
                self.apply(file);
            }
            return;
        };
        let block = [512, 4096][rng.usize(..2)];
        let (end, in_order) = (at + bytes.len(), rng.bool());
        let stop = rng.usize(*at..=end);
        if rng.bool() {
            file.resize(file.len().max(end), 0);
        }
        let mut from = *at;
        while from < end {
            let to = (from / block + 1).saturating_mul(block).min(end);
            if if in_order { to <= stop } else { rng.bool() } {
                overwrite(file, from, &bytes[from - at..to - at]);
            }
            from = to;
        }
    }
}

impl State {
    pub(super) fn write(&self, dir: &Path) {
        std::fs::create_dir(dir).unwrap();
        for (path, bytes) in &self.0 {
            let path = dir.join(path);
            match bytes {
                Some(bytes) => std::fs::write(path, bytes).unwrap(),
                None => std::fs::create_dir(path).unwrap(),
            }
        }
    }
}

fn overwrite(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    file.resize(file.len().max(at + bytes.len()), 0);
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}
