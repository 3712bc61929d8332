//! `doctor`: reads a configuration as a careful operator would, and says key by key what will bite.

mod addresses;
mod cookies;
mod keys;
mod messages;
mod outside;
mod strength;
#[cfg(test)]
mod tests;

use std::time::Duration;

use portcullis_core::config::{self, Config, Flags};
use portcullis_core::crypto::OsRng;
use portcullis_core::crypto::Secret;
use portcullis_core::crypto::password;
use portcullis_core::hook;
use serde::Serialize;
use serde_json::json;

use super::output::{Listing, Style};
use super::source::Files;
use super::{Failure, process};
use crate::app;

/// How long one hash may take, and how long it should at least: what people do not mind and what guesses are slowed down by.
const SLOW: Duration = Duration::from_millis(1000);
const CHEAP: Duration = Duration::from_millis(20);

/// Its arguments.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    files: Files,
    /// The server will be started with --dev
    #[arg(long)]
    dev: bool,
    #[command(flatten)]
    style: Style,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// It does not work, or is not safe.
    Serious,
    /// It works, but probably not as it is meant.
    Warning,
    /// Good to know.
    Note,
}

/// Something about a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    level: Level,
    /// The key, with dots.
    key: String,
    /// What is the matter. It shows no secret.
    problem: String,
    /// What to do.
    advice: String,
}

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, level: Level, key: &str, problem: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Finding { level, key: key.to_owned(), problem: problem.into(), advice: advice.into() });
    }

    fn serious(&mut self, key: &str, problem: impl Into<String>, advice: impl Into<String>) {
        self.add(Level::Serious, key, problem, advice);
    }

    fn warn(&mut self, key: &str, problem: impl Into<String>, advice: impl Into<String>) {
        self.add(Level::Warning, key, problem, advice);
    }

    fn note(&mut self, key: &str, problem: impl Into<String>, advice: impl Into<String>) {
        self.add(Level::Note, key, problem, advice);
    }
}

/// This machine.
struct Machine {
    /// How long one password hash takes.
    hash: Duration,
    /// Bytes of memory, if the system tells.
    memory: Option<u64>,
    /// Processors.
    processors: u64,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut sources = args.files.sources(Flags { dev: args.dev, ..Flags::default() });
    let made_up = sources.is_first_run();
    if made_up {
        sources.secrets = Some(process::secrets(&sources)?);
    }
    let loaded = config::load(&sources).map_err(Failure::of)?;
    let machine = Machine::measured(&loaded.config)?;
    let findings = examine(&loaded.config, &loaded.warnings, &machine);
    let serious = findings.iter().filter(|f| f.level == Level::Serious).count();
    args.style.print(&listing(&findings))?;
    match serious {
        0 => Ok(()),
        1 => Err(Failure::Said("1 finding is serious".to_owned())),
        several => Err(Failure::Said(format!("{several} findings are serious"))),
    }
}

fn listing(findings: &[Finding]) -> Listing {
    let word = |level| match level {
        Level::Serious => "SERIOUS",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    let row =
        |f: &Finding| vec![word(f.level).to_owned(), f.key.clone(), format!("{} {}", sentence(&f.problem), sentence(&f.advice))];
    let rows = if findings.is_empty() {
        vec![vec!["good".to_owned(), String::new(), "Nothing was found that will bite.".to_owned()]]
    } else {
        findings.iter().map(row).collect()
    };
    Listing {
        value: json!({ "findings": findings }),
        ids: findings.iter().map(|f| f.key.clone()).collect(),
        columns: &["level", "key", "what"],
        rows,
    }
}

/// A text with a capital at its beginning and a full stop at its end.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}

impl Machine {
    /// Hashes a password twice, the first time to warm up.
    fn measured(config: &Config) -> Result<Self, Failure> {
        let settings = config.hash_settings();
        let mut took = Duration::ZERO;
        for _ in 0..2 {
            let began = std::time::Instant::now();
            password::hash(&settings, &OsRng, &Secret::new("a password that nobody has")).map_err(Failure::of)?;
            took = began.elapsed();
        }
        let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_memory(&text));
        let processors = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
        Ok(Self { hash: took, memory, processors })
    }
}

/// The bytes of memory that Linux tells.
fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib.saturating_mul(1024))
}

/// Everything about a configuration that will bite, the worst first.
fn examine(config: &Config, warnings: &[String], machine: &Machine) -> Vec<Finding> {
    let mut found = Findings::default();
    addresses::examine(config, &mut found);
    cookies::examine(config, &mut found);
    keys::examine(config, &mut found);
    messages::examine(config, &mut found);
    outside::examine(config, &mut found);
    strength::examine(config, &mut found);
    hashes(config, machine, &mut found);
    rest(config, &mut found);
    // What the server warns of when it starts, unless it was said already.
    for warning in warnings {
        let key = warning.split([' ', ':']).next().unwrap_or_default();
        let known = |f: &Finding| f.key == key || f.key.starts_with(&format!("{key}."));
        if !found.0.iter().any(known) {
            let problem = warning.strip_prefix(key).unwrap_or(warning).trim_start_matches([':', ' ']);
            found.warn(key, problem, "the server says so at its start");
        }
    }
    let mut all = found.0;
    all.sort_by(|a, b| a.level.cmp(&b.level).then_with(|| a.key.cmp(&b.key)));
    all
}

fn hashes(config: &Config, machine: &Machine, found: &mut Findings) {
    use portcullis_core::config::hashers::HashAlgorithm;
    let millis = machine.hash.as_millis();
    let (key, down, up) = match config.hashers.algorithm {
        HashAlgorithm::Bcrypt => ("hashers.bcrypt.cost", "lower the cost", "raise the cost"),
        HashAlgorithm::Argon2 => {
            ("hashers.argon2", "let `portcullis hashers argon2 calibrate` find parameters", "raise memory or iterations")
        }
    };
    if machine.hash > SLOW {
        found.warn(key, format!("a password takes {millis} ms to check on this machine, and people wait for it"), down);
    } else if machine.hash < CHEAP {
        let problem = format!("a password takes only {millis} ms to check on this machine: stolen hashes are guessed quickly");
        found.warn(key, problem, up);
    }
    if config.hashers.algorithm == HashAlgorithm::Argon2
        && let Some(memory) = machine.memory
    {
        let all = config.hashers.argon2.memory.saturating_mul(machine.processors);
        if all > memory / 2 {
            let problem = format!(
                "hashing on {} processors at once takes {} MiB, more than half of the {} MiB of this machine",
                machine.processors,
                all >> 20,
                memory >> 20
            );
            found.serious("hashers.argon2.memory", problem, "lower it");
        }
    }
}

/// What belongs nowhere else.
fn rest(config: &Config, found: &mut Findings) {
    if config.dsn.expose() == "memory" {
        found.serious("dsn", "everything is lost when the server ends", "name a file: sqlite:///var/lib/portcullis/db.sqlite");
    }
    if let Some(path) = config.dsn.expose().strip_prefix("sqlite://").filter(|path| in_temporary_folder(path)) {
        let path = path.split('?').next().unwrap_or_default();
        // Whoever tries things out on their own machine does so on purpose.
        let level = if addresses::is_local(config.public_base_url()) { Level::Note } else { Level::Serious };
        found.add(level, "dsn", format!("{path} is in a folder that is emptied now and then"), "name a folder that stays");
    }
    if let Ok(url) = url::Url::parse(config.dsn.expose())
        && url.scheme().starts_with("postgres")
        && !addresses::is_local(&url)
        && url.query_pairs().any(|(name, value)| name == "sslmode" && value == "disable")
    {
        let problem = "everything goes to the database server without encryption, its password too";
        found.warn("dsn", problem, "leave sslmode out, or set it to verify-full");
    }
    if config.log.leak_sensitive_values {
        found.serious("log.leak_sensitive_values", "secrets and addresses may reach the log", "turn it off");
    }
    for (place, name) in app::unknown_hooks(config, &hook::all()) {
        let problem = format!("the hook {name:?} ({place}) is not run by this release");
        found.serious("selfservice.flows", problem, "take it out, or do not rely on it");
    }
    for schema in config.identity.schemas.iter().filter(|s| s.url.starts_with("http://")) {
        let problem =
            format!("the identity schema {:?} is fetched without https: whoever is on the way decides over traits", schema.id);
        found.warn("identity.schemas", problem, "use https, a file or base64");
    }
}

/// Whether a file is where systems keep what need not last.
fn in_temporary_folder(path: &str) -> bool {
    ["/tmp/", "/var/tmp/", "/dev/shm/", "/run/"].iter().any(|folder| path.starts_with(folder))
}
