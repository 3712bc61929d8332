//! The command line. Results go to standard output, reasons of failures to standard error, the reason last.
//!
//! There are two exit statuses: 0 for success and for help, 1 for everything else.

mod jsonnet;
mod migrate;
mod output;
mod serve;
mod source;
mod version;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};

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
    /// Bring a database to another version
    Migrate(migrate::Args),
    /// Print version, commit and build time
    Version,
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
    /// A failure by what it says of itself.
    fn of(error: impl std::fmt::Display) -> Self {
        Self::Said(error.to_string())
    }
}

/// Runs the program with its arguments, the first of which is its own name.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            let _ = error.print();
            return if asked_for { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
    };
    let outcome = match cli.command {
        None => print_help(&[]),
        Some(Command::Serve(args)) => serve::run(&args),
        Some(Command::Migrate(args)) => migrate::run(&args),
        Some(Command::Version) => version::run(),
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

fn help(command: &[&str]) -> String {
    let mut at = Cli::command();
    at.build();
    for name in command {
        if let Some(below) = at.find_subcommand(name).cloned() {
            at = below;
        }
    }
    at.render_help().to_string()
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
