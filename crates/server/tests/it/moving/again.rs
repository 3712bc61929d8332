//! Moving in once more, shortly before the switch: what happened there since comes too.

use serde_json::{Value, json};

use super::{move_over, second_factors_and_codes};
use crate::sessions::whoami;
use crate::support::{Admin, Native, OldServer, Person, Release, TestApp, everywhere, with_schema};

/// `a-secret-of-mine`, and `another-secret-of-mine`.
const HASH: &str = r#"{"hashed_password": "{SSHA}kwnaI1Mfkzuk1c3ZDnvitMUz3KpzYWx0"}"#;
const OTHER_HASH: &str = r#"{"hashed_password": "{SSHA}gaH+oTibQ0fkOcpPKIWvp8n4WCBzYWx0"}"#;
const TOTP: &str = r#"{"totp_url": "otpauth://totp/x:y?secret=JBSWY3DPEHPK3PXP&issuer=x"}"#;

/// The ids of the types `password` and `totp`.
const PASSWORD_KIND: &str = "44444444-0000-4000-8000-000000000000";
const TOTP_KIND: &str = "44444444-0000-4000-8000-000000000002";

const NAMES: [&str; 7] = ["ada", "ben", "cy", "dee", "eve", "fay", "gil"];

fn id(n: usize) -> String {
    format!("22222222-0000-4000-8000-00000000000{n}")
}

/// Everybody at the time of the first move. Gives the ids of three sessions of the sixth.
fn first(old: &mut OldServer) -> [String; 3] {
    let mut sessions = Vec::new();
    for (n, name) in NAMES.iter().enumerate() {
        let who = old.person(n as u128 + 1, &format!("{name}@example.org"));
        old.addresses(&who);
        old.credential(&who, "password", &[&who.email], HASH);
        if *name == "ben" {
            old.credential(&who, "totp", &[], TOTP);
        }
        for device in ["phone", "desk", "car"] {
            let session = old.session(&who, &format!("ory_st_{name}_{device}"), true, 2030);
            if *name == "fay" {
                sessions.push(session.to_string());
            }
        }
    }
    sessions.try_into().unwrap()
}

/// What happened there until the second move.
fn then(old: &mut OldServer, sessions: &[String; 3]) {
    let later = ("updated_at", "2026-12-24 00:00:00");
    let (ben, cy, dee) = (id(2), id(3), id(4));
    // Ben has another password, another name and no app any more; Cy was switched off.
    let traits = r#"{"email": "ben@example.org", "name": {"first": "Benedict"}}"#;
    old.change("identities", &[("id", ben.as_str())], &[("traits", traits), later]);
    let of_ben = |kind: &'static str| [("identity_id", ben.as_str()), ("identity_credential_type_id", kind)];
    old.change("identity_credentials", &of_ben(PASSWORD_KIND), &[("config", OTHER_HASH), later]);
    old.remove("identity_credentials", &of_ben(TOTP_KIND));
    old.change("identities", &[("id", cy.as_str())], &[("state", "inactive"), later]);
    // Dee is gone with everything.
    for table in ["identity_credentials", "identity_verifiable_addresses", "identity_recovery_addresses", "sessions"] {
        old.remove(table, &[("identity_id", dee.as_str())]);
    }
    old.remove("identities", &[("id", dee.as_str())]);
    // One session of Fay was revoked, one lasts longer, one was removed.
    old.change("sessions", &[("id", sessions[0].as_str())], &[("active", "false")]);
    old.change("sessions", &[("id", sessions[1].as_str())], &[("expires_at", "2031-01-01 00:00:00")]);
    old.remove("sessions", &[("id", sessions[2].as_str())]);
    // And somebody came.
    let hal = old.person(8, "hal@example.org");
    old.credential(&hal, "password", &["hal@example.org"], HASH);
}

async fn sign_in(app: &TestApp, name: &str, password: &str) -> u16 {
    let mut person = Person::named(name);
    (person.email, person.password) = (format!("{name}@example.org"), password.to_owned());
    Native::new(app).try_sign_in(&person).await.status
}

async fn read(app: &TestApp, n: usize) -> Value {
    Admin::new(app).get(&format!("/admin/identities/{}?include_credential=totp&include_credential=password", id(n))).await.json()
}

/// Moves three times; everything that is to be seen after each.
async fn check(app: &TestApp, before: &str, after: &str) {
    let report = move_over(app, before).await;
    assert_eq!((report.identities, report.sessions), (7, 21), "{report:?}");
    let again = move_over(app, before).await;
    assert_eq!((again.identities_already_here, again.identities_updated, again.sessions), (7, 0, 0), "{again:?}");

    // Here, Cy is changed by an administrator, and Gil signs in, whose hash becomes one of ours.
    let patch = json!([{ "op": "add", "path": "/metadata_admin", "value": "vip" }]);
    let etag = Admin::new(app).send("PATCH", &format!("/admin/identities/{}", id(3)), &patch).await.header("etag");
    assert_eq!(sign_in(app, "gil", "a-secret-of-mine").await, 200);
    let upgraded = read(app, 7).await["credentials"]["password"]["config"].clone();
    assert!(upgraded["hashed_password"].as_str().unwrap().starts_with("$2a$"));
    let ben = Admin::new(app).get(&format!("/admin/identities/{}", id(2))).await.header("etag");

    let report = move_over(app, after).await;
    assert_eq!(
        (report.identities, report.identities_updated, report.identities_already_here),
        (1, 1, 4),
        "Hal came, Ben changed, Ada, Eve, Fay and Gil did not: {report:?}"
    );
    assert_eq!((report.sessions, report.sessions_renewed, report.sessions_ended), (0, 1, 2), "{report:?}");
    let left: Vec<(&str, &[String])> = report.left_as_here.iter().map(|(why, g)| (why.as_str(), g.examples.as_slice())).collect();
    assert_eq!(
        left,
        [("it changed there, and here too", &[id(3)][..]), ("it is not there any more, or never was", &[id(4)][..])],
        "{report:?}"
    );
    assert!(report.not_taken.is_empty() && report.changed.is_empty(), "{report:?}");

    let now = read(app, 2).await;
    assert_eq!(now["traits"]["name"], json!({ "first": "Benedict" }));
    assert!(now["credentials"].get("totp").is_none(), "{now}");
    assert_eq!(now["updated_at"], "2026-12-24T00:00:00Z");
    assert_eq!(now["verifiable_addresses"][0]["verified"], true);
    assert_eq!([sign_in(app, "ben", "a-secret-of-mine").await, sign_in(app, "ben", "another-secret-of-mine").await], [400, 200]);
    let etag_now = Admin::new(app).get(&format!("/admin/identities/{}", id(2))).await.header("etag");
    assert_ne!(ben, etag_now, "another state is another version");
    let cy = Admin::new(app).get(&format!("/admin/identities/{}", id(3))).await;
    assert_eq!(
        (cy.json()["metadata_admin"].as_str(), cy.json()["state"].as_str(), cy.header("etag")),
        (Some("vip"), Some("active"), etag)
    );
    assert_eq!(read(app, 7).await["credentials"]["password"]["config"], upgraded, "the better hash stays");
    assert_eq!(whoami(app, "ory_st_ben_desk").await.status, 200, "sessions stay");
    for (device, status) in [("phone", 401), ("desk", 200), ("car", 401)] {
        assert_eq!(whoami(app, &format!("ory_st_fay_{device}")).await.status, status, "{device}");
    }
    assert_eq!(whoami(app, "ory_st_fay_desk").await.json()["expires_at"], "2031-01-01T00:00:00Z");

    // Once more: nothing happens twice, and what was revoked does not come back.
    let settled = move_over(app, after).await;
    assert_eq!((settled.identities, settled.identities_updated, settled.identities_already_here), (0, 0, 6), "{settled:?}");
    assert_eq!((settled.sessions, settled.sessions_renewed, settled.sessions_ended), (0, 0, 0), "{settled:?}");
    // And back to what was before: whoever was taken over anew is as they came, and follows again.
    let back = move_over(app, before).await;
    assert_eq!(back.left_as_here["it changed there, and here too"].examples, [id(3)], "{back:?}");
    assert_eq!(back.identities_updated, 1, "{back:?}");
    assert_eq!(
        read(app, 2).await["credentials"]["totp"]["config"]["totp_url"],
        "otpauth://totp/x:y?secret=JBSWY3DPEHPK3PXP&issuer=x"
    );
}

#[tokio::test]
async fn what_happened_since_comes_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut old = OldServer::in_file(Release::New);
    let sessions = first(&mut old);
    let before = old.write(&folder.path().join("before.sqlite"));
    then(&mut old, &sessions);
    let after = old.write(&folder.path().join("after.sqlite"));
    everywhere(second_factors_and_codes(), async |app| check(app, &before, &after).await).await;
}

#[tokio::test]
async fn what_happened_since_comes_from_a_server() {
    let mut old = OldServer::on_server(Release::Old);
    let sessions = first(&mut old);
    let before = old.script();
    then(&mut old, &sessions);
    let after = old.script();
    with_schema(&before, async |before| {
        with_schema(&after, async |after| {
            let app = TestApp::with(second_factors_and_codes()).await;
            check(&app, before, after).await;
        })
        .await;
    })
    .await;
}
