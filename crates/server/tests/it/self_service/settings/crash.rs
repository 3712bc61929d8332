//! Crashes at every moment of a settings journey: lines 9 and 30 of the acceptance list of settings.

use std::path::Path;

use serde_json::{Value, json};

use super::{NEW, good, password, profile, signed_up, stale};
use crate::support::{Faults, Form, Jar, Mail, Native, Person, RawDatabase, Spa, TestApp, UI};

fn ada() -> Person {
    Person::named("ada")
}

const MOVED: &str = "countess@example.org";

/// Verification and notices are on, so that a change of address writes into many tables.
fn busy() -> Value {
    let mut change = stale();
    let flows = &mut change["selfservice"]["flows"];
    flows["verification"] = json!({ "enabled": true, "ui_url": format!("{UI}/verification") });
    flows["settings"]["after"] = json!({ "profile": { "hooks": [{ "hook": "notify_previous_addresses" }] } });
    change
}

/// What is at hand when the journey begins: the database, and a person's browser with a form.
struct Outset {
    folder: tempfile::TempDir,
    clock: std::sync::Arc<portcullis_core::crypto::random::FixedClock>,
    jar: Jar,
    form: Form,
}

impl Outset {
    /// Somebody whose sign-in is not fresh any more has a form open; the server is stopped.
    async fn prepare(change: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let app = TestApp::stored_at(&folder.path().join("outset.sqlite"), change).await;
        let (spa, form) = signed_up(&app, &ada()).await;
        app.wait(120);
        let jar = spa.jar.clone();
        app.app.store.close().await.unwrap();
        Self { clock: app.clock.clone(), jar, form, folder }
    }

    /// A copy of the database.
    fn copy(&self, number: u64) -> std::path::PathBuf {
        let path = self.folder.path().join(format!("{number}.sqlite"));
        std::fs::copy(self.folder.path().join("outset.sqlite"), &path).unwrap();
        path
    }
}

/// What the journey is about.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Wish {
    Password,
    Address,
}

impl Wish {
    fn fields(self) -> Value {
        match self {
            Self::Password => password(NEW),
            Self::Address => profile(json!({ "email": MOVED, "name": { "first": "Ada" } })),
        }
    }
}

/// Sends the form, signs in again, comes back. Stops where the server fails, or after some steps: then the last answer was
/// lost on the way. Gives the number of steps that were answered.
async fn travel(spa: &mut Spa<'_>, form: &Form, wish: Wish, steps: usize) -> usize {
    for step in 0..steps {
        let before = spa.jar.clone();
        let answer = match step {
            0 => spa.submit(form, wish.fields()).await,
            1 => spa.get("/self-service/login/browser?refresh=true").await,
            2 => {
                // The page of the login is before the person.
                let login = spa.get("/self-service/login/browser?refresh=true").await;
                if login.status >= 500 {
                    return step;
                }
                let fields = json!({ "method": "password", "identifier": ada().email, "password": ada().password });
                spa.submit(&Form::of(&login), fields).await
            }
            _ => spa.finish(form).await,
        };
        if answer.status >= 500 {
            return step;
        }
        assert_eq!(answer.status, if step == 0 { 403 } else { 200 }, "step {step}: {answer:?}");
        if step + 1 == steps && steps < 4 {
            spa.jar = before;
        }
    }
    steps
}

/// What the person finds after a crash, on a server that was started again; then they carry on to the end.
async fn carry_on(outset: &Outset, path: &Path, jar: &Jar, wish: Wish, case: &str, start: u64) {
    let app = TestApp::started_again(path, outset.clock.clone(), busy(), start).await;
    let raw = RawDatabase::at(path);
    let (ada, moved) = (ada(), Person { email: MOVED.to_owned(), ..ada() });
    let mut spa = Spa::new(&app);
    spa.jar = jar.clone();
    let form = &outset.form;

    // Old or new, and nothing in between.
    let traits = spa.traits().await;
    let changed = match wish {
        Wish::Password => {
            let passwords = good(&app, &ada, &[&ada.password, NEW]).await;
            assert_eq!(passwords.len(), 1, "{case}");
            assert_eq!(traits["email"], ada.email.as_str());
            passwords == [NEW]
        }
        Wish::Address => {
            let is_new = traits["email"] == MOVED;
            let expected = if is_new {
                json!({ "email": MOVED, "name": { "first": "Ada" } })
            } else {
                json!({ "email": ada.email, "name": {} })
            };
            assert_eq!(traits, expected, "{case}");
            let works = (Native::new(&app).try_sign_in(&ada).await.status, Native::new(&app).try_sign_in(&moved).await.status);
            assert_eq!(works, if is_new { (400, 200) } else { (200, 400) }, "{case}");
            is_new
        }
    };
    let mails = |mails: Vec<Mail>| {
        let about_it =
            |m: &&Mail| m.template == "verifiable_address_changed" || (m.template == "verification_code_valid" && m.to == MOVED);
        mails.iter().filter(about_it).count()
    };
    let expected_mails = |changed: bool| if changed && wish == Wish::Address { 2 } else { 0 };
    assert_eq!(mails(app.mails().await), expected_mails(changed), "{case}: mails are there with the change, or not at all");
    let waits = raw.count("parked");
    assert!(waits <= 1 && !(changed && waits == 1), "{case}: applied, and still waiting");
    let state = spa.flow("settings", &form.id).await.state();
    assert_eq!(state == "success", changed, "{case}: the flow tells what happened");

    // Somebody who carries on gets there.
    let now = if changed && wish == Wish::Password {
        ada.with_password(NEW)
    } else if changed {
        moved.clone()
    } else {
        ada.clone()
    };
    app.wait(1);
    spa.refresh(&now).await;
    let finished = spa.finish(form).await;
    let holds_cookie = jar.get("ory_kratos_continuity").is_some();
    if waits == 1 && holds_cookie {
        assert_eq!((finished.status, finished.state()), (200, "success".to_owned()), "{case}: what waits works");
    } else {
        assert_eq!((finished.status, finished.told()), (400, vec![4_000_001]), "{case}: what does not wait is told");
        if !changed {
            let again = spa.submit(form, wish.fields()).await;
            assert_eq!((again.status, again.state()), (200, "success".to_owned()), "{case}: sent again, it is taken");
        }
    }
    match wish {
        Wish::Password => assert_eq!(good(&app, &ada, &[&ada.password, NEW]).await, [NEW], "{case}"),
        Wish::Address => assert_eq!(spa.traits().await, json!({ "email": MOVED, "name": { "first": "Ada" } }), "{case}"),
    }
    assert_eq!(mails(app.mails().await), expected_mails(true), "{case}: written to once");
    assert_eq!(raw.count("parked"), 0, "{case}: nothing is left behind");
    assert_eq!(raw.count("identities"), 1);
    app.app.store.close().await.unwrap();
}

async fn crash_everywhere(wish: Wish) {
    let outset = Outset::prepare(busy()).await;
    // Once without a crash, to learn how long the journey is.
    let mut start = 0;
    let path = outset.copy(start);
    let faults = Faults::put_into(&path);
    let app = TestApp::started_again(&path, outset.clock.clone(), busy(), start).await;
    let mut spa = Spa::new(&app);
    spa.jar = outset.jar.clone();
    let begun = faults.written();
    app.wait(1);
    assert_eq!(travel(&mut spa, &outset.form, wish, 4).await, 4);
    let rows = faults.written();
    assert!(rows - begun > 8, "a journey writes many rows");
    app.app.store.close().await.unwrap();

    // The power goes at each row that is written.
    let mut seen = std::collections::BTreeSet::new();
    for row in begun + 1..=rows {
        start += 1;
        let path = outset.copy(start);
        let faults = Faults::put_into(&path);
        faults.refuse_from(row);
        let app = TestApp::started_again(&path, outset.clock.clone(), busy(), start).await;
        let mut spa = Spa::new(&app);
        spa.jar = outset.jar.clone();
        app.wait(1);
        let steps = travel(&mut spa, &outset.form, wish, 4).await;
        assert!(steps < 4, "row {row} was written");
        seen.insert(steps);
        let jar = spa.jar.clone();
        drop(app);
        faults.refuse_from(1_000_000);
        start += 1;
        carry_on(&outset, &path, &jar, wish, &format!("{wish:?}, crash at row {row} in step {steps}"), start).await;
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3], "every step was broken off");

    // It goes after a step was done, and before its answer came.
    for steps in [1, 2, 3] {
        start += 1;
        let path = outset.copy(start);
        let app = TestApp::started_again(&path, outset.clock.clone(), busy(), start).await;
        let mut spa = Spa::new(&app);
        spa.jar = outset.jar.clone();
        app.wait(1);
        assert_eq!(travel(&mut spa, &outset.form, wish, steps).await, steps);
        let jar = spa.jar.clone();
        drop(app);
        start += 1;
        carry_on(&outset, &path, &jar, wish, &format!("{wish:?}, the answer to step {steps} is lost"), start).await;
    }
}

#[tokio::test]
async fn line_30_a_crash_while_a_password_is_changed_leaves_the_old_or_the_new_one() {
    crash_everywhere(Wish::Password).await;
}

#[tokio::test]
async fn line_09_line_30_a_crash_while_an_address_is_changed_leaves_all_of_it_or_nothing() {
    crash_everywhere(Wish::Address).await;
}
