//! `hashers argon2`: what password hashes cost on this machine.

mod calibrate;
mod load;

use std::time::{Duration, Instant};

use clap::Subcommand;
use portcullis_core::config::value::parse_byte_size;
use portcullis_core::config::{self, Flags, hashers};
use portcullis_core::crypto::password::{self, Algorithm, Argon2Settings, HashSettings};
use portcullis_core::crypto::{OsRng, Secret};
use portcullis_model::time::parse_duration;

use super::source::Files;
use super::{Failure, output, print_help};

/// Its arguments.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// The hash argon2id (RFC 9106)
    Argon2 {
        #[command(subcommand)]
        what: Option<Argon2>,
    },
}

#[derive(Subcommand)]
enum Argon2 {
    /// Find parameters for this machine
    Calibrate(calibrate::Calibrate),
    /// Hash passwords and tell how long each took
    Hash(Hash),
    /// Try how many sign-ins a minute this machine bears
    LoadTest(load::LoadTest),
}

/// How to hash: flags, else `hashers.argon2` of the configuration.
#[derive(clap::Args, Clone)]
struct Parameters {
    /// Memory of one hash, such as 128MB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,
    /// Passes over the memory
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    iterations: Option<u32>,
    #[command(flatten)]
    shape: Shape,
}

/// What no calibration changes.
#[derive(clap::Args, Clone)]
struct Shape {
    /// Lanes, 1 to 255
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=255))]
    parallelism: Option<u32>,
    /// Bytes of salt
    #[arg(long, value_parser = clap::value_parser!(u32).range(8..=1024))]
    salt_length: Option<u32>,
    /// Bytes of hash
    #[arg(long, value_parser = clap::value_parser!(u32).range(4..=1024))]
    key_length: Option<u32>,
    #[command(flatten)]
    files: Files,
}

#[derive(clap::Args)]
struct Hash {
    /// The passwords
    #[arg(value_name = "PASSWORDS", required = true)]
    passwords: Vec<String>,
    #[command(flatten)]
    parameters: Parameters,
    /// Hash all at once instead of one after another
    #[arg(long)]
    parallel: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.what {
        None => print_help(&["hashers"]),
        Some(What::Argon2 { what: None }) => print_help(&["hashers", "argon2"]),
        Some(What::Argon2 { what: Some(Argon2::Calibrate(args)) }) => calibrate::run(args),
        Some(What::Argon2 { what: Some(Argon2::Hash(args)) }) => hash(args),
        Some(What::Argon2 { what: Some(Argon2::LoadTest(args)) }) => load::run(args),
    }
}

fn hash(args: &Hash) -> Result<(), Failure> {
    let settings = args.parameters.settings()?;
    let begun = Instant::now();
    let all: Vec<Result<(Duration, String), Failure>> = if args.parallel {
        std::thread::scope(|scope| {
            let running: Vec<_> = args.passwords.iter().map(|p| scope.spawn(move || timed(settings, p))).collect();
            let ended = |_| Err(Failure::Said("a hash was broken off".to_owned()));
            running.into_iter().map(|thread| thread.join().unwrap_or_else(ended)).collect()
        })
    } else {
        args.passwords.iter().map(|password| timed(settings, password)).collect()
    };
    for (n, outcome) in all.into_iter().enumerate() {
        let (took, hash) = outcome?;
        output::print(&format!("{}  {}  {hash}\n", n + 1, shown(took)))?;
    }
    output::print(&format!("all  {}\n", shown(begun.elapsed())))
}

/// Hashes once, and tells how long it took.
fn timed(settings: Argon2Settings, password: &str) -> Result<(Duration, String), Failure> {
    let all = HashSettings { algorithm: Algorithm::Argon2id, argon2: settings, ..HashSettings::default() };
    let begun = Instant::now();
    let hash = password::hash(&all, &OsRng, &Secret::new(password)).map_err(Failure::of)?;
    Ok((begun.elapsed(), hash))
}

impl Parameters {
    fn settings(&self) -> Result<Argon2Settings, Failure> {
        let configured = self.shape.configured()?;
        let memory = kib(self.memory.unwrap_or(configured.memory));
        Ok(self.shape.settings(&configured, memory, self.iterations.unwrap_or(configured.iterations)))
    }
}

impl Shape {
    /// `hashers.argon2` of the configuration, or its defaults.
    fn configured(&self) -> Result<hashers::Argon2, Failure> {
        let all: hashers::Hashers = config::section(&self.files.sources(Flags::default()), "hashers").map_err(Failure::of)?;
        Ok(all.argon2)
    }

    fn settings(&self, configured: &hashers::Argon2, memory_kib: u32, iterations: u32) -> Argon2Settings {
        let length = |flag: Option<u32>, configured: usize| flag.and_then(|n| usize::try_from(n).ok()).unwrap_or(configured);
        Argon2Settings {
            memory_kib,
            iterations,
            parallelism: self.parallelism.unwrap_or_else(|| configured.lanes()),
            salt_length: length(self.salt_length, configured.salt_length),
            key_length: length(self.key_length, configured.key_length),
        }
    }
}

fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX)
}

/// A size as the configuration writes it.
fn size_text(kib: u32) -> String {
    let units = [(1 << 20, "GB"), (1 << 10, "MB"), (1, "KB")];
    let fits = units.iter().find(|(unit, _)| kib >= *unit && kib % unit == 0).unwrap_or(&(1, "KB"));
    format!("{}{}", kib / fits.0, fits.1)
}

fn size(text: &str) -> Result<u64, String> {
    parse_byte_size(text).ok_or_else(|| "must be a size such as 64MB or 1GB".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "must be a length of time such as 500ms or 1s".to_owned())
}

fn shown(length: Duration) -> String {
    format!("{:.1}ms", length.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_they_are_read() {
        for (kib, text) in [(1 << 20, "1GB"), (128 << 10, "128MB"), (1000, "1000KB"), (1536, "1536KB"), (0, "0KB")] {
            assert_eq!(size_text(kib), text);
            assert_eq!(parse_byte_size(text), Some(u64::from(kib) * 1024), "{text}");
        }
    }
}
