//! Copying a database while it is in use.
//!
//! The copy is one moment of the database, taken by `VACUUM INTO` on a connection of its own: commits go on meanwhile, and
//! unlike SQLite's backup interface it never has to start over because of them. It gets its name last, when it is whole, was
//! looked through and is on the disk: the name never stands for half a copy, and never for another file than before.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};

use super::connection::failure;
use super::damage;
use crate::dsn::Dsn;
use crate::failure::StoreError;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database is a server's.
    #[error("PostgreSQL has tools of its own for this: use pg_dump, or your server's snapshots")]
    Postgres,
    /// The database lives inside a process.
    #[error("a database in memory cannot be copied from outside its process")]
    Memory,
    /// There is a file of that name. It was left alone.
    #[error("{0} exists already and is not overwritten")]
    Exists(PathBuf),
    /// The copy's file cannot be made.
    #[error("{path} cannot be made: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no room for the copy.
    #[error("there is no room for the copy at {0}")]
    Full(PathBuf),
    /// The database cannot be read.
    #[error("the database cannot be copied: {0}")]
    Database(StoreError),
    /// What was copied is damaged.
    #[error("the database is damaged, and so would be its copy: {0}")]
    Damaged(String),
}

/// How long the connection waits for others.
const PATIENCE: Duration = Duration::from_secs(30);

/// Copies the SQLite database of a data source name to a new file with mode 0600; gives its size in bytes. Servers may go on
/// using the database. Blocks for as long as reading and writing all of it takes.
///
/// # Errors
/// Then there is no new file.
pub fn backup(dsn: &str, to: &Path) -> Result<u64, BackupError> {
    let from = match Dsn::parse(dsn).map_err(BackupError::Database)? {
        Dsn::File(path) => path,
        Dsn::Memory => return Err(BackupError::Memory),
        Dsn::Postgres(_) => return Err(BackupError::Postgres),
    };
    if fs::symlink_metadata(to).is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let connection = open(&from).map_err(BackupError::Database)?;
    let draft = Draft::make(to)?;
    copy(&connection, &draft.path, to)?;
    let findings = damage::check_file(&draft.path, damage::Depth::Quick).map_err(BackupError::Database)?;
    if let Some(first) = findings.into_iter().next() {
        return Err(BackupError::Damaged(first));
    }
    draft.publish(to)
}

/// A connection that reads. It never makes the file.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    if !path.exists() {
        return Err(StoreError::Unavailable(format!("there is no file {}", path.display())));
    }
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failure)?;
    connection.busy_timeout(PATIENCE).map_err(failure)?;
    Ok(connection)
}

fn copy(connection: &Connection, draft: &Path, to: &Path) -> Result<(), BackupError> {
    let Some(name) = draft.to_str() else {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "its path is no UTF-8 text");
        return Err(BackupError::File { path: to.to_owned(), source });
    };
    match connection.execute("VACUUM INTO ?1", params![name]).map_err(failure) {
        Ok(_) => Ok(()),
        // The database itself is only read, so it is the copy that has no room.
        Err(StoreError::Full) => Err(BackupError::Full(to.to_owned())),
        Err(error) => Err(BackupError::Database(error)),
    }
}

/// A copy in the making. It is removed unless it becomes the copy.
struct Draft {
    path: PathBuf,
}

impl Draft {
    /// An empty file beside the copy to be, for this user only.
    fn make(to: &Path) -> Result<Self, BackupError> {
        let mut name = to.as_os_str().to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        let path = PathBuf::from(name);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(_) => Ok(Self { path }),
            Err(source) => Err(BackupError::File { path, source }),
        }
    }

    /// Presses it onto the disk and gives it its name, unless somebody took the name meanwhile.
    fn publish(self, to: &Path) -> Result<u64, BackupError> {
        let named = || -> io::Result<u64> {
            let file = File::open(&self.path)?;
            file.sync_all()?;
            match fs::hard_link(&self.path, to) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(e),
                // Some file systems know no links.
                Err(_) if fs::symlink_metadata(to).is_err() => fs::rename(&self.path, to)?,
                other => other?,
            }
            let folder = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(folder)?.sync_all()?;
            Ok(file.metadata()?.len())
        };
        named().map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
            io::ErrorKind::StorageFull => BackupError::Full(to.to_owned()),
            _ => BackupError::File { path: to.to_owned(), source },
        })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It is gone already where it was renamed.
        let _ = fs::remove_file(&self.path);
    }
}
