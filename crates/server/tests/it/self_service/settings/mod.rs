//! The settings flow. Tests whose names begin with a line stand for that line of its acceptance list: one file for each of
//! the list's headings, and more where there is much to say.

mod answers;
mod applied;
mod bodies;
mod clients;
mod crash;
mod memory;
mod order;
mod secrets;
mod typed;
mod waiting;

use serde_json::{Value, json};

use crate::support::{Form, Native, Person, Spa, TestApp};

const NEW: &str = "heron-Qx7-58-lantern";
const NEWER: &str = "badger-Vy2-33-compass";

/// A change of configuration by which a sign-in is fresh for a minute.
fn stale() -> Value {
    json!({ "selfservice": { "flows": { "settings": { "privileged_session_max_age": "1m" } } } })
}

fn password(new: &str) -> Value {
    json!({ "method": "password", "password": new })
}

fn profile(traits: Value) -> Value {
    json!({ "method": "profile", "traits": traits })
}

/// Somebody new in a browser, with a form before them.
async fn signed_up<'a>(app: &'a TestApp, who: &Person) -> (Spa<'a>, Form) {
    let mut spa = Spa::new(app);
    spa.sign_up(who).await;
    let form = spa.open("settings").await;
    (spa, form)
}

/// Which of the passwords are good for a sign-in.
async fn good<'p>(app: &TestApp, who: &Person, passwords: &[&'p str]) -> Vec<&'p str> {
    let mut good = Vec::new();
    for password in passwords {
        let answer = Native::new(app).try_sign_in(&who.with_password(password)).await;
        match answer.status {
            200 => good.push(*password),
            400 => assert_eq!(answer.told(), [4_000_006]),
            _ => panic!("{answer:?}"),
        }
    }
    good
}

/// Somebody in a browser who sent a new password too late, and the form that they sent.
async fn parked_by_script<'a>(app: &'a TestApp, who: &Person) -> (Spa<'a>, Form) {
    let (mut spa, form) = signed_up(app, who).await;
    app.wait(120);
    let answer = spa.submit(&form, password(NEW)).await;
    assert_eq!((answer.status, answer.error_id().as_deref()), (403, Some("session_refresh_required")));
    (spa, form)
}

/// The same with an app.
async fn parked_by_app<'a>(app: &'a TestApp, who: &Person) -> (Native<'a>, Form) {
    let mut native = Native::new(app);
    native.sign_up(who).await;
    let form = native.open("settings").await;
    app.wait(120);
    let answer = native.submit(&form, password(NEW)).await;
    assert_eq!((answer.status, answer.error_id().as_deref()), (403, Some("session_refresh_required")));
    (native, form)
}
