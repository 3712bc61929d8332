//! Watching files for changes, and reloading the configuration when they do.
//!
//! The folders are watched rather than the files, since editors and orchestrators put new files in the place of old
//! ones. An event only makes us look: what counts is whether the contents differ. Besides, we look every few seconds, for
//! file systems that tell nothing.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use sha2::{Digest as _, Sha256};

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

enum Signal {
    Look,
    Stop,
}

/// A watch over files. It ends when this is dropped.
pub struct FileWatch {
    signals: Sender<Signal>,
}

impl Drop for FileWatch {
    fn drop(&mut self) {
        // The thread may be gone already.
        let _ = self.signals.send(Signal::Stop);
    }
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
        let (signals, received) = mpsc::channel();
        let watch = Self { signals: signals.clone() };
        if files.is_empty() {
            return Ok(watch);
        }
        // Read and watched before this returns, so that no change after it is missed.
        let seen: Vec<Option<Print>> = files.iter().map(|f| if known { print(f) } else { None }).collect();
        if !known {
            // The receiver is still here, so this cannot fail.
            let _ = signals.send(Signal::Look);
        }
        let mut folders = Folders::new(signals, &files);
        folders.watch(&files);
        let body = move || Lookout { files, seen, folders, changed }.run(&received);
        std::thread::Builder::new().name("file-watch".to_owned()).spawn(body)?;
        Ok(watch)
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
    changed: F,
}

impl<F: FnMut()> Lookout<F> {
    fn run(mut self, received: &Receiver<Signal>) {
        loop {
            match received.recv_timeout(LOOK) {
                Ok(Signal::Look) if !settle(received) => return,
                Ok(Signal::Look) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            self.look();
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

/// Waits until no event has come for a moment, but not for ever; whether to go on.
fn settle(received: &Receiver<Signal>) -> bool {
    let latest = Instant::now() + SETTLE * 5;
    loop {
        let patience = SETTLE.min(latest.saturating_duration_since(Instant::now()));
        match received.recv_timeout(patience) {
            Ok(Signal::Look) if Instant::now() < latest => {}
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            Ok(Signal::Look) | Err(RecvTimeoutError::Timeout) => return true,
        }
    }
}

/// The folders in which something may happen to the files.
struct Folders {
    watcher: Option<RecommendedWatcher>,
}

impl Folders {
    fn new(signals: Sender<Signal>, files: &[PathBuf]) -> Self {
        let names: BTreeSet<OsString> = files.iter().filter_map(|f| f.file_name()).map(OsString::from).collect();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|e| matters(&e, &names)) {
                // The thread may be gone already.
                let _ = signals.send(Signal::Look);
            }
        });
        if let Err(error) = &watcher {
            tracing::warn!("file changes are only seen every {} seconds: {error}", LOOK.as_secs());
        }
        Self { watcher: watcher.ok() }
    }

    /// Watches the folders of the files and of what they link to. Watching a folder again does no harm.
    fn watch(&mut self, files: &[PathBuf]) {
        let Some(watcher) = &mut self.watcher else { return };
        let real = files.iter().filter_map(|f| f.canonicalize().ok());
        let folders: BTreeSet<PathBuf> =
            files.iter().cloned().chain(real).filter_map(|f| f.parent().map(Path::to_owned)).collect();
        for folder in folders {
            // A folder that cannot be watched is still looked at every few seconds.
            let _ = watcher.watch(&folder, RecursiveMode::NonRecursive);
        }
    }
}

/// Whether an event may be about one of the files. Reading is none, or looking would make us look again; and what is
/// written beside the files, such as a database, is none either. Names with two dots in front are the links by which
/// orchestrators swap whole folders.
fn matters(event: &notify::Event, names: &BTreeSet<OsString>) -> bool {
    let quiet = matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
    let about =
        |path: &PathBuf| path.file_name().is_none_or(|name| names.contains(name) || name.as_encoded_bytes().starts_with(b".."));
    !quiet && (event.paths.is_empty() || event.paths.iter().any(about))
}
