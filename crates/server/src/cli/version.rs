//! `version`.

use serde_json::json;

use super::Failure;
use super::output::Style;
use crate::build;

/// Its arguments.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    style: Style,
}

/// Prints which build this is.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (version, commit, time) = (build::VERSION, build::COMMIT, build::TIME);
    let words = format!("Version:    {version}\nCommit:     {commit}\nBuild time: {time}");
    args.style.say(&words, json!({ "version": version, "commit": commit, "build_time": time }))
}
