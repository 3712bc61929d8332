//! The configuration in force, which may be swapped for another one while requests run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use super::Config;
use super::load::{Sources, load};
use super::violation::ConfigErrors;

/// The configuration in force.
pub struct Live {
    current: ArcSwap<Config>,
    /// What the process was started with: the settings that only a restart changes.
    started: Arc<Config>,
    standing: Mutex<Standing>,
}

/// What an operator should know of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Why the files, as they are now, are not in force; `None`: they are.
    pub refused: Option<String>,
    /// Keys that the files changed since the start and that wait for a restart.
    pub waiting: Vec<&'static str>,
}

/// What came of reading the sources again.
#[derive(Clone, Debug)]
pub enum Reloaded {
    /// Nothing is different.
    Same,
    /// Another configuration is in force.
    Changed {
        /// It.
        config: Arc<Config>,
        /// What is legal but seldom meant.
        warnings: Vec<String>,
        /// Keys that were changed but wait for a restart.
        waiting: Vec<&'static str>,
    },
}

/// Why the old configuration stays.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The new one was refused.
    #[error(transparent)]
    Refused(#[from] ConfigErrors),
    /// Something that it needs could not be had, such as an identity schema.
    #[error("the configuration cannot be used: {0}")]
    Unusable(String),
}

impl Live {
    /// Puts the first configuration in force.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let started = Arc::new(config);
        Self { current: ArcSwap::new(Arc::clone(&started)), started, standing: Mutex::default() }
    }

    /// The configuration in force. A request takes it once and keeps it to its end.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Config> {
        self.current.load_full()
    }

    /// Whether the files are in force.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the sources again and puts the result in force, unless it is refused or `accept` refuses it. Blocks.
    ///
    /// # Errors
    /// Why the old configuration stays in force.
    pub fn reload(&self, sources: &Sources, accept: impl FnOnce(&Config) -> Result<(), String>) -> Result<Reloaded, ReloadError> {
        let result = self.try_reload(sources, accept);
        let mut standing = self.lock();
        standing.refused = result.as_ref().err().map(ToString::to_string);
        if let Ok(Reloaded::Changed { waiting, .. }) = &result {
            standing.waiting.clone_from(waiting);
        }
        drop(standing);
        result
    }

    fn try_reload(&self, sources: &Sources, accept: impl FnOnce(&Config) -> Result<(), String>) -> Result<Reloaded, ReloadError> {
        let loaded = load(sources)?;
        if loaded.config.fingerprint == self.current.load().fingerprint {
            return Ok(Reloaded::Same);
        }
        accept(&loaded.config).map_err(ReloadError::Unusable)?;
        let waiting = waiting_for_restart(&self.started, &loaded.config);
        let config = Arc::new(loaded.config);
        self.current.store(Arc::clone(&config));
        Ok(Reloaded::Changed { config, warnings: loaded.warnings, waiting })
    }
}

/// The keys in which two configurations differ and which only a restart puts in force: what is open stays open.
fn waiting_for_restart(started: &Config, now: &Config) -> Vec<&'static str> {
    let (a, b) = (&started.serve, &now.serve);
    let differs = [
        ("dsn", started.dsn != now.dsn),
        ("serve.public.host", a.public.host != b.public.host),
        ("serve.public.port", a.public.port != b.public.port),
        ("serve.public.socket", a.public.socket != b.public.socket),
        ("serve.public.tls", a.public.tls != b.public.tls),
        ("serve.admin.host", a.admin.host != b.admin.host),
        ("serve.admin.port", a.admin.port != b.admin.port),
        ("serve.admin.socket", a.admin.socket != b.admin.socket),
        ("serve.admin.tls", a.admin.tls != b.admin.tls),
        ("log.level", started.log.level != now.log.level),
        ("log.format", started.log.format != now.log.format),
        ("watch-courier", started.watch_courier != now.watch_courier),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}
