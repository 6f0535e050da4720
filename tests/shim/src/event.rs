//! What a hub did to its files, one event a call, as bytes in the record. Read by the shim and by the test alike.
//!
//! An event: length of what follows (u32), number (u64), kind (u8), three numbers (u64 each), length of the path (u16), the path
//! below the watched directory, then bytes written or the second path. Little-endian.

/// Bytes before the path.
const FIXED: usize = 8 + 1 + 3 * 8 + 2;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A file came to be.
    Create {
        inode: u64,
        path: String,
    },
    Write {
        inode: u64,
        path: String,
        offset: u64,
        bytes: Vec<u8>,
    },
    SetLen {
        inode: u64,
        path: String,
        len: u64,
    },
    /// Room was taken; the file has at least this length now.
    Allocate {
        inode: u64,
        path: String,
        len: u64,
    },
    /// All that the file holds is on disk.
    Sync {
        inode: u64,
        path: String,
    },
    /// The sync failed: what was written before may never come to the disk, whatever later syncs say.
    SyncFailed {
        inode: u64,
        path: String,
    },
    /// All entries of the directory are on disk.
    SyncDir {
        path: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Unlink {
        path: String,
    },
    Mkdir {
        path: String,
    },
    Link {
        from: String,
        to: String,
    },
}

impl Event {
    pub(crate) fn encode(&self, number: u64) -> Vec<u8> {
        let none: &[u8] = &[];
        let (kind, numbers, path, rest) = match self {
            Self::Create { inode, path } => (1, [*inode, 0, 0], path, none),
            Self::Write { inode, path, offset, bytes } => (2, [*inode, *offset, bytes.len() as u64], path, bytes.as_slice()),
            Self::SetLen { inode, path, len } => (3, [*inode, *len, 0], path, none),
            Self::Allocate { inode, path, len } => (4, [*inode, *len, 0], path, none),
            Self::Sync { inode, path } => (5, [*inode, 0, 0], path, none),
            Self::SyncFailed { inode, path } => (11, [*inode, 0, 0], path, none),
            Self::SyncDir { path } => (6, [0; 3], path, none),
            Self::Rename { from, to } => (7, [0; 3], from, to.as_bytes()),
            Self::Unlink { path } => (8, [0; 3], path, none),
            Self::Mkdir { path } => (9, [0; 3], path, none),
            Self::Link { from, to } => (10, [0; 3], from, to.as_bytes()),
        };
        let mut out = Vec::with_capacity(4 + FIXED + path.len() + rest.len());
        out.extend(u32::try_from(FIXED + path.len() + rest.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend(number.to_le_bytes());
        out.push(kind);
        numbers.iter().for_each(|number| out.extend(number.to_le_bytes()));
        out.extend(u16::try_from(path.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend(path.as_bytes());
        out.extend(rest);
        out
    }

    /// What it is done to; of two paths the first.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Create { path, .. }
            | Self::Write { path, .. }
            | Self::SetLen { path, .. }
            | Self::Allocate { path, .. }
            | Self::Sync { path, .. }
            | Self::SyncFailed { path, .. }
            | Self::SyncDir { path }
            | Self::Unlink { path }
            | Self::Mkdir { path }
            | Self::Rename { from: path, .. }
            | Self::Link { from: path, .. } => path,
        }
    }

    /// The first event of `bytes`, and what it took. None: it ends within one, or is no record.
    #[cfg(test)]
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Self, usize)> {
        let len = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
        let body = bytes.get(4..4 + len)?;
        let number = |i: usize| Some(u64::from_le_bytes(*body.get(9 + 8 * i..)?.first_chunk()?));
        let path_len = u16::from_le_bytes(*body.get(FIXED - 2..)?.first_chunk()?) as usize;
        let path = String::from_utf8(body.get(FIXED..FIXED + path_len)?.to_vec()).ok()?;
        let rest = &body[FIXED + path_len..];
        let to = || String::from_utf8(rest.to_vec()).ok();
        let event = match body.get(8)? {
            1 => Self::Create { inode: number(0)?, path },
            2 => Self::Write { inode: number(0)?, path, offset: number(1)?, bytes: rest.to_vec() },
            3 => Self::SetLen { inode: number(0)?, path, len: number(1)? },
            4 => Self::Allocate { inode: number(0)?, path, len: number(1)? },
            5 => Self::Sync { inode: number(0)?, path },
            11 => Self::SyncFailed { inode: number(0)?, path },
            6 => Self::SyncDir { path },
            7 => Self::Rename { from: path, to: to()? },
            8 => Self::Unlink { path },
            9 => Self::Mkdir { path },
            10 => Self::Link { from: path, to: to()? },
            _ => return None,
        };
        Some((event, 4 + len))
    }
}
