//! The command line. Results go to standard output, reasons of failures to standard error, the reason last.
//!
//! There are two exit statuses: 0 for success and for help, 1 for everything else.

mod argument;
mod backup;
mod check;
mod cleanup;
mod completion;
mod courier;
mod doctor;
mod endpoint;
mod format;
mod hashers;
mod identities;
mod jsonnet;
mod kratos;
mod migrate;
mod output;
mod own;
mod phones;
mod process;
mod progress;
mod remote;
mod serve;
mod source;
mod version;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};
use portcullis_store::StoreError;

/// Identities and self-service user management.
#[derive(Parser)]
#[command(name = "portcullis", disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the public and the admin port
    Serve(serve::Args),
    /// Send messages beside servers
    Courier(courier::Args),
    /// Bring a database to another version
    Migrate(migrate::Args),
    /// Copy a SQLite database while it is in use
    Backup(backup::Args),
    /// Look for damage in a SQLite database
    Check(check::Args),
    /// Read a configuration and say what will bite
    Doctor(doctor::Args),
    /// Remove what is past its time
    Cleanup(cleanup::Args),
    /// Print identities of a running server
    Get(identities::GetArgs),
    /// Print lists of a running server
    #[command(visible_alias = "ls")]
    List(identities::ListArgs),
    /// Take over identities: from files, or from the database of another server
    Import(identities::ImportArgs),
    /// Write things of a database to a file
    Export(identities::ExportArgs),
    /// Check files before an import
    Validate(identities::ValidateArgs),
    /// Delete things on a running server
    Delete(identities::DeleteArgs),
    /// Ask a running server how it is
    Remote(remote::Args),
    /// Measure password hashes on this machine
    Hashers(hashers::Args),
    /// Format files
    Format(format::FormatArgs),
    /// Look for mistakes in files
    Lint(format::LintArgs),
    /// Print a script for the completion of commands in a shell
    Completion(completion::Args),
    /// Print version, commit and build time
    Version(version::Args),
    /// Evaluate Jsonnet; used by the server itself
    #[command(hide = true)]
    Jsonnet(jsonnet::Args),
}

/// Why a command failed, in words for the person who gave it.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// What to say.
    #[error("{0}")]
    Said(String),
    /// The arguments make no sense together: the usage of these commands is printed.
    #[error("{reason}")]
    Usage {
        /// What is missing or wrong.
        reason: String,
        /// The command and its subcommands.
        command: &'static [&'static str],
    },
}

impl Failure {
    /// A database that cannot be used, and what to do about it.
    fn of_store(error: StoreError) -> Self {
        let advice = match &error {
            StoreError::Corrupt(_) => "; look closer with `portcullis check`, and restore a backup",
            StoreError::Full => "; make room and start again, nothing was lost",
            StoreError::Busy => "; is another program holding it?",
            _ => "",
        };
        Self::Said(format!("the database cannot be used: {error}{advice}"))
    }

    /// A failure by what it says of itself.
    fn of(error: impl std::fmt::Display) -> Self {
        Self::Said(error.to_string())
    }
}

/// Runs the program with its arguments, the first of which is its own name.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            if !asked_for && !error.to_string().contains("Usage:") {
                eprintln!("{}\n", usage(&arguments));
            }
            let _ = error.print();
            return if asked_for { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
    };
    let outcome = match cli.command {
        None => print_help(&[]),
        Some(Command::Serve(args)) => serve::run(&args),
        Some(Command::Courier(args)) => courier::run(&args),
        Some(Command::Migrate(args)) => migrate::run(&args),
        Some(Command::Backup(args)) => backup::run(&args),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Doctor(args)) => doctor::run(&args),
        Some(Command::Cleanup(args)) => cleanup::run(&args),
        Some(Command::Get(args)) => identities::run_get(&args),
        Some(Command::List(args)) => identities::run_list(&args),
        Some(Command::Import(args)) => identities::run_import(&args),
        Some(Command::Export(args)) => identities::run_export(&args),
        Some(Command::Validate(args)) => identities::run_validate(&args),
        Some(Command::Delete(args)) => identities::run_delete(&args),
        Some(Command::Remote(args)) => remote::run(&args),
        Some(Command::Hashers(args)) => hashers::run(&args),
        Some(Command::Format(args)) => format::run_format(&args),
        Some(Command::Lint(args)) => format::run_lint(&args),
        Some(Command::Completion(args)) => completion::run(&args),
        Some(Command::Version(args)) => version::run(&args),
        Some(Command::Jsonnet(args)) => return jsonnet::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Failure::Usage { command, .. } = &failure {
                eprint!("{}", help(command));
            }
            eprintln!("portcullis: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the usage of a command to standard output.
fn print_help(command: &[&str]) -> Result<(), Failure> {
    output::print(&help(command))
}

/// Installs the one TLS library, before anything asks for it.
fn install_tls() {
    // It fails only where one is installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// All commands, as they are declared.
fn command() -> clap::Command {
    Cli::command()
}

fn help(command: &[&str]) -> String {
    find(command.iter()).render_help().to_string()
}

/// How the command is used that these arguments begin with.
fn usage(arguments: &[OsString]) -> String {
    find(arguments.iter().skip(1)).render_usage().to_string()
}

/// The command that these words lead to, as far as they name commands.
fn find(words: impl Iterator<Item = impl AsRef<OsStr>>) -> clap::Command {
    let mut at = self::command();
    at.build();
    for word in words {
        match at.find_subcommand(word.as_ref()).cloned() {
            Some(below) => at = below,
            None => break,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_words_fail_and_help_does_not() {
        for (words, succeeds) in [
            (&["portcullis", "help"][..], true),
            (&["portcullis"], true),
            (&["portcullis", "serve", "--help"], true),
            (&["portcullis", "courier"], true),
            (&["portcullis", "courier", "watch", "--help"], true),
            (&["portcullis", "courier", "nope"], false),
            (&["portcullis", "courier", "watch", "--expose-metrics-port", "x"], false),
            (&["portcullis", "migrate"], true),
            (&["portcullis", "migrate", "--help"], true),
            (&["portcullis", "version"], true),
            (&["portcullis", "nope"], false),
            (&["portcullis", "migrate", "nope"], false),
            (&["portcullis", "serve", "--nope"], false),
            (&["portcullis", "migrate", "sql", "up"], false),
            (&["portcullis", "migrate", "sql", "down", "memory", "-y"], false),
        ] {
            let code = run(words.iter().map(OsString::from));
            assert_eq!(code == ExitCode::SUCCESS, succeeds, "{words:?}");
        }
    }
}
