//! `format` and `lint`: Jsonnet files as people keep them.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use portcullis_core::jsonnet;

use super::{Failure, output, print_help};

/// The arguments of `format`.
#[derive(clap::Args)]
pub(super) struct FormatArgs {
    #[command(subcommand)]
    what: Option<FormatWhat>,
}

#[derive(Subcommand)]
enum FormatWhat {
    /// Print Jsonnet files in one way to write them, or rewrite them
    Jsonnet {
        /// The files
        #[arg(value_name = "FILES", required = true)]
        files: Vec<PathBuf>,
        /// Rewrite the files instead of printing
        #[arg(short, long)]
        write: bool,
    },
}

/// The arguments of `lint`.
#[derive(clap::Args)]
pub(super) struct LintArgs {
    #[command(subcommand)]
    what: Option<LintWhat>,
}

#[derive(Subcommand)]
enum LintWhat {
    /// Look for mistakes in Jsonnet files without evaluating them
    #[command(alias = "lint")]
    Jsonnet {
        /// The files
        #[arg(value_name = "FILES", required = true)]
        files: Vec<PathBuf>,
    },
}

/// `format`.
pub(super) fn run_format(args: &FormatArgs) -> Result<(), Failure> {
    let Some(FormatWhat::Jsonnet { files, write }) = &args.what else { return print_help(&["format"]) };
    each(files, |file, text| {
        let formatted = jsonnet::format(text).map_err(|e| format!("{} cannot be formatted: {e}", file.display()))?;
        if !*write {
            return output::print(&formatted).map_err(|e| e.to_string());
        }
        if formatted == text {
            return Ok(());
        }
        std::fs::write(file, formatted).map_err(|e| format!("{} cannot be written: {e}", file.display()))
    })
}

/// `lint`.
pub(super) fn run_lint(args: &LintArgs) -> Result<(), Failure> {
    let Some(LintWhat::Jsonnet { files }) = &args.what else { return print_help(&["lint"]) };
    each(files, |file, text| jsonnet::check(text).map_err(|e| format!("{}: {e}", file.display())))
}

/// Does something with each file, and tells of all that failed.
fn each(files: &[PathBuf], act: impl Fn(&Path, &str) -> Result<(), String>) -> Result<(), Failure> {
    let failures: Vec<String> = files
        .iter()
        .filter_map(|file| match std::fs::read_to_string(file) {
            Ok(text) => act(file, &text).err(),
            Err(error) => Some(format!("{} cannot be read: {error}", file.display())),
        })
        .collect();
    if failures.is_empty() { Ok(()) } else { Err(Failure::Said(failures.join("\n"))) }
}
