//! Secrets: lines 14 to 19 of the acceptance list of settings.

use portcullis_core::jobs;
use serde_json::json;

use super::{NEW, password, profile, signed_up, stale};
use crate::support::{Native, Person, RawDatabase, Spa, TestApp};

#[tokio::test]
async fn line_14_what_waits_is_unreadable_and_goes_on_use_logout_expiry_and_a_new_flow() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.sqlite");
    let app = TestApp::stored_at(&path, stale()).await;
    let raw = RawDatabase::at(&path);
    let waiting = [
        ("password".to_owned(), NEW.as_bytes().to_vec()),
        ("address".to_owned(), b"countess@example.org".to_vec()),
        ("name".to_owned(), b"Augusta-Ada".to_vec()),
    ];
    for (name, ending) in [("ada", "use"), ("grace", "logout"), ("mary", "expiry"), ("joan", "a new flow"), ("jean", "a refusal")]
    {
        let who = Person::named(name);
        let (mut spa, form) = signed_up(&app, &who).await;
        let mut native = Native::new(&app);
        native.sign_in(&who).await;
        let native_form = native.open("settings").await;
        app.wait(120);
        let moved = profile(json!({ "email": "countess@example.org", "name": { "first": "Augusta-Ada" } }));
        assert_eq!(native.submit(&native_form, moved).await.status, 403);
        assert_eq!(spa.submit(&form, password(NEW)).await.status, 403);
        assert_eq!(raw.count("parked"), 2, "{name}");
        assert_eq!(raw.places_of(&waiting), [""; 0], "in clear while it waits");
        match ending {
            "use" => {
                spa.refresh(&who).await;
                assert_eq!(spa.finish(&form).await.status, 200);
                // This one was overtaken by the new password.
                native.refresh(&who.with_password(NEW)).await;
                assert_eq!(native.finish(&native_form).await.status, 400);
            }
            "logout" => {
                spa.sign_out().await;
                let token = native.token.clone().unwrap();
                assert_eq!(native.delete("/self-service/logout/api", &json!({ "session_token": token })).await.status, 204);
            }
            "expiry" => {
                app.wait(14 * 60);
                jobs::tidy(&app.app).await.unwrap();
                assert_eq!(raw.count("parked"), 2, "not yet");
                app.wait(60);
                assert_eq!(jobs::tidy(&app.app).await.unwrap().parked, 2);
            }
            "a new flow" => {
                spa.open("settings").await;
                native.open("settings").await;
            }
            _ => {
                Spa::new(&app).sign_up(&Person::named("countess")).await;
                native.refresh(&who).await;
                assert_eq!(native.finish(&native_form).await.told(), [4_000_007]);
                spa.sign_out().await;
            }
        }
        assert_eq!(raw.count("parked"), 0, "{name}: {ending}");
    }
}

#[tokio::test]
async fn line_15_a_password_is_in_no_answer() {
    let app = TestApp::with(stale()).await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    let new = "heron-Qx7-58-lantern";
    let short = "Zq7-x!y";
    let mut answers = vec![
        spa.submit(&form, password(new)).await,
        spa.submit(&form, password(short)).await,
        spa.submit(&form, password(new)).await,
        spa.submit(&form, json!({ "method": "profile", "password": new, "traits": { "email": "nobody" } })).await,
        spa.flow("settings", &form.id).await,
    ];
    app.wait(120);
    answers.push(spa.submit(&form, password("heron-Qx7-59-lantern")).await);
    answers.push(spa.flow("settings", &form.id).await);
    for answer in answers {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        for secret in [new, short, &ada.password, "heron-Qx7-59-lantern"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(!text.contains("$2a$") && !text.contains("$2b$") && !text.contains("$argon2"), "a hash in {text}");
    }
}

#[tokio::test]
async fn line_17_asking_always_asks_every_method_and_lets_it_through_after_a_sign_in() {
    let app = TestApp::with(json!({ "selfservice": { "flows": { "settings": { "privileged_session_max_age": "0s" } } } })).await;
    let ada = Person::named("ada");
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada).await;
    let form = spa.open("settings").await;
    let moved = json!({ "method": "profile", "traits": { "email": "countess@example.org" } });
    for fields in [password(NEW), moved.clone()] {
        let asked = spa.submit(&form, fields.clone()).await;
        assert_eq!((asked.status, asked.error_id().as_deref()), (403, Some("session_refresh_required")), "{fields}");
    }
    assert_eq!(spa.finish(&form).await.status, 403, "no sign-in since");
    app.wait(1);
    spa.refresh(&ada).await;
    app.wait(1);
    assert_eq!(spa.finish(&form).await.status, 200);
    assert_eq!(spa.traits().await["email"], "countess@example.org");
    assert_eq!(spa.submit(&form, password(NEW)).await.status, 403, "and asks again for the next change");
}

#[tokio::test]
async fn line_18_a_passwords_length_is_counted_in_characters() {
    let app = TestApp::new().await;
    let (mut spa, form) = signed_up(&app, &Person::named("ada")).await;
    // Three characters of three bytes each; then eight of two.
    for (password, told) in [("\u{20ac}\u{65e5}\u{672c}", 4_000_032), ("äöüßéèñç", 1_050_001)] {
        let answer = spa.submit(&form, json!({ "method": "password", "password": password })).await;
        assert_eq!(answer.told(), [told], "{password}");
    }
}

#[tokio::test]
async fn line_19_the_person_is_told_and_other_sessions_end_where_configured() {
    let change = json!({ "selfservice": { "flows": { "settings": { "after": {
        "password": { "hooks": [{ "hook": "revoke_active_sessions" }] },
        "profile": { "hooks": [{ "hook": "notify_previous_addresses", "config": { "recipients": "all" } }] },
    } } } } });
    let app = TestApp::with(change).await;
    let ada = Person::named("ada");
    let (mut spa, form) = signed_up(&app, &ada).await;
    let mut elsewhere = Native::new(&app);
    elsewhere.sign_in(&ada).await;
    spa.submit(&form, password("short")).await;
    spa.submit(&form, profile(json!({ "email": ada.email, "name": { "first": "Ada" } }))).await;
    assert_eq!(elsewhere.get("/sessions/whoami").await.status, 200, "a refused password ends nothing, nor does a name");
    assert!(app.mails().await.is_empty());
    assert_eq!(spa.submit(&form, password("heron-Qx7-58-lantern")).await.status, 200);
    assert_eq!(elsewhere.get("/sessions/whoami").await.status, 401);
    assert_eq!(spa.get("/sessions/whoami").await.status, 200, "this one stays");
    spa.submit(&form, profile(json!({ "email": "countess@example.org" }))).await;
    let told: Vec<_> = app.mails().await.into_iter().map(|m| (m.to, m.template)).collect();
    assert_eq!(told, [(ada.email, "verifiable_address_changed".to_owned())]);
}
