//! Where a port listens: a network interface, or a file of the system.
//!
//! A socket file is made anew at start, gets its mode, owner and group, and is removed at the end.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use portcullis_core::config::serve::{Listener, Socket};
use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpListener, UnixListener, lookup_host};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Why a port cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The host has no address.
    #[error("the host {host:?} has no address: {source}")]
    Host {
        /// The host as configured.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// The address is taken, forbidden or not of this machine.
    #[error("cannot listen on {address}: {source}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The socket file cannot be made.
    #[error("cannot listen on the socket file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another server listens on the socket file.
    #[error("another server listens on the socket file {0}")]
    Taken(PathBuf),
    /// The owner or group of the socket file is not known here.
    #[error("there is no {kind} called {name:?} in {file}")]
    Unknown {
        /// `user` or `group`.
        kind: &'static str,
        /// The name as configured.
        name: String,
        /// Where it was looked up.
        file: &'static str,
    },
}

/// An open port.
#[derive(Debug)]
pub enum Open {
    /// On the network.
    Tcp(TcpListener),
    /// On a file, which is removed when this is dropped.
    Unix(UnixListener, SocketFile),
}

impl Open {
    /// The network address; none for a socket file.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }
}

/// A socket file of this process.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Opens a port as it is configured.
///
/// # Errors
/// If the address or file cannot be had.
pub async fn open(listener: &Listener) -> Result<Open, SocketError> {
    match listener.socket_path() {
        Some(path) => open_file(Path::new(path), &listener.socket),
        None => open_network(&listener.host, listener.port).await.map(Open::Tcp),
    }
}

async fn open_network(host: &str, port: u16) -> Result<TcpListener, SocketError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    // An empty host means every interface.
    let asked = if bare.is_empty() { "0.0.0.0" } else { bare };
    let unknown = |source| SocketError::Host { host: host.to_owned(), source };
    let address =
        lookup_host((asked, port)).await.map_err(unknown)?.next().ok_or_else(|| unknown(io::ErrorKind::NotFound.into()))?;
    listen(address).map_err(|source| SocketError::Address { address, source })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the old server's last connections to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn open_file(path: &Path, settings: &Socket) -> Result<Open, SocketError> {
    let failed = |source| SocketError::File { path: path.to_owned(), source };
    let uid = id_of(&settings.owner, "user", "/etc/passwd")?;
    let gid = id_of(&settings.group, "group", "/etc/group")?;
    clear(path)?;
    let listener = UnixListener::bind(path).map_err(failed)?;
    let file = SocketFile(path.to_owned());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(settings.mode)).map_err(failed)?;
    if uid.is_some() || gid.is_some() {
        chown(path, uid, gid).map_err(failed)?;
    }
    Ok(Open::Unix(listener, file))
}

/// Removes the socket file that a server left behind which ended without warning. Anything else stays.
fn clear(path: &Path) -> Result<(), SocketError> {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket());
    if !is_socket {
        return Ok(());
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(SocketError::Taken(path.to_owned()));
    }
    std::fs::remove_file(path).map_err(|source| SocketError::File { path: path.to_owned(), source })
}

/// The number of a user or group, by number or by name in the system's file of accounts. Directories such as LDAP are not
/// asked. `None` for an empty name.
fn id_of(name: &str, kind: &'static str, file: &'static str) -> Result<Option<u32>, SocketError> {
    if name.is_empty() {
        return Ok(None);
    }
    if let Ok(id) = name.parse() {
        return Ok(Some(id));
    }
    let accounts = std::fs::read_to_string(file).unwrap_or_default();
    let id = accounts.lines().find_map(|line| id_in(line, name));
    id.map(Some).ok_or_else(|| SocketError::Unknown { kind, name: name.to_owned(), file })
}

/// The number in a line `name:password:number:...`.
fn id_in(line: &str, name: &str) -> Option<u32> {
    let mut fields = line.split(':');
    (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_name_or_number() {
        assert_eq!(id_in("root:x:0:0:root:/root:/bin/sh", "root"), Some(0));
        assert_eq!(id_in("daemon:x:1:", "root"), None);
        assert_eq!(id_in("root", "root"), None);
        assert_eq!(id_of("", "user", "/etc/passwd").unwrap(), None);
        assert_eq!(id_of("42", "user", "/etc/passwd").unwrap(), Some(42));
        assert!(matches!(id_of("no such user", "user", "/etc/passwd"), Err(SocketError::Unknown { .. })));
    }

    #[tokio::test]
    async fn a_socket_file_has_its_mode_replaces_a_stale_one_and_is_gone_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("public.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let settings = Socket { owner: String::new(), group: String::new(), mode: 0o700 };
        let open = open_file(&path, &settings).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(matches!(open_file(&path, &settings), Err(SocketError::Taken(_))));
        drop(open);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        std::fs::write(&path, "data").unwrap();
        let settings = Socket { owner: String::new(), group: String::new(), mode: 0o700 };
        assert!(matches!(open_file(&path, &settings), Err(SocketError::File { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "data");
    }
}
