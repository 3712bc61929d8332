//! The command line, by what it prints and how it ends.

mod database;
mod formats;
mod full;
mod program;
mod reload;
mod secrets;
mod transfer;

use serde_json::{Value, json};

use program::{Place, Server};

fn identity(email: &str) -> Value {
    json!({ "schema_id": "default", "traits": { "email": email } })
}

fn emails(identities: &Value) -> Vec<&str> {
    identities.as_array().unwrap().iter().map(|i| i["traits"]["email"].as_str().unwrap()).collect()
}

#[test]
fn wrong_words_end_with_usage_and_1_and_help_with_0() {
    let place = Place::new();
    for args in [
        &["nope"][..],
        &["list", "nope"],
        &["import", "nope"],
        &["remote", "status", "--nope"],
        &["get", "identity"],
        &["delete", "identity"],
        &["get", "identity", "x", "-i", "password"],
        &["list", "identities", "--format", "xml"],
        &["list", "identities", "--page-size", "0"],
        &["hashers", "argon2", "hash"],
        &["hashers", "argon2", "calibrate"],
        &["hashers", "argon2", "hash", "x", "--memory", "lots"],
        &["cleanup", "sql", "--keep-last", "soon"],
        &["completion", "csh"],
        &["backup"],
        &["format", "jsonnet"],
    ] {
        place.run(args).refused(&["Usage"]);
    }
    for group in ["get", "list", "import", "validate", "delete", "remote", "hashers", "format", "lint", "cleanup", "migrate"] {
        for args in [&[group][..], &[group, "--help"], &["help", group]] {
            let ended = place.run(args).done();
            assert!(ended.out.contains("Usage") && ended.err.is_empty(), "{args:?}: {ended:?}");
        }
    }
    assert!(place.run(&["version"]).done().out.contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn identities_over_the_admin_api() {
    let place = Place::new();
    let server = place.serve(&[], &[]);
    let endpoint = server.endpoint();
    let run = |args: &[&str]| place.run_with(args, &[("KRATOS_ADMIN_URL", &endpoint)], "");

    let one =
        run(&["import", "identities", &place.write("one.json", identity("one@example.org").to_string()), "--format", "json"]);
    let one = one.done().json();
    assert_eq!((one["traits"]["email"].as_str(), one["state"].as_str()), (Some("one@example.org"), Some("active")));
    let id = one["id"].as_str().unwrap();

    // The server keeps what is nested far deeper than usual, and so the program must read it.
    let nested = format!("{}{}", "[".repeat(400), "]".repeat(400));
    let mut deep = json!({ "schema_id": "default", "traits": { "email": "deep@example.org" } });
    deep["metadata_public"] = portcullis_model::json::parse(nested.as_bytes()).unwrap();
    assert_eq!(server.post("/admin/identities", &deep).0, 201);
    let listed = run(&["list", "identities", "--format", "json"]).done().out;
    assert!(listed.contains("deep@example.org") && listed.matches("[").count() >= 400, "{listed}");
    let listed = portcullis_model::json::parse(listed.as_bytes()).unwrap();
    let deep = listed["identities"].as_array().unwrap().iter().find(|who| who["traits"] == deep["traits"]).unwrap();
    run(&["delete", "identity", deep["id"].as_str().unwrap()]).done();

    // Of several, those that can be made are made; each that cannot is named by file and place.
    let several =
        json!([identity("two@example.org"), identity("one@example.org"), identity("nobody"), identity("three@example.org")]);
    let several = run(&["import", "identities", &place.write("all.json", several.to_string()), "--format", "json"]);
    several.refused(&[
        "2 identities were not imported",
        "all.json, entry 2: 409 Conflict",
        "all.json, entry 3: 400 Bad Request",
        "traits.email",
    ]);
    assert_eq!(emails(&several.json()), ["two@example.org", "three@example.org"]);
    let stdin = place.run_with(
        &["import", "identities", "-q"],
        &[("KRATOS_ADMIN_URL", &endpoint)],
        &identity("four@example.org").to_string(),
    );
    assert_eq!(stdin.done().out.trim().len(), 36);

    // Nothing is made while a file cannot be read.
    let good = place.write("good.json", identity("five@example.org").to_string());
    run(&["import", "identities", &good, &place.write("bad.json", "{\n\"traits\":"), "gone.json"])
        .refused(&["bad.json is not JSON: EOF while parsing a value at line 2", "gone.json cannot be read"]);

    let all = run(&["list", "identities", "--format", "json"]).done().json();
    assert_eq!(all["next_page_token"], "");
    assert_eq!(emails(&all["identities"]), ["one@example.org", "two@example.org", "three@example.org", "four@example.org"]);
    let page = run(&["ls", "identities", "--page-size", "3", "--format", "json-pretty"]).done().json();
    let token = page["next_page_token"].as_str().unwrap();
    let rest = run(&[
        "list",
        "identities",
        "--page-size",
        "3",
        "--page-token",
        token,
        "--format",
        "jsonpointer=/identities/0/traits/email",
    ]);
    assert_eq!(rest.done().out, "four@example.org\n");
    let table = run(&["list", "identities"]).done().out;
    assert!(table.starts_with("ID ") && table.contains("one@example.org") && table.lines().count() == 5, "{table}");

    assert_eq!(run(&["get", "identity", id, "--format", "jsonpath=$.traits.email"]).done().out, "one@example.org\n");
    assert!(run(&["get", "identity", id, "--format", "yaml"]).done().out.contains(
        "  email: one@example.org
"
    ));
    let unknown = "6a2b0c1e-2222-4333-8444-555566667777";
    let both = run(&["get", "identity", unknown, id, "-q"]);
    both.refused(&[&format!("{unknown}: 404 Not Found")]);
    assert_eq!(both.out, format!("{id}\n"));

    assert_eq!(run(&["delete", "identity", id]).done().out, format!("ID\n{id}\n"));
    run(&["delete", "identity", id, "a/b"]).refused(&["2 identities could not be deleted", "404 Not Found", "a/b: 404"]);
    run(&["get", "identity", id]).refused(&["404 Not Found"]);
}

#[test]
fn identities_are_judged_without_being_made() {
    let place = Place::new();
    let server = place.serve(&[], &[]);
    let endpoint = server.endpoint();
    let validate = |value: Value| place.run_with(&["validate", "identity", "-e", &endpoint], &[], &value.to_string());
    validate(identity("ada@example.org")).done();
    let mut hashed = identity("ada@example.org");
    hashed["credentials"] = json!({ "password": { "config": { "hashed_password": "$2a$04$zzz" } } });
    for (value, words) in [
        (identity("nobody"), "traits.email"),
        (json!({ "schema_id": "default", "traits": { "email": "a@b.cd", "nickname": 1 } }), "nickname"),
        (json!({ "traits": { "email": "a@b.cd" } }), "schema_id is missing"),
        (json!({ "schema_id": "other", "traits": {} }), "\"other\": 404 Not Found"),
        (json!({ "schema_id": "default", "trait": {} }), "unknown field `trait`"),
        (json!({ "schema_id": "default", "traits": [] }), "Traits must be"),
        (json!({ "schema_id": "default", "state": "asleep", "traits": { "email": "a@b.cd" } }), "active or inactive"),
        (hashed, "credentials: "),
        (json!([identity("a@b.cd"), identity("x"), identity("y")]), "standard input, entry 3"),
    ] {
        validate(value).refused(&[words]);
    }
    assert_eq!(server.get("/admin/identities").1, "[]");
}

#[test]
fn a_server_is_asked_how_it_is() {
    let place = Place::new();
    let server = place.serve(&[], &[]);
    let endpoint = server.endpoint();
    let status = place.run(&["remote", "status", "-e", &endpoint, "--format", "json"]).done();
    assert_eq!(status.out, "{\"alive\":true,\"ready\":true}\n");
    let version = place.run(&["remote", "version", "-e", &endpoint, "--format", "json"]).done().json();
    assert_eq!(version, json!({ "version": env!("CARGO_PKG_VERSION") }));
    drop(server);
    let gone = place.run(&["remote", "status", "-e", &endpoint, "--format", "json"]);
    gone.refused(&["cannot be reached"]);
    assert_eq!(gone.out, "{\"alive\":false,\"ready\":false}\n");
    place.run(&["remote", "version", "-e", &endpoint]).refused(&["cannot be reached"]);
    place.run(&["remote", "status"]).refused(&["--endpoint", "KRATOS_ADMIN_URL"]);
    place.run(&["remote", "status", "-e", "localhost:4434"]).refused(&["http or https"]);
    let secret = place.run(&["remote", "version", "-e", "http://ada:hunter2@127.0.0.1:9"]);
    secret.refused(&["127.0.0.1:9"]);
    assert!(!secret.err.contains("hunter2"));
}

#[test]
fn shells_get_scripts() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let full = place.run(&["completion", shell]).done().out;
        let bare = place.run(&["completion", shell, "--no-descriptions"]).done().out;
        assert!(full.contains("identities") && bare.contains("identities"), "{shell}");
        assert!(bare.len() <= full.len() && !bare.contains("Look for damage"), "{shell}");
    }
}

#[test]
fn hashes_are_timed_and_parameters_found() {
    let place = Place::new();
    let cheap = ["--parallelism", "1", "--salt-length", "16", "--key-length", "16"];
    let hash = place.run(
        &[&["hashers", "argon2", "hash", "a", "b", "--memory", "1MB", "--iterations", "2", "--parallel"], &cheap[..]].concat(),
    );
    assert_eq!(hash.done().out.matches("$argon2id$v=19$m=1024,t=2,p=1$").count(), 2);
    let search = [
        "--min-duration",
        "1ms",
        "--expected-deviation",
        "10s",
        "--max-memory",
        "2MB",
        "--start-memory",
        "1MB",
        "--format",
        "json",
    ];
    let found = place.run(&[&["hashers", "argon2", "calibrate", "60"], &search[..], &cheap[..]].concat()).done().json();
    assert_eq!((found["parallelism"].as_u64(), found["key_length"].as_u64()), (Some(1), Some(16)));
    assert!(["1MB", "2MB"].contains(&found["memory"].as_str().unwrap()), "{found}");
    // What was found can be written into a configuration as it is.
    let file = place.write("c.json", json!({ "hashers": { "argon2": found } }).to_string());
    place.run(&["hashers", "argon2", "hash", "a", "-c", &file]).done();
    place.run(&["hashers", "argon2", "calibrate", "6000", "--dedicated-memory", "1MB"]).refused(&["less than 1MB for each"]);
    let load = place.run(
        &[&["hashers", "argon2", "load-test", "1200", "--for", "500ms", "--memory", "1MB", "--format", "json"], &cheap[..]]
            .concat(),
    );
    assert_eq!(load.done().json()["requests"], 10);
    place
        .run_with(&["hashers", "argon2", "hash", "a"], &[("HASHERS_ARGON2_MEMORY", "much")], "")
        .refused(&["hashers.argon2.memory"]);
}

#[test]
fn jsonnet_is_formatted_and_judged() {
    let place = Place::new();
    let file = place.write("a.jsonnet", "local x=1;{a:x,b:\"y\"}");
    let broken = place.write("b.jsonnet", "{\na: 1,,}");
    let unknown = place.write("c.jsonnet", "\n{ a: nope }\n");
    let expected = "local x = 1; { a: x, b: 'y' }\n";
    assert_eq!(place.run(&["format", "jsonnet", &file]).done().out, expected);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "local x=1;{a:x,b:\"y\"}");
    place.run(&["format", "jsonnet", "-w", &broken, &file]).refused(&["b.jsonnet cannot be formatted", "line 2"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), expected);
    assert_eq!(std::fs::read_to_string(&broken).unwrap(), "{\na: 1,,}");
    place.run(&["lint", "jsonnet", &file]).done();
    place.run(&["lint", "lint", &file, &unknown, &broken, "gone.jsonnet"]).refused(&[
        "c.jsonnet: the variable nope is not known on line 2",
        "b.jsonnet: it is no Jsonnet on line 2",
        "gone.jsonnet cannot be read",
    ]);
}
