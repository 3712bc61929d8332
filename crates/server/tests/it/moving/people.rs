//! Who comes over, and with what.

use serde_json::{Value, json};

use super::{move_over, second_factors_and_codes};
use crate::support::{Admin, Native, OldServer, Person, Release, TestApp, everywhere, with_schema};

/// `a-secret-of-mine`.
const HASH: &str = r#"{"hashed_password": "{SSHA}kwnaI1Mfkzuk1c3ZDnvitMUz3KpzYWx0"}"#;

/// Tokens under `secrets.cipher` of the tests, by AES-256-GCM, by XChaCha20-Poly1305, and by no cipher.
const LINKS: &str = r#"{"providers": [{"provider": "hub", "subject": "s-1",
    "initial_id_token": "0000000700000000000000002c41630be8cc7aecee42bdc5c9600682829b8ba2440187283b92c02ee29a695e6bbe91",
    "initial_access_token": "00000000000900000000000000000000000000000000000069a793c395e0eda041004d8b4bda604c8b0fb9b0dbefa8de9fabbd5ac2eeade57352bffabf1bd4",
    "initial_refresh_token": "746865207265667265736820746f6b656e206f6620616461"}]}"#;

/// Somebody with everything, two with something wrong, one of another network.
fn fill(old: &mut OldServer) {
    let ada = old.person(1, "Ada@Example.org");
    old.addresses(&ada);
    old.credential(&ada, "password", &["ada@example.org"], HASH);
    old.credential(&ada, "oidc", &["hub:s-1"], LINKS);
    old.credential(&ada, "totp", &["whatever"], r#"{"totp_url": "otpauth://totp/x:ada?secret=JBSWY3DPEHPK3PXP&issuer=x"}"#);
    old.credential(
        &ada,
        "lookup_secret",
        &["whatever"],
        r#"{"recovery_codes": [{"code": "aaaa1111", "used_at": null}, {"code": "bbbb2222", "used_at": "2026-01-01T00:00:00Z"}]}"#,
    );
    old.credential(
        &ada,
        "webauthn",
        &["ada@example.org"],
        r#"{"credentials": [{"id": "a2V5", "public_key": "cHVi", "display_name": "key"}]}"#,
    );
    old.credential(
        &ada,
        "passkey",
        &["handle"],
        r#"{"credentials": [{"id": "cGFzcw==", "public_key": "cHVi", "is_passwordless": true}], "user_handle": "aGFuZGxl"}"#,
    );
    old.credential(&ada, "code", &["ada@example.org"], r#"{"addresses": [{"channel": "email", "address": "ada@example.org"}]}"#);

    let ben = old.person(2, "ben@example.org");
    old.credential(
        &ben,
        "password",
        &["ben@example.org", "benny"],
        r#"{"hashed_password": "$scrypt$ln=1073741824,r=8,p=1$c2FsdA==$aGFzaA=="}"#,
    );
    old.credential(&ben, "hologram", &["x"], "{}");
    old.credential(
        &ben,
        "oidc",
        &["hub:s-2"],
        r#"{"providers": [{"provider": "hub", "subject": "s-2", "initial_id_token": "00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff"}]}"#,
    );
    old.follower(3, "cy@example.org", "gone");
    let twin = old.person(4, "ADA@example.org");
    old.credential(&twin, "password", &["ADA@example.org"], HASH);
    old.foreigner(5, "dee@example.org");
    old.message();
}

async fn credentials(admin: &Admin<'_>, id: &str) -> Value {
    let all = ["password", "oidc", "totp", "lookup_secret", "webauthn", "passkey", "code"];
    let query: Vec<String> = all.iter().map(|kind| format!("include_credential={kind}")).collect();
    admin.get(&format!("/admin/identities/{id}?{}", query.join("&"))).await.json()
}

/// Everything that is to be seen after the move.
async fn check(app: &TestApp, from: &str, release: Release) {
    let report = move_over(app, from).await;
    assert_eq!((report.identities, report.messages_left, report.foreign_identities_left), (2, 1, 1), "{report:?}");
    let not_taken: Vec<&str> = report.not_taken.keys().map(String::as_str).collect();
    assert_eq!(
        not_taken,
        ["another identity here has one of its addresses", "its identity schema is not in the configuration"],
        "{report:?}"
    );
    let changed: Vec<&str> = report.changed.keys().map(String::as_str).collect();
    let expected = [
        "a credential: the type \"hologram\" is not known here",
        "a provider's token could not be decrypted with secrets.cipher and was left out",
        "an identifier of the type password does not follow from the traits any more and was left out",
        "the parameters of the password hash are beyond the bounds for scrypt: the password was left out",
    ];
    for words in expected {
        assert!(changed.contains(&words), "{words}: {changed:?}");
    }

    let admin = Admin::new(app);
    let ada = credentials(&admin, "22222222-0000-4000-8000-000000000001").await;
    assert_eq!(ada["traits"], json!({ "email": "Ada@Example.org", "name": { "first": "Number", "last": "1" } }));
    assert_eq!((&ada["metadata_public"], &ada["metadata_admin"]), (&json!({ "theme": "dark" }), &Value::Null));
    assert_eq!(ada["external_id"].as_str(), (release == Release::New).then_some("external-1"));
    assert_eq!((ada["state"].as_str(), ada["state_changed_at"].as_str()), (Some("active"), Some("2022-01-01T00:00:00Z")));
    assert_eq!(ada["created_at"], "2022-03-04T05:06:07.123456Z");
    let address = &ada["verifiable_addresses"][0];
    assert_eq!(
        (&address["value"], &address["verified"], &address["verified_at"]),
        (&json!("ada@example.org"), &json!(true), &json!("2022-02-02T02:02:02Z"))
    );
    assert_eq!(ada["recovery_addresses"][0]["value"], "ada@example.org");
    let config = |kind: &str| ada["credentials"][kind]["config"].clone();
    let link = &config("oidc")["providers"][0];
    assert_eq!(ada["credentials"]["oidc"]["identifiers"], json!(["hub:s-1"]));
    assert_eq!(link["initial_id_token"], "the id token of ada");
    assert_eq!(link["initial_access_token"], "the access token of ada");
    assert_eq!(link["initial_refresh_token"], "the refresh token of ada");
    assert_eq!(config("totp")["totp_url"], "otpauth://totp/x:ada?secret=JBSWY3DPEHPK3PXP&issuer=x");
    assert_eq!(config("lookup_secret")["recovery_codes"][0]["code"], "aaaa1111");
    assert_eq!(config("webauthn")["credentials"][0]["is_passwordless"], false);
    assert_eq!(config("webauthn")["user_handle"], "IiIiIgAAQACAAAAAAAAAAQ==", "it was the identity's id");
    assert_eq!(config("passkey")["user_handle"], "aGFuZGxl");
    assert_eq!(ada["credentials"]["passkey"]["identifiers"], json!(["handle"]));

    // The password signs in, and what was taken is a second factor.
    let mut person = Person::named("ada");
    (person.email, person.password) = ("ada@example.org".to_owned(), "a-secret-of-mine".to_owned());
    let answer = Native::new(app).try_sign_in(&person).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.json()["session"]["id"].is_string(), "{answer:?}");
    let hash = credentials(&admin, "22222222-0000-4000-8000-000000000001").await["credentials"]["password"]["config"].clone();
    assert!(hash["hashed_password"].as_str().unwrap().starts_with("$2"), "it became one of the configured hasher");

    // Again: nothing happens twice.
    let again = move_over(app, from).await;
    assert_eq!((again.identities, again.identities_already_here), (0, 2), "{again:?}");
}

#[tokio::test]
async fn everybody_comes_with_everything_from_a_file() {
    for release in [Release::Old, Release::New] {
        let folder = tempfile::tempdir().unwrap();
        let mut old = OldServer::in_file(release);
        fill(&mut old);
        let from = old.write(&folder.path().join("kratos.sqlite"));
        everywhere(second_factors_and_codes(), async |app| check(app, &from, release).await).await;
    }
}

#[tokio::test]
async fn everybody_comes_with_everything_from_a_server() {
    for release in [Release::Old, Release::New] {
        let mut old = OldServer::on_server(release);
        fill(&mut old);
        let script = old.script();
        with_schema(&script, async |from| {
            let app = TestApp::with(second_factors_and_codes()).await;
            check(&app, from, release).await;
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_no_such_database_is_refused() {
    use portcullis_store::kratos::Source;
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own.sqlite");
    let app = TestApp::stored_at(&own, json!({})).await;
    app.app.store.close().await.unwrap();
    for (dsn, words) in [
        (format!("sqlite://{}", own.display()), "not of Ory Kratos"),
        (format!("sqlite://{}", folder.path().join("none").display()), "there is no file"),
        ("memory".to_owned(), "another process"),
        ("mysql://root:s3cret@localhost/kratos".to_owned(), "not supported"),
    ] {
        let error = Source::open(&dsn).await.unwrap_err().to_string();
        assert!(error.contains(words) && !error.contains("s3cret"), "{dsn}: {error}");
    }
    assert!(!folder.path().join("none").exists());
}
