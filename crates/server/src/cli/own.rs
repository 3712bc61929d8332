//! The application of a configuration, for commands that work on its database without serving.

use std::path::PathBuf;
use std::sync::Arc;

use portcullis_core::app::App;
use portcullis_core::config::{self, Config, Flags};
use portcullis_core::crypto::OsRng;
use portcullis_core::jsonnet;
use portcullis_model::clock::random_lower_case;
use portcullis_store::{OpenOptions, Store, StoreError};

use super::source::Files;
use super::{Failure, process};
use crate::app;

/// The configuration of the server whose database is meant. What is stored is sealed with its secrets, so it must have some.
pub(super) fn config(files: &Files) -> Result<Config, Failure> {
    super::install_tls();
    let mut sources = files.sources(Flags::default());
    if sources.is_first_run() {
        sources.secrets = Some(process::secrets(&sources)?);
    }
    let config = config::load(&sources).map_err(Failure::of)?.config;
    if config.secrets.default.is_empty() && config.secrets.cookie.is_empty() {
        return Err(Failure::Said(
            "secrets.default is not set: what is stored is sealed with it, and a server could not read it".to_owned(),
        ));
    }
    if config.dsn.expose() == "memory" {
        return Err(Failure::Said("dsn is memory: there is nothing that would be kept".to_owned()));
    }
    Ok(config)
}

/// The application over its own database, which is made ready.
pub(super) async fn open(config: Config) -> Result<Arc<App>, Failure> {
    let dsn = config.dsn.expose().to_owned();
    let store = process::open(&dsn).await?;
    process::prepare(&store, &dsn).await?;
    over(config, store).await
}

/// The application over a database.
pub(super) async fn over(config: Config, store: Store) -> Result<Arc<App>, Failure> {
    let around = process::surroundings(jsonnet::Settings::this_program().map_err(Failure::of)?, false);
    app::compose(config, store, around).await.map_err(Failure::of)
}

/// Closes the database in order.
pub(super) async fn close(app: &App) -> Result<(), Failure> {
    app.store.close().await.map_err(Failure::of_store)
}

/// The own database if it is there and ready, to be looked at only.
pub(super) async fn standing(config: &Config) -> Result<Option<Store>, Failure> {
    let store = match Store::open(config.dsn.expose(), OpenOptions { create: false, ..OpenOptions::default() }).await {
        Ok(store) => store,
        // A file that the real run would make.
        Err(StoreError::Unavailable(_)) if app::is_embedded(config.dsn.expose()) => return Ok(None),
        Err(error) => return Err(Failure::of_store(error)),
    };
    let status = store.migration_status().await.map_err(Failure::of_store)?;
    match status.iter().filter(|m| !m.applied).count() {
        0 => Ok(Some(store)),
        all if all == status.len() => Ok(None),
        some => Err(Failure::Said(format!("the database lacks {some} migrations: run `portcullis migrate sql up` first"))),
    }
}

/// A database for a rehearsal, in a folder of its own that goes away with this.
pub(super) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    pub(super) fn make() -> Result<Self, Failure> {
        let name = format!("portcullis-{}", random_lower_case(&OsRng, 16));
        let folder = std::env::temp_dir().join(name);
        app::make_private_folder(&folder)
            .map_err(|e| Failure::Said(format!("the folder {} cannot be made: {e}", folder.display())))?;
        Ok(Self { folder })
    }

    /// The application over the scratch database.
    pub(super) async fn open(&self, config: Config) -> Result<Arc<App>, Failure> {
        let dsn = format!("sqlite://{}", self.folder.join("db.sqlite").display());
        let store = Store::open(&dsn, OpenOptions::default()).await.map_err(Failure::of_store)?;
        store.migrate().await.map_err(Failure::of_store)?;
        over(config, store).await
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind in a folder for temporary files is seen to by the system.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
