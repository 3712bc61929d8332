//! `check`: looking for damage in the database.

use portcullis_store::Depth;
use serde_json::json;

use super::Failure;
use super::output::Style;
use super::progress::Progress;
use super::source::Served;

/// Its arguments.
///
/// The whole file is read, so this takes a while for a large one; servers may go on using it. The database is found as by
/// `backup`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    database: Served,
    /// Do not compare indexes with their tables, nor names with their owners: several times faster
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    style: Style,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (dsn, _) = args.database.find()?;
    let depth = if args.quick { Depth::Quick } else { Depth::Full };
    let progress = Progress::waiting("reading the database");
    let found = portcullis_store::check(&dsn, depth);
    drop(progress);
    let found = found.map_err(Failure::of_store)?;
    if found.is_empty() {
        return args.style.say("The database is sound.", json!({ "sound": true, "found": [] }));
    }
    if !args.style.is_for_people() {
        args.style.say("", json!({ "sound": false, "found": found }))?;
    }
    Err(Failure::Said(format!("the database is damaged: restore a backup.\n  {}", found.join("\n  "))))
}
