//! `migrate`: bringing a database to another version, and telling which one it has.

use std::io::{BufRead as _, Write as _};
use std::time::Duration;

use clap::Subcommand;
use portcullis_store::{MigrationStatus, OpenOptions, Store};
use serde_json::json;

use super::output::{Listing, Style};
use super::phones;
use super::progress::Progress;
use super::source::Database;
use super::{Failure, print_help};

/// How often `--block` looks.
const LOOK: Duration = Duration::from_millis(500);

/// Its arguments.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// Apply, undo and list migrations of a database
    Sql(Sql),
    /// Write phone numbers that are stored in another form as E.164
    ///
    /// Servers have always stored them so; it is for what was written by anything else. It can be given again at any time.
    NormalizePhoneNumbers(phones::Args),
}

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
struct Sql {
    #[command(subcommand)]
    step: Option<Step>,
    #[command(flatten)]
    up: Up,
}

#[derive(Subcommand)]
enum Step {
    /// Apply all pending migrations
    Up(Up),
    /// Undo the last migrations
    Down(Down),
    /// List migrations
    Status(Status),
}

#[derive(clap::Args)]
struct Up {
    #[command(flatten)]
    database: Database,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    style: Style,
}

#[derive(clap::Args)]
struct Down {
    #[command(flatten)]
    database: Database,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// How many migrations to undo
    #[arg(long, default_value_t = 0)]
    steps: usize,
    #[command(flatten)]
    style: Style,
}

#[derive(clap::Args)]
struct Status {
    #[command(flatten)]
    database: Database,
    /// Wait until none is pending
    #[arg(long)]
    block: bool,
    #[command(flatten)]
    style: Style,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let sql = match &args.what {
        None => return print_help(&["migrate"]),
        Some(What::NormalizePhoneNumbers(args)) => return phones::run(args),
        Some(What::Sql(sql)) => sql,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::of)?;
    runtime.block_on(async {
        match &sql.step {
            None => {
                eprintln!("`migrate sql` is the old name of `migrate sql up`.");
                up(&sql.up).await
            }
            Some(Step::Up(args)) => up(args).await,
            Some(Step::Down(args)) => down(args).await,
            Some(Step::Status(args)) => status(args).await,
        }
    })
}

async fn open(database: &Database, command: &'static [&'static str]) -> Result<Store, Failure> {
    let dsn = database.name(command)?;
    Store::open(&dsn, OpenOptions::default()).await.map_err(Failure::of_store)
}

async fn up(args: &Up) -> Result<(), Failure> {
    let store = open(&args.database, &["migrate", "sql", "up"]).await?;
    let pending = store.migration_status().await.map_err(Failure::of_store)?.iter().filter(|m| !m.applied).count();
    if pending == 0 {
        return args.style.say("Nothing to do: the database has all migrations.", json!({ "applied": 0 }));
    }
    agree(args.yes, &format!("Apply {pending} migrations?"))?;
    let progress = Progress::waiting("applying migrations");
    let applied = store.migrate().await.map_err(Failure::of_store);
    drop(progress);
    let applied = applied?;
    store.close().await.map_err(Failure::of_store)?;
    args.style.say(&format!("Applied {applied} migrations."), json!({ "applied": applied }))
}

async fn down(args: &Down) -> Result<(), Failure> {
    if args.steps == 0 {
        let reason = "nothing was undone: say how many migrations with --steps".to_owned();
        return Err(Failure::Usage { reason, command: &["migrate", "sql", "down"] });
    }
    let store = open(&args.database, &["migrate", "sql", "down"]).await?;
    agree(args.yes, &format!("Undo the last {} migrations, and lose the data that only they hold?", args.steps))?;
    let progress = Progress::waiting("undoing migrations");
    let undone = store.rollback(args.steps).await.map_err(Failure::of_store);
    drop(progress);
    let undone = undone?;
    store.close().await.map_err(Failure::of_store)?;
    args.style.say(&format!("Undid {undone} migrations."), json!({ "undone": undone }))
}

async fn status(args: &Status) -> Result<(), Failure> {
    let store = open(&args.database, &["migrate", "sql", "status"]).await?;
    let mut all = store.migration_status().await.map_err(Failure::of_store)?;
    while args.block && all.iter().any(|m| !m.applied) {
        tokio::time::sleep(LOOK).await;
        all = store.migration_status().await.map_err(Failure::of_store)?;
    }
    let state = |m: &MigrationStatus| if m.applied { "Applied" } else { "Pending" };
    args.style.print(&Listing {
        value: all.iter().map(|m| json!({ "state": state(m), "version": m.version.to_string(), "name": m.name })).collect(),
        ids: all.iter().map(|m| m.version.to_string()).collect(),
        columns: &["version", "name", "state"],
        rows: all.iter().map(|m| vec![m.version.to_string(), m.name.clone(), state(m).to_owned()]).collect(),
    })
}

/// Asks whether to go on, unless that was said already.
fn agree(said: bool, question: &str) -> Result<(), Failure> {
    if said {
        return Ok(());
    }
    eprint!("{question} [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(Failure::of)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Failure::Said("nothing was changed".to_owned())) }
}
