//! `cleanup sql`: removes what is past its time from a database, for operators who would rather not leave it to the server.

use std::time::Duration;

use clap::Subcommand;
use portcullis_core::config::{self, Flags, database};
use portcullis_core::crypto::SystemClock;
use portcullis_model::clock::Clock as _;
use portcullis_store::jobs::{Retention, sweep};
use portcullis_store::{OpenOptions, Store};
use serde_json::json;

use super::argument::duration;
use super::output::Style;
use super::progress::Progress;
use super::source::Database;
use super::{Failure, print_help};

/// Its arguments.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// Remove expired flows, sessions, codes and changes that wait for a sign-in
    ///
    /// A running server does this by itself, a while after things ended. Without DSN the database is read from the
    /// environment or from configuration files.
    Sql(Sql),
}

#[derive(clap::Args)]
struct Sql {
    #[command(flatten)]
    database: Database,
    /// How many rows of a table are removed at once
    #[arg(short, long = "database.cleanup.batch_size", value_name = "ROWS", value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: Option<u32>,
    /// The pause between two tables, such as 1m
    #[arg(long = "database.cleanup.sleep.tables", value_name = "DURATION", value_parser = duration_text)]
    pause: Option<String>,
    /// Keep what ended less long ago than this, such as 24h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    keep_last: Option<Duration>,
    #[command(flatten)]
    style: Style,
}

fn duration_text(text: &str) -> Result<String, String> {
    duration(text).map(|_| text.to_owned())
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let Some(What::Sql(args)) = &args.what else { return print_help(&["cleanup"]) };
    let flags = Flags { cleanup_batch_size: args.batch_size, cleanup_sleep: args.pause.clone(), ..Flags::default() };
    let settings: database::Database = config::section(&args.database.files.sources(flags), "database").map_err(Failure::of)?;
    let dsn = args.database.name_or_environment(&["cleanup", "sql"])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::of)?;
    runtime.block_on(async {
        let store =
            Store::open(&dsn, OpenOptions { create: false, ..OpenOptions::default() }).await.map_err(Failure::of_store)?;
        let outcome = clean(&store, &settings.cleanup, args.keep_last).await;
        let closed = store.close().await.map_err(Failure::of_store);
        let removed = outcome?;
        args.style.say(&format!("Removed {removed} rows."), json!({ "removed": removed }))?;
        closed
    })
}

/// Goes from table to table; gives the number of rows removed.
async fn clean(store: &Store, settings: &database::Cleanup, keep_last: Option<Duration>) -> Result<u64, Failure> {
    store.ready().await.map_err(Failure::of_store)?;
    let kept = Some(keep_last.unwrap_or(settings.older_than));
    let none =
        Retention { flows: None, sessions: None, errors: None, codes: None, parked: None, messages: None, hook_calls: None };
    let rounds = [
        Retention { parked: kept, ..none },
        Retention { codes: kept, ..none },
        Retention { flows: kept, ..none },
        Retention { sessions: kept, ..none },
    ];
    let progress = Progress::waiting("removing what is past its time");
    let mut removed = 0;
    for (n, round) in rounds.iter().enumerate() {
        if n > 0 {
            tokio::time::sleep(settings.sleep.tables).await;
        }
        let swept = sweep(store, SystemClock.now(), round, settings.batch_size).await.map_err(Failure::of_store)?;
        removed += swept.parked + swept.codes + swept.flows + swept.sessions + swept.guesses;
        progress.at(removed);
    }
    Ok(removed)
}
