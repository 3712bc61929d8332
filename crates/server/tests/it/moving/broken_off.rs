//! A move that is killed at any moment and begun again makes the database that an unbroken one makes.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use portcullis_core::crypto::{Keyring, Purpose, SystemClock};
use portcullis_core::identity::sealed;
use portcullis_model::clock::Clock as _;
use portcullis_model::credential::CredentialType;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{OldServer, RawDatabase, Release, rows_on_server, with_schema};

const PEOPLE: u128 = 600;
const MAILS: u64 = 20;
const SECRET: &str = "a-default-secret-of-tests";
const CIPHER: &str = "a-cipher-secret-of-32-characters";

fn configuration(folder: &Path, name: &str) -> String {
    configuration_of(folder, name, &format!("sqlite://{}", folder.join(format!("{name}.sqlite")).display()))
}

fn configuration_of(folder: &Path, name: &str, dsn: &str) -> String {
    let config = json!({
        "dsn": dsn,
        "selfservice": { "default_browser_return_url": "http://127.0.0.1:4455/" },
        "identity": { "schemas": [{ "id": "default", "url": format!("file://{}", folder.join("schema.json").display()) }] },
        "secrets": { "default": [SECRET], "cipher": [CIPHER] },
    });
    let path = folder.join(format!("{name}.json"));
    std::fs::write(&path, config.to_string()).unwrap();
    path.display().to_string()
}

fn command(config: &str, from: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(["import", "kratos", "--from", from, "-c", config, "--format", "json"]).args(more).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(config: &str, from: &str, more: &[&str]) -> (bool, Value, String) {
    let output = command(config, from, more).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {err}"));
    (output.status.success(), value, err)
}

/// All rows of all tables, by table, each as its sorted texts.
pub(crate) type Contents = BTreeMap<String, Vec<BTreeMap<String, String>>>;

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The members of every object by their names.
fn in_order(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<String, Value> = members.into_iter().map(|(name, value)| (name, in_order(value))).collect();
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(in_order).collect(),
        other => other,
    }
}

/// Opens what is sealed: under a nonce of its own it never looks the same twice.
fn opened(mut all: Contents) -> Contents {
    let own = |text: &str| vec![text.to_owned()];
    let keys = Keyring::new(&own(SECRET), &[], &own(CIPHER), &[], [0; 32]);
    let bytes = |text: &str| -> Vec<u8> {
        let digits = text.trim_start_matches("\\x").replace('-', "");
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    };
    for row in all.get_mut("credentials").unwrap() {
        let owner = Uuid::from_slice(&bytes(&row["identity_id"])).unwrap();
        let kind: CredentialType = row["kind"].parse().unwrap();
        let stored: Value = serde_json::from_str(&row["config"]).unwrap();
        if let Some(step) = stored.get("last_step") {
            row.insert("last_step".to_owned(), step.to_string());
        }
        let config = sealed::show(&keys, owner, kind, stored);
        assert!(!config.to_string().contains("sealed") && config["totp_url"] != "", "it was opened: {config}");
        row.insert("config".to_owned(), in_order(config).to_string());
    }
    for row in all.get_mut("messages").unwrap() {
        let said = keys.open(Purpose::Outbox, &bytes(&row["id"]), &bytes(&row["sealed_data"])).expect("it opens");
        row.insert("sealed_data".to_owned(), String::from_utf8(said).unwrap());
    }
    all.values_mut().for_each(|rows| rows.sort());
    all
}

/// Everything in a database file under the secrets of these tests, opened.
pub(crate) fn in_file(path: &Path) -> Contents {
    let raw = RawDatabase::at(path);
    let tables = raw.tables().into_iter().filter(|table| !table.starts_with("sqlite_") && !table.contains("migration"));
    let text = |(name, value): (String, Vec<u8>)| {
        let is_bytes = name == "id" || name.ends_with("_id") || name == "sealed_data" || name.ends_with("hash");
        let text = if is_bytes { hexadecimal(&value) } else { String::from_utf8_lossy(&value).into_owned() };
        (name, text)
    };
    opened(
        tables
            .map(|table| (table.clone(), raw.values(&table).into_iter().map(|row| row.into_iter().map(text).collect()).collect()))
            .collect(),
    )
}

async fn on_server(dsn: &str) -> Contents {
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut all = Contents::new();
    for (table, row) in rows_on_server(dsn).await.into_iter().filter(|(table, _)| !table.contains("migration")) {
        all.entry(table).or_default().push(row.into_iter().map(|(name, value)| (name, text(value))).collect());
    }
    opened(all)
}

fn fill(old: &mut OldServer) {
    for n in 1..=PEOPLE {
        let who = old.person(n, &format!("person-{n}@example.org"));
        old.addresses(&who);
        old.credential(&who, "password", &[&who.email], r#"{"hashed_password": "{SSHA}4ZBmvOl4vTH3dwqtD1pA3LSIdX5zYWx0"}"#);
        old.credential(&who, "totp", &[], r#"{"totp_url": "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP"}"#);
        old.session(&who, &format!("ory_st_OfPerson{n}"), true, 2100);
    }
    let now = SystemClock.now().to_string();
    for n in 0..MAILS {
        let data =
            json!({ "to": "x", "recovery_code": n.to_string(), "identity": {}, "request_url": "", "transient_payload": {} });
        old.mail(1, 1, "recovery_code_valid", &data.to_string(), &now);
    }
}

/// Moves into one database at once, and into another by moves that are killed, each a little later.
fn break_off(whole: &str, broken: &str, from: &str) {
    let (succeeded, report, err) = run(whole, from, &["--with-courier"]);
    assert!(succeeded && err.is_empty(), "nothing is drawn where there is no terminal: {err}");
    assert_eq!((&report["identities"], &report["sessions"]), (&json!(PEOPLE), &json!(PEOPLE)));
    assert_eq!(report["messages"], MAILS);

    let mut kills = 0;
    let mut pause = 60;
    for _ in 0..12 {
        let mut child = command(broken, from, &["--with-courier"]).spawn().unwrap();
        // By a step that meets no rhythm of the work.
        std::thread::sleep(Duration::from_millis(pause));
        pause += 37;
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(kills > 2, "it was never broken off");
    let (succeeded, report, err) = run(broken, from, &["--with-courier"]);
    assert!(succeeded, "{err}");
    let sum = |names: [&str; 2]| names.iter().map(|name| report[*name].as_u64().unwrap()).sum::<u64>();
    assert_eq!(u128::from(sum(["identities", "identities_already_here"])), PEOPLE, "{report}");
    assert_eq!(sum(["messages", "messages_already_here"]), MAILS, "{report}");
    assert_eq!(report["identities_updated"], 0, "{report}");
}

#[track_caller]
fn same(unbroken: Contents, again: &Contents) {
    assert!(unbroken["credentials"].len() as u128 >= 2 * PEOPLE && unbroken["messages"].len() as u64 == MAILS);
    for (table, rows) in unbroken {
        let other = &again[&table];
        assert_eq!(rows.len(), other.len(), "{table}");
        for (row, other) in rows.iter().zip(other) {
            assert_eq!(row, other, "{table}");
        }
    }
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schema.json"), portcullis_core::config::first_run::IDENTITY_SCHEMA).unwrap();
    folder
}

#[test]
fn a_move_that_is_killed_again_and_again_ends_as_an_unbroken_one() {
    let folder = folder();
    let folder = folder.path();
    let mut old = OldServer::in_file(Release::New);
    fill(&mut old);
    let from = old.write(&folder.join("kratos.sqlite"));

    // A rehearsal tells the same and leaves nothing.
    let whole = configuration(folder, "whole");
    let (_, rehearsed, _) = run(&whole, &from, &["--dry-run", "--with-courier"]);
    assert_eq!((&rehearsed["identities"], &rehearsed["dry_run"]), (&json!(PEOPLE), &json!(true)), "{rehearsed}");
    assert_eq!(rehearsed["messages"], MAILS, "{rehearsed}");
    assert!(!folder.join("whole.sqlite").exists(), "a rehearsal makes no database");
    break_off(&whole, &configuration(folder, "broken"), &from);
    same(in_file(&folder.join("whole.sqlite")), &in_file(&folder.join("broken.sqlite")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_between_servers_that_is_killed_again_and_again_ends_as_an_unbroken_one() {
    let folder = folder();
    let folder = folder.path();
    let mut old = OldServer::on_server(Release::Old);
    fill(&mut old);
    with_schema(&old.script(), async |from| {
        with_schema("", async |first| {
            with_schema("", async |second| {
                let (whole, broken) = (configuration_of(folder, "whole", first), configuration_of(folder, "broken", second));
                break_off(&whole, &broken, from);
                same(on_server(first).await, &on_server(second).await);
            })
            .await;
        })
        .await;
    })
    .await;
}

#[test]
fn what_did_not_come_is_told_by_status_report_and_file() {
    let folder = folder();
    let folder = folder.path();
    let mut old = OldServer::in_file(Release::Old);
    old.person(1, "ada@example.org");
    old.follower(2, "ben@example.org", "gone");
    let from = old.write(&folder.join("kratos.sqlite"));
    let config = configuration(folder, "own");
    let lines = folder.join("left.jsonl");
    let (succeeded, report, err) = run(&config, &from, &["--report", &lines.display().to_string()]);
    assert!(!succeeded && err.contains("1 identities did not come"), "{err}");
    assert_eq!(report["not_taken"]["its identity schema is not in the configuration"]["count"], 1);
    let line: Value = serde_json::from_str(&std::fs::read_to_string(&lines).unwrap()).unwrap();
    assert_eq!((&line["id"], &line["taken"]), (&json!("22222222-0000-4000-8000-000000000002"), &json!(false)));

    // In a rehearsal over a database that is there, whoever is there and whatever is taken is found as well.
    let mut later = OldServer::in_file(Release::Old);
    later.person(1, "ada@example.org");
    let twin = later.person(3, "ADA@example.org");
    later.credential(&twin, "password", &["ADA@example.org"], "{}");
    later.person(4, "dee@example.org");
    let from = later.write(&folder.join("later.sqlite"));
    let (_, report, _) = run(&config, &from, &["--dry-run"]);
    assert_eq!((&report["identities"], &report["identities_already_here"]), (&json!(1), &json!(1)), "{report}");
    assert_eq!(report["not_taken"]["another identity here has one of its addresses"]["count"], 1, "{report}");
}
