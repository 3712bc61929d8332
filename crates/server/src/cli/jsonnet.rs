//! `jsonnet`, hidden: the process in which the server evaluates Jsonnet.

use std::process::ExitCode;

/// Its arguments.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Separate requests and answers by NUL bytes; there is no other way
    #[arg(short = '0', hide = true)]
    null: bool,
}

/// Works until standard input ends.
pub(super) fn run(_: &Args) -> ExitCode {
    portcullis_core::jsonnet::worker_main()
}
