//! `get`, `list`, `delete`, `import` and `validate`: identities over the admin API of a running server.
//!
//! Each works on what it is given one by one: what fails is named, the rest goes on, what worked is printed, and the
//! command fails if anything did.

mod documents;
mod export;
mod import;
mod list;
mod validate;

use std::path::PathBuf;

pub(super) use export::{ExportArgs, run as run_export};

use clap::Subcommand;
use serde_json::Value;

use super::endpoint::{CallError, Endpoint, segment};
use super::output::{Listing, Style};
use super::{Failure, print_help};

/// What most of these commands share.
#[derive(clap::Args)]
pub(super) struct Common {
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    style: Style,
}

/// The arguments of `get`.
#[derive(clap::Args)]
pub(super) struct GetArgs {
    #[command(subcommand)]
    what: Option<GetWhat>,
}

#[derive(Subcommand)]
enum GetWhat {
    /// Print identities by their ids
    #[command(visible_alias = "identities")]
    Identity(Get),
}

#[derive(clap::Args)]
struct Get {
    /// Their ids
    #[arg(value_name = "IDS", required = true)]
    ids: Vec<String>,
    /// Show the data of these credentials too
    #[arg(short, long, value_delimiter = ',', value_parser = ["oidc"])]
    include_credentials: Vec<String>,
    /// The ids are external ids
    #[arg(long)]
    external_id: bool,
    #[command(flatten)]
    common: Common,
}

/// The arguments of `delete`.
#[derive(clap::Args)]
pub(super) struct DeleteArgs {
    #[command(subcommand)]
    what: Option<DeleteWhat>,
}

#[derive(Subcommand)]
enum DeleteWhat {
    /// Delete identities by their ids, with all their sessions
    #[command(visible_alias = "identities")]
    Identity(Delete),
}

#[derive(clap::Args)]
struct Delete {
    /// Their ids
    #[arg(value_name = "IDS", required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// The arguments of `list`.
#[derive(clap::Args)]
pub(super) struct ListArgs {
    #[command(subcommand)]
    what: Option<ListWhat>,
}

#[derive(Subcommand)]
enum ListWhat {
    /// Print identities, page by page
    #[command(visible_alias = "identity")]
    Identities(list::List),
}

/// The arguments of `import`.
#[derive(clap::Args)]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    what: Option<ImportWhat>,
}

#[derive(Subcommand)]
enum ImportWhat {
    /// Create identities from JSON files, or from standard input
    ///
    /// A file holds one identity, a list of them, or one on each line, in the form in which the admin API creates them:
    ///
    ///   {"schema_id": "default", "traits": {"email": "ada@example.org"}}
    ///
    /// Files of lines may be of any length and may come from `export identities`.
    #[command(visible_alias = "identity", verbatim_doc_comment)]
    Identities(import::Import),
    /// Move in from an Ory Kratos server (v1.3 to v26.2): everybody with their credentials, addresses and sessions
    ///
    /// Reads that server's database and writes the one that the configuration names. It can be given again after it was
    /// broken off, and again for who came, and what changed, since: whoever changed here too is left as they are. People stay signed in if `secrets.cookie` is still the same, and
    /// providers' tokens are readable if `secrets.cipher` is.
    Kratos(super::kratos::Args),
}

/// The arguments of `validate`.
#[derive(clap::Args)]
pub(super) struct ValidateArgs {
    #[command(subcommand)]
    what: Option<ValidateWhat>,
}

#[derive(Subcommand)]
enum ValidateWhat {
    /// Check JSON files, or standard input, before an import
    ///
    /// The form is checked, and the traits by the identity schema that the server has. Nothing is created.
    #[command(visible_alias = "identities")]
    Identity(Files),
}

#[derive(clap::Args)]
struct Files {
    /// The files; standard input without
    #[arg(value_name = "FILES")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// `get`.
pub(super) fn run_get(args: &GetArgs) -> Result<(), Failure> {
    let Some(GetWhat::Identity(args)) = &args.what else { return print_help(&["get"]) };
    let admin = args.common.endpoint.open()?;
    let include: Vec<String> = args.include_credentials.iter().map(|c| format!("include_credential={}", segment(c))).collect();
    let by = if args.external_id { "/admin/identities/by/external" } else { "/admin/identities" };
    let path = |id: &str| format!("{by}/{}?{}", segment(id), include.join("&"));
    let outcome = each(&args.ids, |id| admin.get(path(id).trim_end_matches('?')).map(|answer| answer.value));
    let one_asked = args.ids.len() == 1;
    outcome.print(&args.common.style, "identities could not be read", |found| table(found, one_asked))
}

/// `delete`.
pub(super) fn run_delete(args: &DeleteArgs) -> Result<(), Failure> {
    let Some(DeleteWhat::Identity(args)) = &args.what else { return print_help(&["delete"]) };
    let admin = args.common.endpoint.open()?;
    let outcome = each(&args.ids, |id| admin.delete(&format!("/admin/identities/{}", segment(id))).map(|_| id.to_owned()));
    let one_asked = args.ids.len() == 1;
    outcome.print(&args.common.style, "identities could not be deleted", |deleted| {
        let all: Vec<Value> = deleted.iter().map(|id| Value::from(id.as_str())).collect();
        Listing {
            value: one_or_all(all, one_asked),
            ids: deleted.to_vec(),
            columns: &["id"],
            rows: deleted.iter().map(|id| vec![id.clone()]).collect(),
        }
    })
}

/// `list`.
pub(super) fn run_list(args: &ListArgs) -> Result<(), Failure> {
    let Some(ListWhat::Identities(args)) = &args.what else { return print_help(&["list"]) };
    list::run(args)
}

/// `import`.
pub(super) fn run_import(args: &ImportArgs) -> Result<(), Failure> {
    match &args.what {
        None => print_help(&["import"]),
        Some(ImportWhat::Identities(args)) => import::run(args),
        Some(ImportWhat::Kratos(args)) => super::kratos::run(args),
    }
}

/// `validate`.
pub(super) fn run_validate(args: &ValidateArgs) -> Result<(), Failure> {
    let Some(ValidateWhat::Identity(args)) = &args.what else { return print_help(&["validate"]) };
    validate::run(args)
}

/// What came of several.
struct Outcome<T> {
    done: Vec<T>,
    /// Each with its name.
    failed: Vec<String>,
}

/// Does something with each id. What one refusal says of one is nothing for the others; a server that is not there is
/// not asked again.
fn each<T>(ids: &[String], mut act: impl FnMut(&str) -> Result<T, CallError>) -> Outcome<T> {
    let mut outcome = Outcome { done: Vec::new(), failed: Vec::new() };
    for id in ids {
        match act(id) {
            Ok(value) => outcome.done.push(value),
            Err(error) => {
                outcome.failed.push(format!("{id}: {error}"));
                if matches!(error, CallError::Unreachable(..)) {
                    break;
                }
            }
        }
    }
    outcome
}

impl<T> Outcome<T> {
    /// Prints what was done; then names what failed, on standard error, which fails the command.
    fn print(self, style: &Style, failure: &str, listing: impl FnOnce(&[T]) -> Listing) -> Result<(), Failure> {
        let Self { done, mut failed } = self;
        if !done.is_empty() {
            style.print(&listing(&done))?;
        }
        match (failed.len(), failed.pop()) {
            (_, None) => Ok(()),
            (1, Some(only)) => Err(Failure::Said(only)),
            (several, Some(last)) => {
                failed.push(last);
                Err(Failure::Said(format!("{several} {failure}:\n  {}", failed.join("\n  "))))
            }
        }
    }
}

fn one_or_all(mut all: Vec<Value>, one_asked: bool) -> Value {
    if one_asked { all.pop().unwrap_or_default() } else { Value::Array(all) }
}

/// Identities as they are printed.
fn table(identities: &[Value], one_asked: bool) -> Listing {
    let text = |identity: &Value, key: &str| identity.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let addresses = |identity: &Value| {
        let all = identity.get("verifiable_addresses").and_then(Value::as_array);
        let shown = all.into_iter().flatten().map(|address| {
            let verified = address.get("verified").and_then(Value::as_bool).unwrap_or(false);
            format!("{}{}", text(address, "value"), if verified { " (verified)" } else { "" })
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    Listing {
        value: one_or_all(identities.to_vec(), one_asked),
        ids: identities.iter().map(|i| text(i, "id")).collect(),
        columns: &["id", "state", "schema", "addresses", "created"],
        rows: identities
            .iter()
            .map(|i| vec![text(i, "id"), text(i, "state"), text(i, "schema_id"), addresses(i), text(i, "created_at")])
            .collect(),
    }
}
