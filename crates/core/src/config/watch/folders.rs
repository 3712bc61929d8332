//! The folders of watched files, as the kernel tells of them.
//!
//! Only what ends a change is asked for: a file that was closed after writing, or came, went or was renamed. What is written
//! into a neighbour costs nothing then, and the database is often one. Elsewhere than on Linux nothing tells, and looking now
//! and then is all there is.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

#[cfg(target_os = "linux")]
pub(super) use linux::Folders;
#[cfg(not(target_os = "linux"))]
pub(super) use silent::Folders;

/// What a wait ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// Something may have happened to one of the files.
    Event,
    /// Nothing did, as long as was waited.
    Time,
    /// Nobody is interested any more.
    Stop,
}

impl Folders {
    /// Waits until something happens to one of the files, or `stop` is closed at its other end.
    pub(super) fn wait(&self, stop: &OwnedFd, patience: Duration) -> Woken {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut asked = vec![PollFd::new(stop, PollFlags::IN)];
            asked.extend(self.source().map(|source| PollFd::new(source, PollFlags::IN)));
            // A duration of seconds fits. A wait that a signal breaks off begins again with what is left of it.
            let told = Timespec::try_from(left).is_ok_and(|left| poll(&mut asked, Some(&left)).is_ok_and(|told| told > 0));
            let has_news = |place: usize| told && asked.get(place).is_some_and(|fd| !fd.revents().is_empty());
            if has_news(0) {
                return Woken::Stop;
            }
            if has_news(1) && self.happened() {
                return Woken::Event;
            }
            if left.is_zero() {
                return Woken::Time;
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeSet;
    use std::ffi::{OsStr, OsString};
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::{Path, PathBuf};

    use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};

    /// The folders of some files.
    pub(in super::super) struct Folders {
        /// The names of the files.
        names: BTreeSet<OsString>,
        inotify: Option<OwnedFd>,
    }

    impl Folders {
        /// The folders of these files; none is watched yet.
        pub(in super::super) fn new(files: &[PathBuf]) -> Self {
            let inotify = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC);
            if let Err(error) = &inotify {
                tracing::warn!("file changes are only seen every few seconds: {error}");
            }
            let names = files.iter().filter_map(|f| f.file_name()).map(OsString::from).collect();
            Self { names, inotify: inotify.ok() }
        }

        /// Watches the folders of the files and of what they link to. Watching a folder again does no harm.
        pub(in super::super) fn watch(&self, files: &[PathBuf]) {
            let Some(inotify) = &self.inotify else { return };
            let real = files.iter().filter_map(|f| f.canonicalize().ok());
            let folders: BTreeSet<PathBuf> =
                files.iter().cloned().chain(real).filter_map(|f| f.parent().map(Path::to_owned)).collect();
            let wanted = WatchFlags::CLOSE_WRITE
                | WatchFlags::CREATE
                | WatchFlags::MOVE
                | WatchFlags::DELETE
                | WatchFlags::DELETE_SELF
                | WatchFlags::MOVE_SELF;
            for folder in folders {
                // A folder that cannot be watched is still looked at every few seconds.
                let _ = add_watch(inotify, &folder, wanted);
            }
        }

        pub(super) fn source(&self) -> Option<&OwnedFd> {
            self.inotify.as_ref()
        }

        /// Reads all that was told. Whether anything of it may be about one of the files.
        pub(super) fn happened(&self) -> bool {
            let Some(inotify) = &self.inotify else { return false };
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut events = Reader::new(inotify, &mut buffer);
            let mut matters = false;
            // It ends with an error: there is nothing more to read.
            while let Ok(event) = events.next() {
                let is_end = event.events().contains(ReadFlags::IGNORED);
                matters |= !is_end && event.file_name().is_none_or(|name| self.is_about(OsStr::from_bytes(name.to_bytes())));
            }
            matters
        }

        /// Whether a name may be about one of the files. Names with two dots in front are the links by which orchestrators swap
        /// whole folders.
        fn is_about(&self, name: &OsStr) -> bool {
            self.names.contains(name) || name.as_bytes().starts_with(b"..")
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod silent {
    use std::os::fd::OwnedFd;
    use std::path::PathBuf;

    /// Folders of which nothing is told.
    pub(in super::super) struct Folders;

    impl Folders {
        pub(in super::super) fn new(_files: &[PathBuf]) -> Self {
            Self
        }

        pub(in super::super) fn watch(&self, _files: &[PathBuf]) {}

        pub(super) fn source(&self) -> Option<&OwnedFd> {
            None
        }

        pub(super) fn happened(&self) -> bool {
            false
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_kernel_tells_of_changes_that_are_done_and_not_of_writes_into_a_neighbour() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        fs::write(&file, "a: 1").unwrap();
        let mut neighbour = OpenOptions::new().create(true).append(true).open(folder.path().join("db.sqlite-wal")).unwrap();
        let folders = Folders::new(std::slice::from_ref(&file));
        folders.watch(std::slice::from_ref(&file));
        let (stopped, _stop) = rustix::pipe::pipe().unwrap();
        let is_told =
            || poll(&mut [PollFd::new(folders.source().unwrap(), PollFlags::IN)], Some(&Timespec::default())).unwrap() > 0;

        for _ in 0..100 {
            neighbour.write_all(b"a page").unwrap();
        }
        assert!(!is_told(), "each write would wake this process");
        drop(neighbour);
        assert_eq!(folders.wait(&stopped, Duration::from_millis(50)), Woken::Time, "a neighbour's end is no change");

        fs::write(&file, "a: 2").unwrap();
        assert_eq!(folders.wait(&stopped, Duration::from_secs(5)), Woken::Event, "written in place");
        fs::write(folder.path().join("new"), "a: 3").unwrap();
        fs::rename(folder.path().join("new"), &file).unwrap();
        assert_eq!(folders.wait(&stopped, Duration::from_secs(5)), Woken::Event, "renamed over");
        fs::remove_file(&file).unwrap();
        assert_eq!(folders.wait(&stopped, Duration::from_secs(5)), Woken::Event, "removed");
    }

    #[test]
    fn a_wait_ends_with_its_owner() {
        let (stopped, stop) = rustix::pipe::pipe().unwrap();
        drop(stop);
        assert_eq!(Folders::new(&[]).wait(&stopped, Duration::from_secs(60)), Woken::Stop);
    }
}
