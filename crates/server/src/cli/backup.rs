//! `backup`: a copy of the database while it is in use.

use std::path::PathBuf;

use serde_json::json;

use super::Failure;
use super::output::Style;
use super::progress::Progress;
use super::source::Served;

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
    #[command(flatten)]
    style: Style,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (dsn, secrets) = args.database.find()?;
    let progress = Progress::waiting("copying the database");
    let copied = portcullis_store::backup(&dsn, &args.file);
    drop(progress);
    let bytes = copied.map_err(Failure::of)?;
    let file = args.file.display().to_string();
    args.style.say(&format!("Copied the database to {file} ({bytes} bytes)."), json!({ "file": file, "bytes": bytes }))?;
    let whose = match secrets {
        Some(path) => format!("those in {}", path.display()),
        None => "those of your configuration".to_owned(),
    };
    eprintln!("The secrets are not in the copy: keep {whose} as well, apart from it. Without them it cannot be used.");
    Ok(())
}
