//! `DATA/hub.sock`: the same routes for commands of the directory's owner on this machine, without a token. The file's mode
//! (0600) is the check.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use actix_web::dev::Extensions;
use actix_web::rt::net::UnixStream;
use socket2::{Domain, SockAddr, Socket, Type};

use super::auth::LocalPeer;

const FILE_NAME: &str = "hub.sock";
const BACKLOG: i32 = 64;
/// What the kernel takes as the path of a unix socket, without the closing zero.
const PATH_BYTES: usize = 107;

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
    let (short, _open) = short(&fresh).map_err(named(&fresh))?;
    socket.bind(&SockAddr::unix(short)?).map_err(named(&fresh))?;
    // Nobody can connect before `listen`, so there is no moment at which another user could.
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600)).map_err(named(&fresh))?;
    socket.listen(BACKLOG).map_err(named(&fresh))?;
    std::fs::rename(&fresh, &path).map_err(named(&path))?;
    Ok(socket.into())
}

pub fn connect(data_dir: &Path) -> io::Result<std::os::unix::net::UnixStream> {
    let (short, _open) = short(&path(data_dir))?;
    std::os::unix::net::UnixStream::connect(short)
}

/// The path itself, or one by way of its open directory where it is too long for a socket.
fn short(path: &Path) -> io::Result<(PathBuf, Option<File>)> {
    if path.as_os_str().len() <= PATH_BYTES {
        return Ok((path.to_owned(), None));
    }
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok((path.to_owned(), None));
    };
    let dir = File::open(dir)?;
    Ok((Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string()).join(name), Some(dir)))
}

/// Called for each new connection, before its first request.
pub fn mark(connection: &dyn std::any::Any, data: &mut Extensions) {
    if is_local(connection) {
        data.insert(LocalPeer);
    }
}

#[must_use]
pub fn is_local(connection: &dyn std::any::Any) -> bool {
    connection.is::<UnixStream>()
}

fn named(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_a_long_name_has_its_socket_and_an_old_one_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        for data_dir in [dir.path().to_owned(), dir.path().join("d".repeat(120))] {
            std::fs::create_dir_all(&data_dir).unwrap();
            drop(listen(&data_dir).unwrap());
            assert_eq!(connect(&data_dir).unwrap_err().kind(), io::ErrorKind::ConnectionRefused, "left behind");
            let listener = listen(&data_dir).unwrap();
            connect(&data_dir).unwrap();
            listener.accept().unwrap();
            assert_eq!(std::fs::metadata(path(&data_dir)).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
