//! `import identities`: over the admin API of a running server, or straight into the database of a configuration.

use std::path::PathBuf;
use std::sync::Arc;

use portcullis_core::app::{App, Cx};
use portcullis_core::flow::engine::Request;
use portcullis_core::identity;
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_store::{Changes, Committed, StoreError, identities};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::endpoint::{Admin, CallError};
use super::super::output::Listing;
use super::super::progress::Progress;
use super::super::source::Files as Configuration;
use super::super::{Failure, own, process};
use super::documents::{Document, Documents};
use super::{Common, Outcome, documents, table};
use crate::admin::identities::{record, unsaved};

/// How many identities of a file of lines go together over the admin API: as many as it takes in one request.
const TOGETHER: usize = 1000;

/// How many of them are committed together. The more there are, the more often several of them lie on one page of an index by
/// address, which is then written once.
const COMMITTED_TOGETHER: usize = 8000;

/// How many of them may have passwords in clear, which the server has to hash: a fifth of what it takes in one request.
const CLEAR_TOGETHER: usize = 40;

/// How many faults are told one by one.
const TOLD: usize = 100;

/// Its arguments.
#[derive(clap::Args)]
pub(super) struct Import {
    /// The files; standard input without
    #[arg(value_name = "FILES")]
    files: Vec<PathBuf>,
    /// Write into the database that these configuration files name, rather than over an admin API: faster, and ids, times and
    /// providers' tokens of an export are kept
    #[arg(short = 'c', long = "config", value_name = "FILES", value_delimiter = ',', conflicts_with = "endpoint")]
    config: Vec<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Creates all that can be created, in order. It is told which were refused and why.
pub(super) fn run(args: &Import) -> Result<(), Failure> {
    if !args.config.is_empty() {
        return into_database(args);
    }
    let admin = args.common.endpoint.open()?;
    match documents::open(&args.files)? {
        Documents::Few(documents) => one_by_one(args, &admin, documents),
        Documents::Lines(lines) => in_batches(args, &admin, lines),
    }
}

fn one_by_one(args: &Import, admin: &Admin, documents: Vec<Document>) -> Result<(), Failure> {
    let one_given = documents.len() == 1;
    let mut outcome = Outcome { done: Vec::new(), failed: Vec::new() };
    let mut is_told = false;
    for mut document in documents {
        tell_of_own(record::without_own(&mut document.value), &mut is_told);
        match admin.post("/admin/identities", &document.value) {
            Ok(answer) => outcome.done.push(answer.value),
            Err(error) => {
                outcome.failed.push(format!("{}: {error}", document.name));
                if matches!(error, CallError::Unreachable(..)) {
                    break;
                }
            }
        }
    }
    outcome.print(&args.common.style, "identities were not imported", |made| table(made, one_given))
}

fn tell_of_own(found: bool, is_told: &mut bool) {
    if found && !*is_told {
        *is_told = true;
        eprintln!("Over the admin API identities get new ids and times, and providers' tokens are left out; -c keeps them.");
    }
}

/// What came of many.
#[derive(Default)]
struct Tally {
    imported: u64,
    already_here: u64,
    failed: u64,
    /// The first of those that failed.
    told: Vec<String>,
}

impl Tally {
    fn fail(&mut self, what: String) {
        self.failed += 1;
        if self.told.len() < TOLD {
            self.told.push(what);
        }
    }

    fn seen(&self) -> u64 {
        self.imported + self.already_here + self.failed
    }

    fn print(self, args: &Import) -> Result<(), Failure> {
        let counts = [("imported", self.imported), ("already here", self.already_here), ("failed", self.failed)];
        args.common.style.print(&Listing {
            value: json!({ "imported": self.imported, "already_here": self.already_here, "failed": self.failed }),
            ids: Vec::new(),
            columns: &["what", "count"],
            rows: counts.iter().map(|(what, count)| vec![(*what).to_owned(), count.to_string()]).collect(),
        })?;
        if self.failed == 0 {
            return Ok(());
        }
        let more = if self.failed > TOLD as u64 { "\n  and more" } else { "" };
        Err(Failure::Said(format!("{} identities were not imported:\n  {}{more}", self.failed, self.told.join("\n  "))))
    }
}

/// The next few documents of a file of lines. Lines that cannot be read are counted.
fn next_few(lines: &mut dyn Iterator<Item = Result<Document, String>>, most: usize, tally: &mut Tally) -> Vec<Document> {
    let (mut few, mut clear) = (Vec::with_capacity(most), 0);
    while few.len() < most && clear < CLEAR_TOGETHER {
        match lines.next() {
            None => break,
            Some(Err(fault)) => tally.fail(fault),
            Some(Ok(document)) => {
                clear += usize::from(document.value.pointer("/credentials/password/config/password").is_some());
                few.push(document);
            }
        }
    }
    few
}

fn in_batches(
    args: &Import,
    admin: &Admin,
    mut lines: Box<dyn Iterator<Item = Result<Document, String>>>,
) -> Result<(), Failure> {
    let (mut tally, mut is_told) = (Tally::default(), false);
    let progress = Progress::new("importing", None);
    loop {
        let mut few = next_few(&mut *lines, TOGETHER, &mut tally);
        if few.is_empty() {
            break;
        }
        for document in &mut few {
            tell_of_own(record::without_own(&mut document.value), &mut is_told);
        }
        if let Err(error) = send(admin, &few, &mut tally) {
            tally.fail(error.to_string());
            break;
        }
        progress.at(tally.seen());
    }
    drop(progress);
    tally.print(args)
}

/// Sends a batch. One bad body makes the server refuse all of them, so a refused batch is sent again in halves.
fn send(admin: &Admin, few: &[Document], tally: &mut Tally) -> Result<(), CallError> {
    let body: Vec<Value> = few.iter().map(|document| json!({ "create": document.value })).collect();
    let answer = match admin.patch("/admin/identities", &json!({ "identities": body })) {
        Ok(answer) => answer.value,
        Err(CallError::Refused(why)) => {
            if let [only] = few {
                tally.fail(format!("{}: {why}", only.name));
                return Ok(());
            }
            let (first, second) = few.split_at(few.len() / 2);
            send(admin, first, tally)?;
            return send(admin, second, tally);
        }
        Err(error) => return Err(error),
    };
    let entries = answer.get("identities").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for (place, document) in few.iter().enumerate() {
        let entry = entries.get(place).unwrap_or(&Value::Null);
        if entry.get("action").and_then(Value::as_str) == Some("create") {
            tally.imported += 1;
        } else {
            let error = entry.get("error");
            let said = |key: &str| error.and_then(|e| e.get(key)).and_then(Value::as_str).filter(|t| !t.is_empty());
            tally.fail(format!("{}: {}", document.name, said("reason").or(said("message")).unwrap_or("it was refused")));
        }
    }
    Ok(())
}

fn into_database(args: &Import) -> Result<(), Failure> {
    let config = own::config(&Configuration { config: args.config.clone() })?;
    let lines: Box<dyn Iterator<Item = Result<Document, String>>> = match documents::open(&args.files)? {
        Documents::Few(documents) => Box::new(documents.into_iter().map(Ok)),
        Documents::Lines(lines) => lines,
    };
    process::block_on(async {
        let app = own::open(config).await?;
        let tally = store(&app, lines).await;
        own::close(&app).await?;
        tally?.print(args)
    })
}

/// Those of a batch that are on their way to the database, by name.
type Sent = (Vec<(String, Uuid)>, tokio::task::JoinHandle<Vec<Result<Committed, StoreError>>>);

/// Stores all. While a batch is written, the next one is judged.
async fn store(app: &Arc<App>, mut lines: Box<dyn Iterator<Item = Result<Document, String>>>) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let progress = Progress::new("importing", None);
    let mut sent: Option<Sent> = None;
    loop {
        let few = next_few(&mut *lines, COMMITTED_TOGETHER, &mut tally);
        let is_last = few.is_empty();
        let cx = Cx::new(app, Request::default());
        let (mut names, mut all) = (Vec::with_capacity(few.len()), Vec::with_capacity(few.len()));
        for Document { name, value } in few {
            match judged(&cx, value).await {
                Ok(who) => {
                    let mut c = Changes::new();
                    identity::insert(&mut c, &who);
                    names.push((name, who.identity.id));
                    all.push(c);
                }
                Err(why) => tally.fail(format!("{name}: {why}")),
            }
        }
        if let Some(sent) = sent.take() {
            count(app, sent, &mut tally).await?;
        }
        progress.at(tally.seen());
        if is_last {
            return Ok(tally);
        }
        let store = app.store.clone();
        sent = Some((names, tokio::spawn(async move { store.commit_each(all).await })));
    }
}

async fn judged(cx: &Cx, value: Value) -> Result<IdentityWithCredentials, String> {
    record::identity(cx, value).await.map_err(|error| error.reason)
}

async fn count(app: &App, (names, answers): Sent, tally: &mut Tally) -> Result<(), Failure> {
    let answers = answers.await.map_err(Failure::of)?;
    for ((name, id), answer) in names.into_iter().zip(answers) {
        match answer {
            Ok(_) => tally.imported += 1,
            Err(error @ StoreError::Unique(_)) => {
                // Whoever came before is told by the id, whichever of their unique values was met first.
                if identities::get(&app.store, id).await.map_err(Failure::of_store)?.is_some() {
                    tally.already_here += 1;
                } else {
                    tally.fail(format!("{name}: {}", unsaved(&error).reason));
                }
            }
            Err(StoreError::Unsupported(what)) => tally.fail(format!("{name}: {what}")),
            Err(trouble) => return Err(Failure::of_store(trouble)),
        }
    }
    Ok(())
}
