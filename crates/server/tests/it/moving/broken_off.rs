//! A move that is killed at any moment and begun again makes the database that an unbroken one makes.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{OldServer, RawDatabase, Release};

const PEOPLE: u128 = 600;

fn configuration(folder: &Path, name: &str) -> String {
    let config = json!({
        "dsn": format!("sqlite://{}", folder.join(format!("{name}.sqlite")).display()),
        "selfservice": { "default_browser_return_url": "http://127.0.0.1:4455/" },
        "identity": { "schemas": [{ "id": "default", "url": format!("file://{}", folder.join("schema.json").display()) }] },
        "secrets": { "default": ["a-default-secret-of-tests"], "cipher": ["a-cipher-secret-of-32-characters"] },
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

/// All rows of all tables, without what is sealed under a nonce of its own.
fn contents(path: &Path) -> BTreeMap<String, Vec<Vec<u8>>> {
    let raw = RawDatabase::at(path);
    let tables = raw.tables().into_iter().filter(|table| !table.starts_with("sqlite_") && !table.contains("migration"));
    tables
        .map(|table| {
            let mut rows: Vec<Vec<u8>> = raw
                .values(&table)
                .into_iter()
                .map(|row| {
                    row.into_iter()
                        .filter(|(name, _)| name != "config")
                        .flat_map(|(_, value)| [value, vec![0]].concat())
                        .collect()
                })
                .collect();
            rows.sort();
            (table, rows)
        })
        .collect()
}

#[test]
fn a_move_that_is_killed_again_and_again_ends_as_an_unbroken_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("schema.json"), portcullis_core::config::first_run::IDENTITY_SCHEMA).unwrap();
    let mut old = OldServer::in_file(Release::New);
    for n in 1..=PEOPLE {
        let who = old.person(n, &format!("person-{n}@example.org"));
        old.addresses(&who);
        old.credential(&who, "password", &[&who.email], r#"{"hashed_password": "{SSHA}4ZBmvOl4vTH3dwqtD1pA3LSIdX5zYWx0"}"#);
        old.credential(&who, "totp", &[], r#"{"totp_url": "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP"}"#);
        old.session(&who, &format!("ory_st_OfPerson{n}"), true, 2100);
    }
    let from = old.write(&folder.join("kratos.sqlite"));

    // A rehearsal tells the same and leaves nothing.
    let whole = configuration(folder, "whole");
    let (_, rehearsed, _) = run(&whole, &from, &["--dry-run"]);
    assert_eq!((&rehearsed["identities"], &rehearsed["dry_run"]), (&json!(PEOPLE), &json!(true)), "{rehearsed}");
    assert!(!folder.join("whole.sqlite").exists(), "a rehearsal makes no database");
    let (succeeded, report, err) = run(&whole, &from, &[]);
    assert!(succeeded, "{err}");
    assert_eq!((&report["identities"], &report["sessions"]), (&json!(PEOPLE), &json!(PEOPLE)));

    let broken = configuration(folder, "broken");
    let mut kills = 0;
    let mut pause = 60;
    for _ in 0..12 {
        let mut child = command(&broken, &from, &[]).spawn().unwrap();
        // Each time a little later, by a step that meets no rhythm of the work.
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
    let (succeeded, report, err) = run(&broken, &from, &[]);
    assert!(succeeded, "{err}");
    let sum = report["identities"].as_u64().unwrap() + report["identities_already_here"].as_u64().unwrap();
    assert_eq!(u128::from(sum), PEOPLE);
    let (unbroken, again) = (contents(&folder.join("whole.sqlite")), contents(&folder.join("broken.sqlite")));
    for (table, rows) in unbroken {
        assert!(again[&table] == rows, "{table} differs: {} rows and {}", rows.len(), again[&table].len());
    }
}

#[test]
fn what_did_not_come_is_told_by_status_report_and_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("schema.json"), portcullis_core::config::first_run::IDENTITY_SCHEMA).unwrap();
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
