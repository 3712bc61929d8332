//! From the sources to a configuration that was accepted.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::first_run::{self, MadeSecrets};
use super::layers::{Layers, Origin};
use super::schema::schema;
use super::value::Secret;
use super::violation::{ConfigErrors, Violation, judge};
use super::{Config, access, check, complete, environment, file};

/// Where a configuration comes from. Later sources win: files in order, environment, flags.
#[derive(Clone, Default)]
pub struct Sources {
    /// The files (`-c`), in order. None at all: the built-in configuration of a first run.
    pub files: Vec<PathBuf>,
    /// All variables of the environment.
    pub environment: Vec<(String, String)>,
    /// What the command line says.
    pub flags: Flags,
    /// Secrets made up by the program, for when no source gives any: see [`first_run::secrets`] and
    /// [`MadeSecrets::for_this_process`].
    pub secrets: Option<MadeSecrets>,
}

impl Sources {
    /// Whether there is no file, so that the built-in configuration is used.
    #[must_use]
    pub fn is_first_run(&self) -> bool {
        self.files.is_empty()
    }

    /// The folder of a first run's database and secrets: `PORTCULLIS_DATA`, else `data` in the working directory. It is
    /// for the caller to make.
    #[must_use]
    pub fn data_folder(&self) -> PathBuf {
        let given = self.environment.iter().find(|(name, value)| name == first_run::DATA_VARIABLE && !value.is_empty());
        PathBuf::from(given.map_or("data", |(_, value)| value.as_str()))
    }
}

impl fmt::Debug for Sources {
    /// The environment is full of secrets, so it is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("files", &self.files).field("flags", &self.flags).finish_non_exhaustive()
    }
}

/// Flags of the command line. What is not given leaves the other sources alone.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--dev`.
    pub dev: bool,
    /// `--watch-courier`.
    pub watch_courier: bool,
    /// `--sqa-opt-out`.
    pub sqa_opt_out: bool,
    /// `--expose-metrics-port`.
    pub expose_metrics_port: Option<u16>,
    /// `--database.cleanup.batch_size`.
    pub cleanup_batch_size: Option<u32>,
    /// `--database.cleanup.sleep.tables`, in Go's notation.
    pub cleanup_sleep: Option<String>,
}

/// An accepted configuration.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is legal but seldom meant, in sentences for the log.
    pub warnings: Vec<String>,
    /// Whether the built-in configuration of a first run is the base of it.
    pub first_run: bool,
}

/// Loads a configuration. Blocks on reading the files.
///
/// # Errors
/// Everything that is wrong with it. If files cannot be read or parsed, only that: the rest cannot be judged then.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    assemble(read_files(sources)?, sources, sources.is_first_run())
}

/// The database that the environment (`DSN`) or a file names, for commands that need nothing else: the rest is not judged.
/// Blocks on reading the files.
///
/// # Errors
/// If files cannot be read or parsed.
pub fn dsn(sources: &Sources) -> Result<Option<Secret>, ConfigErrors> {
    let told = sources.environment.iter().find(|(name, value)| name.eq_ignore_ascii_case("dsn") && !value.is_empty());
    if let Some((_, dsn)) = told {
        return Ok(Some(Secret::new(dsn.as_str())));
    }
    Ok(read_files(sources)?.get("dsn").and_then(Value::as_str).map(Secret::new))
}

/// One section at the top, such as `hashers`, for commands that need nothing else: the rest is neither demanded nor judged.
/// Its defaults are filled in. Blocks on reading the files.
///
/// # Errors
/// If files cannot be read or parsed; everything that is wrong with the section.
pub fn section<T: DeserializeOwned>(sources: &Sources, name: &str) -> Result<T, ConfigErrors> {
    let schema = schema();
    let mut layers = read_files(sources)?;
    let mut violations = environment::lay(schema, &sources.environment, &mut layers);
    lay_flags(&sources.flags, &mut layers);
    let (mut root, origins) = layers.into_root();
    complete::complete(schema, &mut root);
    let mut value = Value::Object(root);
    violations.extend(judge(schema, &value, |path| origins.of(path).cloned()));
    violations.retain(|v| v.key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')));
    if !violations.is_empty() {
        return Err(ConfigErrors::new(violations));
    }
    let section = value.get_mut(name).map(Value::take).unwrap_or_default();
    T::deserialize(section)
        .map_err(|error| ConfigErrors::new(vec![Violation::of_key(name, format!("does not fit the program: {error}"), None)]))
}

fn read_files(sources: &Sources) -> Result<Layers, ConfigErrors> {
    let mut layers = Layers::default();
    let mut unreadable = Vec::new();
    for path in &sources.files {
        match file::read(path) {
            Ok(document) => layers.lay(document, &Origin::File(path.clone())),
            Err(violation) => unreadable.push(violation),
        }
    }
    if unreadable.is_empty() { Ok(layers) } else { Err(ConfigErrors::new(unreadable)) }
}

/// Accepts a configuration given as a value, as if it stood in a file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn from_value(value: Value) -> Result<Loaded, ConfigErrors> {
    let mut layers = Layers::default();
    let origin = Origin::File(PathBuf::from("(a value)"));
    match value {
        Value::Object(document) => layers.lay(document, &origin),
        _ => return Err(ConfigErrors::new(vec![Violation::of_file(origin, "must be a mapping of keys to values".to_owned())])),
    }
    assemble(layers, &Sources::default(), false)
}

fn assemble(mut layers: Layers, sources: &Sources, first_run: bool) -> Result<Loaded, ConfigErrors> {
    let schema = schema();
    let mut violations = environment::lay(schema, &sources.environment, &mut layers);
    lay_flags(&sources.flags, &mut layers);
    if first_run {
        first_run::complete(&mut layers, sources);
    }
    let (mut root, origins) = layers.into_root();
    let strangers = complete::complete(schema, &mut root);
    // Secrets that the program made up would give the same configuration another fingerprint at every start.
    let fingerprint = access::hex(Sha256::digest(canonical(&root)).as_slice());
    let secrets = add_made_secrets(&mut root, sources, first_run);

    let value = Value::Object(root);
    violations.extend(judge(schema, &value, |path| origins.of(path).cloned()));
    if !violations.is_empty() {
        return Err(ConfigErrors::new(violations));
    }

    let mut value = value;
    add_base_urls(&mut value);
    let mut config = Config::deserialize(value).map_err(|error| {
        // The schema is narrower than the types, so this tells of a mistake in one of them.
        ConfigErrors::new(vec![Violation::of_key("configuration", format!("does not fit the program: {error}"), None)])
    })?;
    config.fingerprint = fingerprint;
    if config.revision.is_empty() {
        config.revision.clone_from(&config.fingerprint);
    }
    let refusals = check::refuse(&config, &origins);
    if !refusals.is_empty() {
        return Err(ConfigErrors::new(refusals));
    }
    let mut warnings = check::strangers(&strangers, &origins);
    if secrets == CookieSecrets::Passing {
        warnings.push(
            "secrets.cookie and secrets.default are not set: a secret is made up, and sessions end with this process".to_owned(),
        );
    }
    warnings.extend(check::warn(&config, &origins));
    Ok(Loaded { config, warnings, first_run })
}

fn lay_flags(flags: &Flags, layers: &mut Layers) {
    let given = [
        (flags.dev.then(|| json!({"dev": true})), "--dev"),
        (flags.watch_courier.then(|| json!({"watch-courier": true})), "--watch-courier"),
        (flags.sqa_opt_out.then(|| json!({"sqa-opt-out": true})), "--sqa-opt-out"),
        (flags.expose_metrics_port.map(|port| json!({"expose-metrics-port": port})), "--expose-metrics-port"),
        (
            flags.cleanup_batch_size.map(|size| json!({"database": {"cleanup": {"batch_size": size}}})),
            "--database.cleanup.batch_size",
        ),
        (
            flags.cleanup_sleep.as_ref().map(|pause| json!({"database": {"cleanup": {"sleep": {"tables": pause}}}})),
            "--database.cleanup.sleep.tables",
        ),
    ];
    for (value, name) in given {
        if let Some(Value::Object(document)) = value {
            layers.lay(document, &Origin::Flag(name));
        }
    }
}

/// How long the secrets of cookies will last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CookieSecrets {
    /// As long as somebody keeps them.
    Lasting,
    /// As long as the process.
    Passing,
}

/// Made-up secrets stand in for what nobody gave. Those for data in the database must outlive the process, so they are
/// used on a first run only, where they are kept in a file.
fn add_made_secrets(root: &mut Map<String, Value>, sources: &Sources, first_run: bool) -> CookieSecrets {
    let given = root.get("secrets").is_some_and(|s| has_entries(s.get("cookie")) || has_entries(s.get("default")));
    if let Some(made) = &sources.secrets
        && let Value::Object(secrets) = root.entry("secrets").or_insert_with(|| json!({}))
    {
        if !given {
            secrets.insert("default".to_owned(), made.default_secrets());
        }
        if first_run && !secrets.contains_key("cipher") {
            secrets.insert("cipher".to_owned(), made.cipher_secrets());
        }
    }
    if given || first_run && sources.secrets.is_some() { CookieSecrets::Lasting } else { CookieSecrets::Passing }
}

fn has_entries(value: Option<&Value>) -> bool {
    // What is no list is for validation to judge.
    value.is_some_and(|v| v.as_array().is_none_or(|list| !list.is_empty()))
}

/// Works out the base URLs that nobody gave.
fn add_base_urls(value: &mut Value) {
    let dev = value.get("dev").and_then(Value::as_bool).unwrap_or(false);
    for side in ["public", "admin"] {
        let Some(Value::Object(listener)) = value.pointer_mut(&format!("/serve/{side}")) else { continue };
        if !listener.contains_key("base_url") {
            let url = default_base_url(listener, dev);
            listener.insert("base_url".to_owned(), url.into());
        }
    }
}

fn default_base_url(listener: &Map<String, Value>, dev: bool) -> String {
    let tls =
        |part: &str| listener.get("tls").and_then(|t| t.get(part)).and_then(Value::as_object).is_some_and(|p| !p.is_empty());
    let scheme = if dev && !(tls("cert") && tls("key")) { "http" } else { "https" };
    let host = match listener.get("host").and_then(Value::as_str).unwrap_or_default() {
        "" | "0.0.0.0" | "::" | "[::]" => machine_name(),
        host if host.starts_with("unix:") => "localhost".to_owned(),
        host if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
        host => host.to_owned(),
    };
    let port = listener.get("port").and_then(Value::as_u64).unwrap_or_default();
    let url = format!("{scheme}://{host}:{port}/");
    // A name that fits no URL must not end the server: it is only a default.
    if super::BaseUrl::parse(&url).is_some() { url } else { format!("{scheme}://localhost:{port}/") }
}

fn machine_name() -> String {
    hostname::get()
        .ok()
        .and_then(|name| name.into_string().ok())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}

/// One text for one configuration: mappings sorted by key.
fn canonical(root: &Map<String, Value>) -> String {
    fn write(value: &Value, out: &mut String) {
        match value {
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                out.push('{');
                for (key, value) in entries {
                    out.push_str(&Value::from(key.as_str()).to_string());
                    out.push(':');
                    write(value, out);
                    out.push(',');
                }
                out.push('}');
            }
            Value::Array(list) => {
                out.push('[');
                for value in list {
                    write(value, out);
                    out.push(',');
                }
                out.push(']');
            }
            scalar => out.push_str(&scalar.to_string()),
        }
    }
    let mut out = String::new();
    for key in sorted_keys(root) {
        if let Some(value) = root.get(key) {
            out.push_str(key);
            out.push('=');
            write(value, &mut out);
            out.push('\n');
        }
    }
    out
}

fn sorted_keys(root: &Map<String, Value>) -> Vec<&String> {
    let mut keys: Vec<&String> = root.keys().collect();
    keys.sort_unstable();
    keys
}
