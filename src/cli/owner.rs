//! Commands run as the owner of the data directory: a file that root made in it would lock the hub's own user out later.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use super::{Exit, Failure};

/// Fine too when the directory does not exist yet.
pub(super) fn check(dir: &Path) -> Result<(), Failure> {
    let owner = match std::fs::metadata(dir) {
        Ok(found) => found.uid(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::new(Exit::Failed, format!("{}: {error}", dir.display()))),
    };
    if owner == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let name = name(owner);
    let message = format!("{} belongs to {name}: run this as `sudo -u {name} telltale ...`", dir.display());
    Err(Failure::new(Exit::Failed, message))
}

/// The directory, for its owner's eyes only; left as it is where it exists.
pub(super) fn make(dir: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| Failure::new(Exit::Failed, format!("{}: cannot be made: {error}", dir.display())))
}

/// As sudo takes it: the name, or `#` and the number of a user that this machine has no name for.
fn name(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let known = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    known.unwrap_or_else(|| format!("'#{uid}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_named_as_sudo_takes_them() {
        assert_eq!(name(0), "root");
        assert_eq!(name(u32::MAX - 7), "'#4294967288'");
    }

    #[test]
    fn the_owner_may_and_so_may_the_first_comer() {
        let dir = tempfile::tempdir().unwrap();
        check(dir.path()).unwrap();
        check(&dir.path().join("not yet")).unwrap();
        make(&dir.path().join("a/b")).unwrap();
        assert_eq!(std::fs::metadata(dir.path().join("a/b")).unwrap().mode() & 0o777, 0o700);
    }
}
