//! `check`: looking for damage in the database.

use portcullis_store::Depth;

use super::source::Served;
use super::{Failure, output};

/// Its arguments.
///
/// The whole file is read, so this takes a while for a large one; servers may go on using it. The database is found as by
/// `backup`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    database: Served,
    /// Do not compare indexes with their tables: several times faster
    #[arg(long)]
    quick: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (dsn, _) = args.database.find()?;
    let depth = if args.quick { Depth::Quick } else { Depth::Full };
    let found = portcullis_store::check(&dsn, depth).map_err(Failure::of_store)?;
    if found.is_empty() {
        return output::print("The database is sound.\n");
    }
    Err(Failure::Said(format!("the database is damaged: restore a backup.\n  {}", found.join("\n  "))))
}
