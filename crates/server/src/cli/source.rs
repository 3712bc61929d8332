//! Where commands find their configuration: `-c`, the environment.

use std::path::PathBuf;

use portcullis_core::config::{self, Flags, Sources, first_run};

use super::Failure;

/// `-c`.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct Files {
    /// Configuration files (.json .yaml .yml .toml); later ones win
    #[arg(short = 'c', long = "config", value_name = "FILES", value_delimiter = ',')]
    pub(super) config: Vec<PathBuf>,
}

impl Files {
    /// The sources of a configuration that has these flags.
    pub(super) fn sources(&self, flags: Flags) -> Sources {
        // Variables that are no text cannot be meant for us.
        let environment = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        Sources { files: self.config.clone(), environment: environment.collect(), flags, secrets: None }
    }
}

/// Where a command that works on a database alone finds it: `-e`, else its argument.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct Database {
    /// The database: `sqlite://PATH`, `postgres://...`
    #[arg(value_name = "DSN")]
    pub(super) dsn: Option<String>,
    /// Read the database from the environment (DSN) or from configuration files
    #[arg(short = 'e', long = "read-from-env")]
    pub(super) read_from_env: bool,
    #[command(flatten)]
    pub(super) files: Files,
}

impl Database {
    /// The data source name. `command` is whose usage is shown where none is given.
    pub(super) fn name(&self, command: &'static [&'static str]) -> Result<String, Failure> {
        if !self.read_from_env {
            let reason = "name a database, or read it from the environment with -e".to_owned();
            return self.dsn.clone().ok_or(Failure::Usage { reason, command });
        }
        self.from_sources()
    }

    /// As [`Self::name`], for commands that read the environment and the files even without `-e`.
    pub(super) fn name_or_environment(&self, command: &'static [&'static str]) -> Result<String, Failure> {
        match &self.dsn {
            Some(_) => Self { read_from_env: false, ..self.clone() }.name(command),
            None => self.from_sources(),
        }
    }

    fn from_sources(&self) -> Result<String, Failure> {
        let found = config::dsn(&self.files.sources(Flags::default())).map_err(Failure::of)?;
        found
            .map(|dsn| dsn.expose().to_owned())
            .ok_or_else(|| Failure::Said("neither the variable DSN nor a configuration file names a database".to_owned()))
    }
}

/// Where a command finds the database of a server on this machine: its argument, else as the server would.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct Served {
    /// The database: `sqlite://PATH`
    #[arg(value_name = "DSN")]
    dsn: Option<String>,
    #[command(flatten)]
    files: Files,
}

impl Served {
    /// The data source name, and the file of secrets that belongs to a server without configuration.
    pub(super) fn find(&self) -> Result<(String, Option<PathBuf>), Failure> {
        if let Some(dsn) = &self.dsn {
            return Ok((dsn.clone(), None));
        }
        let sources = self.files.sources(Flags::default());
        if let Some(dsn) = config::dsn(&sources).map_err(Failure::of)? {
            return Ok((dsn.expose().to_owned(), None));
        }
        if sources.is_first_run() {
            return Ok((first_run::database(&sources), Some(first_run::secrets_file(&sources))));
        }
        Err(Failure::Said("neither the variable DSN nor a configuration file names a database".to_owned()))
    }
}
