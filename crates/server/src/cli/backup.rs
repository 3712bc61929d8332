//! `backup`: a copy of the database while it is in use.

use std::path::PathBuf;

use super::source::Served;
use super::{Failure, output};

/// Its arguments.
///
/// The database is that of the configuration files or of the variable DSN; without either, that of a server without
/// configuration. The copy is one moment of it, for this user only, whole and on the disk when the command ends well.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The file to be made; an existing one is never overwritten
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    database: Served,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (dsn, secrets) = args.database.find()?;
    let bytes = portcullis_store::backup(&dsn, &args.file).map_err(Failure::of)?;
    output::print(&format!("Copied the database to {} ({bytes} bytes).\n", args.file.display()))?;
    let whose = match secrets {
        Some(path) => format!("those in {}", path.display()),
        None => "those of your configuration".to_owned(),
    };
    eprintln!("The secrets are not in the copy: keep {whose} as well, apart from it. Without them it cannot be used.");
    Ok(())
}
