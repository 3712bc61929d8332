//! Exports and imports of whole databases.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::program::{Place, Server};
use crate::moving::broken_off::in_file;

/// A configuration with a database of its own.
fn configuration(place: &Place, name: &str) -> String {
    let schema = place.write("schema.json", portcullis_core::config::first_run::IDENTITY_SCHEMA);
    let config = json!({
        "dsn": place.dsn(&format!("{name}.sqlite")),
        "dev": true,
        "serve": { "public": { "base_url": "http://127.0.0.1:4433/", "host": "127.0.0.1" }, "admin": { "host": "127.0.0.1" } },
        "selfservice": { "default_browser_return_url": "http://127.0.0.1:4455/" },
        "identity": { "schemas": [{ "id": "default", "url": format!("file://{schema}") }] },
        "secrets": { "default": ["a-default-secret-of-tests"], "cipher": ["a-cipher-secret-of-32-characters"] },
        "hashers": { "algorithm": "bcrypt", "bcrypt": { "cost": 4 } },
        "log": { "level": "error" },
    });
    place.write(&format!("{name}.json"), config.to_string())
}

/// Somebody with everything that an import takes.
fn ada() -> Value {
    json!({
        "schema_id": "default",
        "traits": { "email": "Ada@example.org", "name": { "first": "Ada" } },
        "state": "inactive",
        "metadata_public": { "n": 0.1 },
        "metadata_admin": [1],
        "external_id": "ada-1",
        "organization_id": "8d6d5a3c-4f0e-4f0e-8b5e-0a6f5b2c1d00",
        "verifiable_addresses": [{ "value": "ada@example.org", "via": "email", "verified": true, "verified_at": "2020-01-02T03:04:05Z" }],
        "credentials": {
            "password": { "config": { "hashed_password": "$2a$04$9EDmUFyT7vPyFwHZ7nFjw.gd5D6B8mc.y4/TRO7Jy1xMHQ.ySHhWe" } },
            "oidc": { "config": { "providers": [{ "provider": "hub", "subject": "s-1", "use_auto_link": true }] } },
            "totp": { "config": { "totp_url": "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP" } },
            "lookup_secret": { "config": { "codes": [{ "code": "aaaa1111" }, { "code": "bbbb2222", "used_at": "2020-01-02T03:04:05Z" }] } },
            "webauthn": { "config": { "user_handle": "aGFuZGxl", "credentials": [{ "id": "a2V5", "public_key": "cHVi", "display_name": "key" }] } },
            "passkey": { "config": { "user_handle": "aGFuZGxl", "credentials": [{ "id": "cGFzcw==", "public_key": "cHVi" }] } },
        },
    })
}

fn lines(path: &Path) -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let values = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    values.map(|value| (value["traits"]["email"].as_str().unwrap().to_owned(), value)).collect()
}

/// Gives somebody what no import takes: a device key, and an authenticator app that was used.
fn more(dsn: &str, id: &str) {
    use portcullis_model::credential::{Credential, CredentialType};
    use portcullis_model::time::Timestamp;
    use portcullis_store::{Changes, OpenOptions, Store, credentials, identities};

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(dsn, OpenOptions::default()).await.unwrap();
        let id = id.parse().unwrap();
        let who = identities::get_with_credentials(&store, id).await.unwrap().unwrap();
        let mut changes = Changes::new();
        let device = Credential {
            id: uuid::Uuid::from_u128(77),
            kind: CredentialType::Deviceauthn,
            identifiers: vec!["device-1".to_owned()],
            config: json!({ "keys": [{ "name": "phone" }] }),
            version: 3,
            created_at: Timestamp::from_seconds(1),
            updated_at: Timestamp::from_seconds(2),
        };
        credentials::insert(&mut changes, id, &device);
        let totp = &who.credential(CredentialType::Totp).unwrap().config;
        let mut used = totp.clone();
        used["last_step"] = 58_000_000.into();
        credentials::replace_config(&mut changes, id, CredentialType::Totp, &used, totp, Timestamp::from_seconds(3));
        store.commit(changes).await.unwrap();
        store.close().await.unwrap();
    });
}

#[test]
fn an_export_is_taken_back_unchanged() {
    let place = Place::new();
    let first = configuration(&place, "first");
    let people = place.write("people.json", json!([ada(), { "traits": { "email": "ben@example.org" } }]).to_string());
    let imported = place.run(&["import", "identities", "-c", &first, &people, "--format", "json"]).done();
    assert_eq!(imported.json(), json!({ "imported": 2, "already_here": 0, "failed": 0 }));

    let listed = place.path("ids.jsonl");
    place.run(&["export", "identities", "-c", &first, "-o", listed.to_str().unwrap()]).done();
    more(&place.dsn("first.sqlite"), lines(&listed)["Ada@example.org"]["id"].as_str().unwrap());

    let out = place.path("all.jsonl");
    let exported = place.run(&["export", "identities", "-c", &first, "-o", out.to_str().unwrap()]).done();
    assert!(exported.err.contains("Wrote 2 identities"), "{exported:?}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&out).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "it is nobody else's business");
    let written = lines(&out);
    let hash = &written["Ada@example.org"]["credentials"]["password"]["config"]["hashed_password"];
    assert_eq!(hash, &ada()["credentials"]["password"]["config"]["hashed_password"]);
    assert_eq!(written["Ada@example.org"]["credentials"]["totp"], ada()["credentials"]["totp"]);
    assert_eq!(written["Ada@example.org"]["credentials"]["lookup_secret"], ada()["credentials"]["lookup_secret"]);

    // Into another database: letter by letter the same, and again: nothing.
    let second = configuration(&place, "second");
    place.run(&["import", "identities", "-c", &second, out.to_str().unwrap()]).done();
    let again = place.run(&["import", "identities", "-c", &second, out.to_str().unwrap(), "--format", "json"]).done();
    assert_eq!(again.json(), json!({ "imported": 0, "already_here": 2, "failed": 0 }));
    let back = place.path("back.jsonl");
    place.run(&["export", "identities", "-c", &second, "-o", back.to_str().unwrap()]).done();
    assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(&back).unwrap());
    let (one, two) = (in_file(&place.path("first.sqlite")), in_file(&place.path("second.sqlite")));
    for (table, rows) in &one {
        assert_eq!(rows.len(), two[table].len(), "{table}");
        for (row, other) in rows.iter().zip(&two[table]) {
            assert_eq!(row, other, "{table}");
        }
    }
    assert_eq!((one["credentials"].len(), one["identities"].len()), (11, 2), "{:?}", one["credentials"]);
    // To standard output as well; never over a file that is there.
    let printed = place.run(&["export", "identities", "-c", &second]).done();
    assert_eq!(printed.out.into_bytes(), std::fs::read(&out).unwrap());
    place.run(&["export", "identities", "-c", &second, "-o", back.to_str().unwrap()]).refused(&["cannot be made"]);

    // Over the admin API they are new people with the same everything.
    let third = configuration(&place, "third");
    let server = Server::start(place.command(&["serve", "-c", &third]), &[], place.path("log.txt"));
    let endpoint = server.endpoint();
    let sent = place.run(&["import", "identities", "-e", &endpoint, out.to_str().unwrap(), "--format", "json"]).done();
    assert_eq!(sent.json()["imported"], 2, "{sent:?}");
    assert!(sent.err.contains("new ids"), "{sent:?}");
    let refused = place.run(&["import", "identities", "-e", &endpoint, out.to_str().unwrap(), "--format", "json"]);
    refused.refused(&["2 identities were not imported", "all.jsonl, line 1: "]);
    drop(server);
    let over = place.path("over.jsonl");
    place.run(&["export", "identities", "-c", &third, "-o", over.to_str().unwrap()]).done();
    let strip = |mut all: BTreeMap<String, Value>| {
        for value in all.values_mut() {
            for name in ["id", "created_at", "updated_at", "state_changed_at", "kept"] {
                value.as_object_mut().unwrap().shift_remove(name);
            }
            // When a key was added is made up where it is not told.
            for kind in ["webauthn", "passkey"] {
                if let Some(key) = value.pointer_mut(&format!("/credentials/{kind}/config/credentials/0")) {
                    key.as_object_mut().unwrap().shift_remove("added_at");
                }
            }
        }
        all
    };
    assert_eq!(strip(lines(&over)), strip(lines(&out)));
}

#[test]
fn lines_that_are_wrong_are_named_and_the_others_come() {
    let place = Place::new();
    let config = configuration(&place, "own");
    let text = [
        r#"{"traits": {"email": "one@example.org"}}"#,
        "nothing",
        r#"{"traits": {"email": "nobody"}}"#,
        r#"{"traits": {"email": "One@example.org"}}"#,
        r#"{"traits": {"email": "two@example.org"}, "credentials": {"password": {"config": {"hashed_password": "$2a$31$9EDmUFyT7vPyFwHZ7nFjw.gd5D6B8mc.y4/TRO7Jy1xMHQ.ySHhWe"}}}}"#,
        r#"{"id": "no id", "traits": {"email": "three@example.org"}}"#,
        "",
        r#"{"traits": {"email": "four@example.org"}, "credentials": {"password": {"config": {"password": "a-secret-of-mine"}}}}"#,
    ]
    .join("\n");
    let file = place.write("people.jsonl", &text);
    let ended = place.run(&["import", "identities", "-c", &config, &file, "--format", "json"]);
    ended.refused(&["5 identities were not imported", "line 2 is not JSON", "line 3: ", "line 4: ", "line 5: ", "line 6: "]);
    assert_eq!(ended.json(), json!({ "imported": 2, "already_here": 0, "failed": 5 }));
    let both = place.run(&["import", "identities", "-c", &config, "-e", "http://127.0.0.1:1", &file]);
    both.refused(&["cannot be used with"]);
}

#[test]
fn the_doctor_ends_with_1_if_something_is_serious() {
    let place = Place::new();
    let config = configuration(&place, "own");
    let examined = place.run(&["doctor", "-c", &config, "--format", "json"]);
    let findings = examined.json();
    let findings = findings["findings"].as_array().unwrap();
    assert!(findings.iter().all(|f| f["level"] != "serious"), "{examined:?}");
    assert_eq!(examined.code, 0, "{examined:?}");
    let bad = place
        .write("bad.json", json!({ "dsn": "memory", "serve": { "public": { "base_url": "http://id.tidal.org/" } } }).to_string());
    let examined = place.run(&["doctor", "-c", &config, "-c", &bad]);
    examined.refused(&["findings are serious"]);
    assert!(examined.out.contains("SERIOUS") && examined.out.contains("serve.public.base_url"), "{examined:?}");
    place.run(&["doctor", "-c", &place.write("broken.json", "{\"dsn\": 7}")]).refused(&["dsn"]);
}
