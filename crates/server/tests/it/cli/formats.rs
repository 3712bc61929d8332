//! What commands print: tables and sentences for people, values for programs, and bars only on a terminal.

use std::process::Command;

use serde_json::json;

use super::identity;
use super::program::Place;

#[test]
fn what_was_done_is_printed_in_every_format() {
    let place = Place::new();
    let dsn = place.dsn("db.sqlite");
    let version = env!("CARGO_PKG_VERSION");
    for (args, sentence, path, value) in [
        (&["version"][..], "Version: ", "$.version", json!(version)),
        (&["migrate", "sql", "up", "-y", &dsn], "Nothing to do", "$.applied", json!(0)),
        (&["cleanup", "sql", &dsn, "--database.cleanup.sleep.tables", "1ms"], "Removed 0 rows", "$.removed", json!(0)),
        (&["check", &dsn], "is sound", "$.sound", json!(true)),
        (&["migrate", "normalize-phone-numbers", &dsn], "IDENTITIES LOOKED AT", "$.seen", json!(0)),
    ] {
        place.run(&["migrate", "sql", "up", "-y", &dsn]).done();
        let plain = place.run(args).done();
        assert!(plain.out.to_uppercase().contains(&sentence.to_uppercase()), "{args:?}: {plain:?}");
        assert!(plain.err.is_empty(), "nothing is drawn where there is no terminal: {plain:?}");
        let with = |format: &str| place.run(&[args, &["--format", format]].concat()).done().out;
        let name = path.trim_start_matches("$.");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&with("json")).unwrap()[name], value, "{args:?}");
        assert!(with("yaml").contains(&format!("{name}: ")), "{args:?}");
        let bare = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert_eq!(with(&format!("jsonpath={path}")), format!("{bare}\n"), "{args:?}");
        assert_eq!(with(&format!("jsonpointer=/{name}")), format!("{bare}\n"), "{args:?}");
        place.run(&[args, &["--format", "xml"]].concat()).refused(&["use table, json"]);
    }
    let copied = place.run(&["backup", "copy.db", &dsn, "--format", "json"]).done().json();
    assert_eq!(copied["file"], "copy.db");
    assert!(copied["bytes"].as_u64().unwrap() > 4096);
    let undone = place.run(&["migrate", "sql", "down", "-y", "--steps", "1", &dsn, "--format", "json"]).done();
    assert_eq!(undone.json(), json!({ "undone": 1 }));
}

#[test]
fn a_bar_is_drawn_on_a_terminal_only_and_results_stay_apart() {
    let place = Place::new();
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("not tried: there is no terminal to be had here");
        return;
    }
    let people: String = (0..3000).map(|n| format!("{}\n", identity(&format!("p{n}@example.org")))).collect();
    let file = place.write("people.jsonl", people);
    let dsn = place.dsn("db.sqlite");
    let schema = place.write("schema.json", portcullis_core::config::first_run::IDENTITY_SCHEMA);
    let config = json!({
        "dsn": dsn,
        "selfservice": { "default_browser_return_url": "http://127.0.0.1:4455/" },
        "identity": { "schemas": [{ "id": "default", "url": format!("file://{schema}") }] },
        "secrets": { "default": ["a-default-secret-of-tests"] },
    });
    let config = place.write("c.json", config.to_string());
    let program = env!("CARGO_BIN_EXE_portcullis");
    let on_terminal = |args: &str| {
        let mut command = Command::new("script");
        command
            .args(["-qec", &format!("{program} {args}"), "/dev/null"])
            .env_clear()
            .env("TERM", "xterm")
            .env("PATH", "/usr/bin:/bin");
        let output = command.current_dir(place.path(".")).output().unwrap();
        assert!(output.status.success(), "{args}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    for (args, word) in [
        (format!("import identities -c {config} {file}"), "importing"),
        (format!("export identities -c {config} -o all.jsonl"), "exporting"),
        (format!("backup copy.db {dsn}"), "copying the database"),
        (format!("check {dsn}"), "reading the database"),
        (format!("cleanup sql {dsn} --database.cleanup.sleep.tables 150ms"), "removing what is past its time"),
    ] {
        let drawn = on_terminal(&args);
        assert!(drawn.contains(word), "{args}: {drawn:?}");
    }
    // Standard output is a pipe here: what is drawn goes to standard error.
    let piped = place.run(&["import", "identities", "-c", &config, "all.jsonl", "--format", "json"]).done();
    assert_eq!(piped.json()["already_here"], 3000);
    assert_eq!(piped.err, "");
}

#[tokio::test]
async fn phone_numbers_that_another_program_wrote_are_brought_into_their_form() {
    use base64::Engine as _;
    use portcullis_model::credential::{Credential, CredentialType};
    use portcullis_store::{Changes, credentials, identities};

    use crate::support::{Admin, TestApp};

    let place = Place::new();
    let schema = json!({
        "$id": "p", "type": "object", "properties": { "traits": { "type": "object", "properties": { "phone": {
            "type": "string", "format": "tel",
            "ory.sh/kratos": { "credentials": { "password": { "identifier": true } }, "verification": { "via": "sms" } }
        } } } }
    });
    let url = format!("base64://{}", base64::engine::general_purpose::STANDARD.encode(schema.to_string()));
    let change = json!({ "identity": { "schemas": [{ "id": "default", "url": url }] } });
    let app = TestApp::stored_at(&place.path("db.sqlite"), change).await;
    let mut ids = Vec::new();
    for number in ["+41791234567", "+41791234568"] {
        let made = Admin::new(&app).send("POST", "/admin/identities", &json!({ "traits": { "phone": number } })).await;
        assert_eq!(made.status, 201, "{made:?}");
        ids.push(made.json()["id"].as_str().unwrap().parse::<uuid::Uuid>().unwrap());
    }
    let store = &app.app.store;
    let read = async |id| identities::get_with_credentials(store, id).await.unwrap().unwrap();
    let seen = read(ids[0]).await;
    let mut who = seen.clone();
    let mut changes = Changes::new();
    who.identity.verifiable_addresses[0].value = "+41 79 123 45 67".to_owned();
    identities::update(&mut changes, &seen.identity, &who.identity);
    let password = seen.credential(CredentialType::Password).unwrap();
    let spaced = Credential { identifiers: vec!["+41 79 123 45 67".to_owned()], ..password.clone() };
    credentials::replace(&mut changes, ids[0], password, &spaced);
    store.commit(changes).await.unwrap();

    let dsn = place.dsn("db.sqlite");
    let command = ["migrate", "normalize-phone-numbers", &dsn, "--batch-size", "1", "--batch-delay", "1ms", "--format", "json"];
    let run = |more: &[&str]| place.run(&[&command[..], more].concat()).done().json();
    assert_eq!(run(&["--dry-run"]), json!({ "seen": 2, "written": 1, "left": [], "dry_run": true }));
    assert_eq!(run(&["--start-after", &format!("identities={}", ids[0])])["seen"], 1);
    assert_eq!(run(&[])["written"], 1);
    assert_eq!(run(&[])["written"], 0, "once is enough");
    place.run(&[&command[..], &["--start-after", "flows=1"]].concat()).refused(&["identities=ID"]);
    let who = read(ids[0]).await;
    assert_eq!(who.identity.verifiable_addresses[0].value, "+41791234567");
    assert_eq!(who.credential(CredentialType::Password).unwrap().identifiers, ["+41791234567"]);
}
