//! The configuration of a server that was given none: everything on this machine, nothing to the outside.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use portcullis_model::clock::{Rng, random_text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::file;
use super::layers::Layers;
use super::load::Sources;
use super::serve::is_loopback_host;

/// The variable that names the folder of a first run's database and secrets.
pub const DATA_VARIABLE: &str = "PORTCULLIS_DATA";

/// The identity schema of a first run: an e-mail address and a name.
pub const IDENTITY_SCHEMA: &str = include_str!("first_run.schema.json");

/// What a configuration file may be called that somebody forgot to name, and what tells it from another program's.
const USUAL_NAMES: [&str; 3] = ["portcullis", "kratos", "config"];
const USUAL_KINDS: [&str; 4] = ["yml", "yaml", "json", "toml"];
const OWN_KEYS: [&str; 3] = ["selfservice", "identity", "dsn"];

/// A configuration file in a folder in which a first run is about to begin: it was most likely meant, and a new database
/// beside it would look as if every account were lost. `None` where there is none, where a first run has already been, and
/// where the environment says where the data is. Blocks.
#[must_use]
pub fn forgotten_file(sources: &Sources, folder: &Path) -> Option<PathBuf> {
    let says_where = |(name, _): &(String, String)| name == DATA_VARIABLE || name == "DSN";
    if !sources.is_first_run() || sources.data_folder().exists() || sources.environment.iter().any(says_where) {
        return None;
    }
    let all = USUAL_NAMES.iter().flat_map(|name| USUAL_KINDS.iter().map(move |kind| folder.join(format!("{name}.{kind}"))));
    all.filter(|path| path.is_file())
        .find(|path| file::read(path).is_ok_and(|(keys, _)| OWN_KEYS.iter().any(|key| keys.contains_key(*key))))
}

/// Secrets made up by the program. They are not shown.
#[derive(Clone, Serialize, Deserialize)]
pub struct MadeSecrets {
    default: Vec<String>,
    cipher: Vec<String>,
}

impl std::fmt::Debug for MadeSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MadeSecrets([hidden])")
    }
}

impl MadeSecrets {
    /// Secrets that end with this process, for a server whose configuration has none: sessions end with it too. Data in
    /// the database is never encrypted with them.
    #[must_use]
    pub fn for_this_process(rng: &dyn Rng) -> Self {
        // 190 bits each; the cipher's secret must have 32 characters.
        Self { default: vec![random_text(rng, 32)], cipher: vec![random_text(rng, 32)] }
    }

    pub(super) fn default_secrets(&self) -> Value {
        json!(self.default)
    }

    pub(super) fn cipher_secrets(&self) -> Value {
        json!(self.cipher)
    }

    fn are_complete(&self) -> bool {
        let long = |list: &[String], fits: fn(usize) -> bool| !list.is_empty() && list.iter().all(|s| fits(s.len()));
        long(&self.default, |n| n >= 16) && long(&self.cipher, |n| n == 32)
    }
}

/// Why the secrets of a first run could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The file cannot be read.
    #[error("the secrets in {path} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be made.
    #[error("the secrets cannot be kept in {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error(
        "{0} does not hold the secrets that were once made there; without them stored data cannot be read, so nothing new is made up"
    )]
    Broken(PathBuf),
}

/// The secrets kept in a file, such as `data/secrets.json`; made up if there is no such file yet. Of several processes
/// that do this at once, all get the secrets of one. Blocks.
///
/// # Errors
/// If the file cannot be read or made, or holds something else.
pub fn secrets(path: &Path, rng: &dyn Rng) -> Result<MadeSecrets, SecretsError> {
    if let Some(kept) = read_secrets(path)? {
        return Ok(kept);
    }
    let failed = |source| SecretsError::Write { path: path.to_owned(), source };
    keep_secrets(path, &MadeSecrets::for_this_process(rng), rng).map_err(failed)?;
    // What is in the file counts: another process may have been faster.
    read_secrets(path)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
}

fn read_secrets(path: &Path) -> Result<Option<MadeSecrets>, SecretsError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(SecretsError::Read { path: path.to_owned(), source }),
    };
    let kept: Option<MadeSecrets> = serde_json::from_slice(&bytes).ok();
    kept.filter(MadeSecrets::are_complete).map(Some).ok_or_else(|| SecretsError::Broken(path.to_owned()))
}

/// Writes a file of another name, makes it durable and only then gives it its name, which fails if the name is taken: the
/// name never stands for half a file.
fn keep_secrets(path: &Path, made: &MadeSecrets, rng: &dyn Rng) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft = path.with_extension(format!("{}.new", random_text(rng, 12)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let written =
        serde_json::to_vec(made).map_err(io::Error::from).and_then(|text| file.write_all(&text)).and_then(|()| file.sync_all());
    let named = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Some file systems know no links.
        Err(_) if !path.exists() => fs::copy(&draft, path).map(|_| ()),
        other => other,
    });
    fs::remove_file(&draft)?;
    named?;
    #[cfg(unix)]
    fs::File::open(folder)?.sync_all()?;
    Ok(())
}

/// The data source name of a first run.
#[must_use]
pub fn database(sources: &Sources) -> String {
    format!("sqlite://{}", sources.data_folder().join("portcullis.db").display())
}

/// The file that keeps the secrets of a first run.
#[must_use]
pub fn secrets_file(sources: &Sources) -> PathBuf {
    sources.data_folder().join("secrets.json")
}

/// Fills in what a first run needs and nobody gave.
pub(super) fn complete(layers: &mut Layers, sources: &Sources) {
    layers.supply("dsn", json!(database(sources)));
    for (side, port) in [("public", 4433), ("admin", 4434)] {
        layers.supply(&format!("serve.{side}.host"), json!("127.0.0.1"));
        let port = layers.get(&format!("serve.{side}.port")).cloned().unwrap_or(json!(port));
        layers.supply(&format!("serve.{side}.base_url"), json!(format!("http://localhost:{port}/")));
    }
    let base = layers.get("serve.public.base_url").cloned().unwrap_or_default();
    layers.supply("selfservice.default_browser_return_url", base);
    layers.supply("selfservice.methods.password.config.haveibeenpwned_enabled", json!(false));
    // Whoever signs up on a built-in page is signed in.
    layers.supply("selfservice.flows.registration.after.password.hooks", json!([{"hook": "session"}]));
    let schema = format!("base64://{}", BASE64_STANDARD.encode(IDENTITY_SCHEMA));
    layers.supply("identity.schemas", json!([{"id": "default", "url": schema}]));
    if sources.secrets.is_some() {
        layers.supply("ciphers.algorithm", json!("xchacha20-poly1305"));
    }
    // Some browsers keep no Secure cookie of plain http, not even on this machine. Others must be able to reach neither
    // the port nor the name before that is given up.
    let text = |key: &str| layers.get(key).and_then(Value::as_str).unwrap_or_default();
    let plain = url::Url::parse(text("serve.public.base_url"))
        .is_ok_and(|u| u.scheme() == "http" && u.host_str().is_some_and(is_loopback_host));
    if plain && is_loopback_host(text("serve.public.host")) {
        layers.supply("cookies.secure", json!(false));
        layers.supply("session.cookie.secure", json!(false));
    }
}
