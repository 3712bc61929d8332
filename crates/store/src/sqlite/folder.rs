//! A folder of our own for a database that nobody else sees and that goes away with us.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::failure::StoreError;

/// A folder that only this user can enter, in memory (tmpfs) if there is such a place. Removed when dropped.
#[derive(Debug)]
pub(super) struct PrivateFolder(PathBuf);

impl PrivateFolder {
    pub(super) fn make() -> Result<Self, StoreError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut reason = String::new();
        for base in [PathBuf::from("/dev/shm"), std::env::temp_dir()] {
            // A name that exists (left by a process that was killed, or laid there by somebody) is never taken.
            for _ in 0..1000 {
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                let path = base.join(format!("portcullis-{}-{number}", std::process::id()));
                match DirBuilder::new().mode(0o700).create(&path) {
                    Ok(()) => return Ok(Self(path)),
                    Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                    Err(e) => {
                        reason = e.to_string();
                        break;
                    }
                }
            }
        }
        Err(StoreError::Unavailable(format!("no temporary folder: {reason}")))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Removes it with all that is in it.
    pub(super) fn remove(&self) {
        if let Err(e) = std::fs::remove_dir_all(&self.0)
            && e.kind() != ErrorKind::NotFound
        {
            tracing::warn!(error = %e, "the folder of the private database could not be removed");
        }
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        self.remove();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_private_and_goes_away() {
        let one = PrivateFolder::make().expect("folder");
        let two = PrivateFolder::make().expect("folder");
        assert_ne!(one.path(), two.path());
        let path = one.path().to_owned();
        std::fs::write(path.join("x"), "x").expect("file");
        assert_eq!(std::fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o700);
        drop(one);
        assert!(!path.exists());
    }
}
