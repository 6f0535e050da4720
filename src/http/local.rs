//! `DATA/hub.sock`: the same routes for commands of the directory's owner on this machine, without a token. The file's mode
//! (0600) is the check.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use actix_web::dev::Extensions;
use actix_web::rt::net::UnixStream;
use socket2::{Domain, SockAddr, Socket, Type};

use super::auth::LocalPeer;

const FILE_NAME: &str = "hub.sock";
const BACKLOG: i32 = 64;

#[must_use]
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE_NAME)
}

/// Takes the place of a socket that a killed hub left behind; the directory's lock says that no hub runs.
pub fn listen(data_dir: &Path) -> io::Result<UnixListener> {
    let (path, fresh) = (path(data_dir), data_dir.join("hub.sock.new"));
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(named(&fresh)(error)),
        _ => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(&fresh)?).map_err(named(&fresh))?;
    // Nobody can connect before `listen`, so there is no moment at which another user could.
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600)).map_err(named(&fresh))?;
    socket.listen(BACKLOG).map_err(named(&fresh))?;
    std::fs::rename(&fresh, &path).map_err(named(&path))?;
    Ok(socket.into())
}

/// Called for each new connection, before its first request.
pub fn mark(connection: &dyn std::any::Any, data: &mut Extensions) {
    if connection.is::<UnixStream>() {
        data.insert(LocalPeer);
    }
}

fn named(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
