//! `completion`: scripts by which shells complete commands and flags.

use clap::{Command, ValueEnum};
use clap_complete::Shell;

use super::{Failure, command, output, print_help};

/// Its arguments.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The shell
    shell: Option<Kind>,
    /// Leave out what commands and flags are for
    #[arg(long)]
    no_descriptions: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

/// Prints a script.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let Some(kind) = args.shell else { return print_help(&["completion"]) };
    let shell = match kind {
        Kind::Bash => Shell::Bash,
        Kind::Zsh => Shell::Zsh,
        Kind::Fish => Shell::Fish,
        Kind::Powershell => Shell::PowerShell,
    };
    let mut all = command();
    if args.no_descriptions {
        all = bare(all);
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut all, "portcullis", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}

/// A command and all below it, without descriptions.
fn bare(command: Command) -> Command {
    command.about(None).long_about(None).mut_args(|arg| arg.help(None).long_help(None)).mut_subcommands(bare)
}
