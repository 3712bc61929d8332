//! Watching files for changes, and reloading the configuration when they do.
//!
//! The folders are watched rather than the files, since editors and orchestrators put new files in the place of old
//! ones. An event only makes us look: what counts is whether the contents differ. Besides, we look every few seconds, for
//! file systems that tell nothing.

mod folders;

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::pipe::{PipeFlags, pipe_with};
use sha2::{Digest as _, Sha256};

use self::folders::{Folders, Woken};
use super::Config;
use super::file::SIZE_LIMIT;
use super::live::{Live, Reloaded};
use super::load::Sources;

/// How long a burst of events is waited out.
const SETTLE: Duration = Duration::from_millis(200);
/// How often files are looked at without any event.
const LOOK: Duration = Duration::from_secs(5);

/// Reloads the configuration whenever one of its files changes, until the answer is dropped. A new configuration is put in
/// force if `accept` agrees (it may block, such as on loading identity schemas); then `applied` is told. Without files
/// there is nothing to watch, and nothing happens.
///
/// # Errors
/// If no thread can be started.
pub fn watch(
    live: Arc<Live>,
    sources: Sources,
    accept: impl Fn(&Config) -> Result<(), String> + Send + 'static,
    applied: impl Fn(&Arc<Config>) + Send + 'static,
) -> io::Result<FileWatch> {
    let files = sources.files.clone();
    // What changed since the configuration was loaded must not be missed, so a first look is taken at once.
    FileWatch::begin(files, false, move || match live.reload(&sources, &accept) {
        Ok(Reloaded::Same) => {}
        Ok(Reloaded::Changed { config, warnings, waiting }) => {
            for warning in warnings {
                tracing::warn!("configuration: {warning}");
            }
            if !waiting.is_empty() {
                tracing::warn!("configuration: changes of {} wait for a restart", waiting.join(", "));
            }
            tracing::info!(revision = %config.revision, "another configuration is in force");
            applied(&config);
        }
        Err(error) => tracing::error!("the configuration was changed, but the old one stays: {}", one_line(&error)),
    })
}

fn one_line(error: &impl ToString) -> String {
    let text = error.to_string();
    let parts: Vec<&str> = text.lines().map(str::trim).collect();
    parts.join("; ").replacen(":; ", ": ", 1)
}

/// A watch over files. It ends when this is dropped.
pub struct FileWatch {
    /// Closed with it, which wakes the thread.
    _stop: Option<OwnedFd>,
}

impl FileWatch {
    /// Calls `changed` on a thread of its own whenever the contents of a file become different: written in place, renamed
    /// over, or reached by a symbolic link that leads elsewhere now. A file that vanishes is no change.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(files: Vec<PathBuf>, changed: impl FnMut() + Send + 'static) -> io::Result<Self> {
        Self::begin(files, true, changed)
    }

    fn begin(files: Vec<PathBuf>, known: bool, changed: impl FnMut() + Send + 'static) -> io::Result<Self> {
        let files: Vec<PathBuf> = files.iter().map(std::path::absolute).collect::<io::Result<_>>()?;
        if files.is_empty() {
            return Ok(Self { _stop: None });
        }
        let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC)?;
        // Read and watched before this returns, so that no change after it is missed.
        let seen: Vec<Option<Print>> = files.iter().map(|f| if known { print(f) } else { None }).collect();
        let folders = Folders::new(&files);
        folders.watch(&files);
        let body = move || Lookout { files, seen, folders, stopped, changed }.run(known);
        std::thread::Builder::new().name("file-watch".to_owned()).spawn(body)?;
        Ok(Self { _stop: Some(stop) })
    }
}

type Print = [u8; 32];

/// The hash of the beginning of a file (more of it is no configuration); `None` if it cannot be read.
fn print(path: &Path) -> Option<Print> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(SIZE_LIMIT + 1).read_to_end(&mut bytes).ok()?;
    Some(Sha256::digest(bytes).into())
}

struct Lookout<F> {
    files: Vec<PathBuf>,
    seen: Vec<Option<Print>>,
    folders: Folders,
    stopped: OwnedFd,
    changed: F,
}

impl<F: FnMut()> Lookout<F> {
    /// Looks whenever something happened, and at once if it is not known what there was to see.
    fn run(mut self, known: bool) {
        let mut woken = if known { self.wait(LOOK) } else { Woken::Event };
        loop {
            match woken {
                Woken::Event if !self.settle() => return,
                Woken::Event | Woken::Time => {}
                Woken::Stop => return,
            }
            self.look();
            woken = self.wait(LOOK);
        }
    }

    fn wait(&self, patience: Duration) -> Woken {
        self.folders.wait(&self.stopped, patience)
    }

    /// Waits until nothing has happened for a moment, but not for ever; whether to go on.
    fn settle(&self) -> bool {
        let latest = Instant::now() + SETTLE * 5;
        loop {
            match self.wait(SETTLE.min(latest.saturating_duration_since(Instant::now()))) {
                Woken::Event if Instant::now() < latest => {}
                Woken::Stop => return false,
                Woken::Event | Woken::Time => return true,
            }
        }
    }

    fn look(&mut self) {
        let mut different = false;
        for (path, seen) in self.files.iter().zip(&mut self.seen) {
            match print(path) {
                Some(now) => {
                    different |= *seen != Some(now);
                    *seen = Some(now);
                }
                // What was there last stays in force; what comes back the same is no change.
                None => tracing::debug!(path = %path.display(), "a watched file is gone for now"),
            }
        }
        // Links may lead to other folders now, and folders may have been made anew.
        self.folders.watch(&self.files);
        if different {
            (self.changed)();
        }
    }
}
