//! `migrate normalize-phone-numbers`: stored phone numbers in their one form.
//!
//! Identifiers and addresses that a server writes are in normal form, so there is something to do only where another program
//! wrote into the database. Each identity is a commit of its own, guarded by its version.

use std::time::Duration;

use portcullis_core::identity;
use portcullis_model::credential::CredentialType;
use portcullis_model::identity::{IdentityWithCredentials, Via};
use portcullis_model::normal;
use portcullis_store::identities::{self, IdentityFilter, Page};
use portcullis_store::{Changes, OpenOptions, Store, StoreError};
use serde_json::{Value, json};
use uuid::Uuid;

use super::argument::duration;
use super::output::{Listing, Style};
use super::progress::Progress;
use super::source::Database;
use super::{Failure, process};

/// The name by which `--start-after` knows where the numbers stand.
const TABLE: &str = "identities";

/// Its arguments.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    database: Database,
    /// How many identities are looked at together
    #[arg(long, value_name = "ROWS", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch_size: u32,
    /// The pause after each batch, such as 1s
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    batch_delay: Duration,
    /// Only tell what would be written
    #[arg(long)]
    dry_run: bool,
    /// Go on after this place, such as identities=ID; every batch tells its last one on standard error
    #[arg(long, value_name = "TABLE=ID", value_parser = place)]
    start_after: Option<Uuid>,
    #[command(flatten)]
    style: Style,
}

fn place(text: &str) -> Result<Uuid, String> {
    let wrong = || format!("must be {TABLE}=ID");
    let (table, id) = text.split_once('=').ok_or_else(wrong)?;
    if table != TABLE {
        return Err(wrong());
    }
    Uuid::try_parse(id).map_err(|_| wrong())
}

/// What was done.
#[derive(Default)]
struct Tally {
    seen: u64,
    written: u64,
    taken: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let dsn = args.database.name(&["migrate", "normalize-phone-numbers"])?;
    process::block_on(async {
        let store = Store::open(&dsn, OpenOptions { create: false, ..OpenOptions::default() }).await;
        let store = store.map_err(Failure::of_store)?;
        let done = all(&store, args).await;
        let closed = store.close().await.map_err(Failure::of_store);
        let tally = done?;
        let written = if args.dry_run { "would be written" } else { "written" };
        args.style.print(&Listing {
            value: json!({ "seen": tally.seen, "written": tally.written, "left": tally.taken, "dry_run": args.dry_run }),
            ids: tally.taken.clone(),
            columns: &["what", "count"],
            rows: vec![
                vec!["identities looked at".to_owned(), tally.seen.to_string()],
                vec![written.to_owned(), tally.written.to_string()],
            ],
        })?;
        closed?;
        match tally.taken.as_slice() {
            [] => Ok(()),
            taken => Err(Failure::Said(format!(
                "{} identities have a number that another one has already, and were left as they are: {}",
                taken.len(),
                taken.join(" ")
            ))),
        }
    })
}

async fn all(store: &Store, args: &Args) -> Result<Tally, Failure> {
    store.ready().await.map_err(Failure::of_store)?;
    let total = identities::count(store, &IdentityFilter::All).await.map_err(Failure::of_store)?;
    let progress = Progress::new("looking at phone numbers", Some(total));
    let mut tally = Tally::default();
    let mut after = args.start_after;
    loop {
        let page = Page { after, limit: args.batch_size };
        let found = identities::list(store, &IdentityFilter::All, page, true).await.map_err(Failure::of_store)?;
        let Some(last) = found.last() else { return Ok(tally) };
        after = Some(last.identity.id);
        for old in &found {
            tally.seen += 1;
            let new = normalized(old);
            if new != *old {
                one(store, args.dry_run, old, &new, &mut tally).await?;
            }
        }
        progress.at(tally.seen);
        if tally.written > 0 {
            eprintln!("{TABLE}={}", last.identity.id);
        }
        if u32::try_from(found.len()).is_ok_and(|found| found < args.batch_size) {
            return Ok(tally);
        }
        tokio::time::sleep(args.batch_delay).await;
    }
}

async fn one(
    store: &Store,
    dry_run: bool,
    old: &IdentityWithCredentials,
    new: &IdentityWithCredentials,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let mut changes = Changes::new();
    identity::update(&mut changes, old, new);
    let outcome = if dry_run { Ok(()) } else { store.commit(changes).await.map(drop) };
    match outcome {
        Ok(()) => tally.written += 1,
        // Who is changed at this moment is written in normal form by that.
        Err(StoreError::Conflict { .. }) => {}
        Err(StoreError::Unique(_)) => tally.taken.push(old.identity.id.to_string()),
        Err(error) => return Err(Failure::of_store(error)),
    }
    Ok(())
}

/// The identity with its phone numbers in normal form. Traits stay as they were typed.
fn normalized(old: &IdentityWithCredentials) -> IdentityWithCredentials {
    let mut new = old.clone();
    for address in new.identity.verifiable_addresses.iter_mut().filter(|a| a.via == Via::Sms) {
        address.value = normal::address(Via::Sms, &address.value);
    }
    for address in new.identity.recovery_addresses.iter_mut().filter(|a| a.via == Via::Sms) {
        address.value = normal::address(Via::Sms, &address.value);
    }
    use CredentialType::{Code, Password, Webauthn};
    for credential in new.credentials.iter_mut().filter(|c| matches!(c.kind, Code | Password | Webauthn)) {
        for identifier in credential.identifiers.iter_mut().filter(|i| i.starts_with('+')) {
            *identifier = normal::identifier(identifier);
        }
        for address in credential.config.get_mut("addresses").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(number) = address["address"].as_str().filter(|number| number.starts_with('+')).map(normal::identifier) {
                address["address"] = number.into();
            }
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_name_the_table() {
        let id = "22222222-0000-4000-8000-000000000001";
        assert_eq!(place(&format!("identities={id}")).unwrap().to_string(), id);
        for bad in ["", id, &format!("sessions={id}"), "identities=1"] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }
}
