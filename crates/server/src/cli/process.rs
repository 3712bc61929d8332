//! What commands that run until they are told to stop have in common.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::config::Sources;
use portcullis_core::config::first_run::{self, MadeSecrets};
use portcullis_core::crypto::{OsRng, SystemClock};
use portcullis_core::jsonnet;
use portcullis_core::outbound::World;
use portcullis_store::{OpenOptions, Store, StoreError};
use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use crate::app::{self, DatabaseError, Surroundings};

/// How long a database server that does not answer is waited for, and how often it is asked.
const DATABASE_PATIENCE: Duration = Duration::from_secs(300);
const DATABASE_PAUSE: Duration = Duration::from_secs(1);

/// Runs a command to its end on threads of its own.
pub(super) fn block_on(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::of)?;
    let outcome = runtime.block_on(command);
    // What still runs has had its time.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

/// The real clock, the real chance.
pub(super) fn surroundings(jsonnet: jsonnet::Settings, relax_native_check: bool) -> Surroundings {
    Surroundings { clock: Arc::new(SystemClock), rng: Arc::new(OsRng), jsonnet, relax_native_check, world: World::default() }
}

/// Secrets for a server whose configuration may have none: kept in the data folder on a first run, else of this process.
pub(super) fn secrets(sources: &Sources) -> Result<MadeSecrets, Failure> {
    if !sources.is_first_run() {
        return Ok(MadeSecrets::for_this_process(&OsRng));
    }
    if let Some(file) = first_run::forgotten_file(sources, Path::new("")) {
        let file = file.display();
        return Err(Failure::Said(format!(
            "{file} is here, but was not named: start with -c {file}. A first run, which takes no file and makes up dsn, \
             identity.schemas and selfservice.default_browser_return_url, begins in a folder without one"
        )));
    }
    let folder = sources.data_folder();
    app::make_private_folder(&folder)
        .map_err(|e| Failure::Said(format!("the data folder {} cannot be made: {e}", folder.display())))?;
    first_run::secrets(&first_run::secrets_file(sources), &OsRng).map_err(Failure::of)
}

/// Opens the database. A server that does not answer may be starting as well, so it is asked again for some minutes.
pub(super) async fn open(dsn: &str) -> Result<Store, Failure> {
    let began = tokio::time::Instant::now();
    loop {
        match Store::open(dsn, OpenOptions::default()).await {
            Ok(store) => return Ok(store),
            Err(StoreError::Unavailable(reason)) if !app::is_embedded(dsn) && began.elapsed() < DATABASE_PATIENCE => {
                tracing::warn!(reason, "the database does not answer yet");
                tokio::time::sleep(DATABASE_PAUSE).await;
            }
            Err(error) => return Err(Failure::of_store(error)),
        }
    }
}

/// Brings the database to the form that this release needs, where that is not for the operator to start.
pub(super) async fn prepare(store: &Store, dsn: &str) -> Result<(), Failure> {
    app::prepare(store, dsn).await.map_err(|error| match error {
        DatabaseError::Store(error) => Failure::of_store(error),
        pending @ DatabaseError::Pending(_) => Failure::of(pending),
    })
}

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, Failure> {
        let on = |kind| signal(kind).map_err(Failure::of);
        Ok(Self { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    /// The next signal.
    pub(super) async fn first(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// The signal after the next one, with which impatient people end a server at once.
    pub(super) async fn second(&mut self) {
        self.first().await;
        self.first().await;
    }
}
