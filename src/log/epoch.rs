//! The epoch of a log: 64 random bits as 16 hexadecimal digits in `log/epoch`. Cursors carry it; with another one they start anew.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::files::sync_dir;
use super::recovery::{OpenError, io_error};

pub(super) fn read_or_make(dir: &Path, change: bool) -> Result<u64, OpenError> {
    let path = dir.join("epoch");
    if !change {
        match fs::read_to_string(&path) {
            Ok(text) => {
                if let Ok(epoch) = u64::from_str_radix(text.trim(), 16) {
                    return Ok(epoch);
                }
                tracing::warn!(path = %path.display(), "the epoch is not readable: a new one is made, so cursors start anew");
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io_error("read", &path)(error)),
        }
    }
    let epoch = getrandom::u64().map_err(|e| io_error("draw", &path)(io::Error::other(e)))?;
    let new = dir.join("epoch.new");
    let write = || {
        let mut file = File::create(&new)?;
        writeln!(file, "{epoch:016x}")?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        sync_dir(dir)
    };
    write().map_err(io_error("write", &path))?;
    Ok(epoch)
}
