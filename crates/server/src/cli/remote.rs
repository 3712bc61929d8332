//! `remote`: whether a running server lives and is ready, and which version it is.

use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};

use super::endpoint::{Admin, CallError, Endpoint};
use super::output::{Listing, Style};
use super::{Failure, print_help};

/// How often a server that does not answer is asked, the pause between, and how long one try may take.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);

/// Its arguments.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// Tell whether a server lives and is ready
    Status(Common),
    /// Tell the version of a server
    Version(Common),
}

#[derive(clap::Args)]
struct Common {
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    style: Style,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.what {
        None => print_help(&["remote"]),
        Some(What::Status(args)) => status(args),
        Some(What::Version(args)) => version(args),
    }
}

fn status(args: &Common) -> Result<(), Failure> {
    let admin = args.endpoint.open()?;
    let alive = ask(&admin, "/admin/health/alive");
    let ready = if alive.is_ok() { ask(&admin, "/admin/health/ready") } else { Ok(()) };
    let (is_alive, is_ready) = (alive.is_ok(), alive.is_ok() && ready.is_ok());
    let words = vec![is_alive.to_string(), is_ready.to_string()];
    args.style.print(&Listing {
        value: json!({ "alive": is_alive, "ready": is_ready }),
        ids: vec![is_ready.to_string()],
        columns: &["alive", "ready"],
        rows: vec![words],
    })?;
    alive.and(ready).map_err(Failure::of)
}

/// Asks until there is an answer, a few times.
fn ask(admin: &Admin, path: &str) -> Result<(), CallError> {
    for _ in 1..TRIES {
        match admin.get_within(path, PATIENCE) {
            Err(CallError::Unreachable(..)) => std::thread::sleep(PAUSE),
            other => return other.map(drop),
        }
    }
    admin.get_within(path, PATIENCE).map(drop)
}

fn version(args: &Common) -> Result<(), Failure> {
    let admin = args.endpoint.open()?;
    let answer = admin.get("/admin/version").map_err(Failure::of)?;
    let Some(version) = answer.value.get("version").and_then(Value::as_str) else {
        return Err(Failure::Said("the server did not tell its version".to_owned()));
    };
    args.style.print(&Listing {
        value: json!({ "version": version }),
        ids: vec![version.to_owned()],
        columns: &["version"],
        rows: vec![vec![version.to_owned()]],
    })
}
