//! What holds when many do the same thing at the same moment. Settings are tried on both databases: what is guarded is
//! guarded by statements, and each database has its own idea of what happens at once.

use portcullis_store::identities;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Admin, Answer, Form, Native, Person, Spa, TestApp, everywhere, together};

fn sign_up(email: &str, first: &str) -> serde_json::Value {
    json!({ "method": "password", "password": "heron-Qx7-58-lantern", "traits": { "email": email, "name": { "first": first } } })
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut all: Vec<u16> = answers.iter().map(|a| a.status).collect();
    all.sort_unstable();
    all
}

async fn identities(app: &TestApp) -> Vec<serde_json::Value> {
    Admin::new(app).get("/admin/identities").await.json().as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_address_is_given_to_one_of_64_who_sign_up_with_it() {
    everywhere(json!({}), async |app| {
        let mut forms = Vec::new();
        for _ in 0..64 {
            forms.push(Native::new(app).open("registration").await);
        }
        let spellings = ["ada@example.org", "ADA@example.org", "Ada@Example.Org"];
        let answers = together(64, |number| {
            let (native, form) = (Native::new(app), &forms[number]);
            async move { native.submit(form, sign_up(spellings[number % 3], &format!("Ada {number}"))).await }
        });
        assert_eq!(answers.iter().filter(|a| a.status == 200).count(), 1, "{:?}", statuses(&answers));
        for answer in answers.iter().filter(|a| a.status != 200) {
            assert_eq!((answer.status, answer.told()), (400, vec![4_000_007]), "{answer:?}");
        }
        let winner = answers.iter().position(|a| a.status == 200).unwrap();
        let kept = identities(app).await;
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0]["traits"]["name"]["first"], format!("Ada {winner}"));
        let sessions = Admin::new(app).get("/admin/sessions").await.json().as_array().unwrap().len();
        assert_eq!(sessions, 1, "those who were refused have no session");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_form_sent_64_times_with_different_traits_makes_what_each_answer_says() {
    let app = TestApp::new().await;
    let form = Native::new(&app).open("registration").await;
    let answers = together(64, |number| {
        let (native, form) = (Native::new(&app), &form);
        async move { native.submit(form, sign_up(&format!("ada-{number}@example.org"), &format!("Ada {number}"))).await }
    });
    let mut made = Vec::new();
    for (number, answer) in answers.iter().enumerate() {
        match answer.status {
            200 => {
                let body = answer.json();
                assert_eq!(body["identity"]["traits"]["name"]["first"], format!("Ada {number}"), "somebody else's answer");
                assert_eq!(body["session"]["identity"]["id"], body["identity"]["id"]);
                let mut native = Native::new(&app);
                native.token = Some(body["session_token"].as_str().unwrap().to_owned());
                assert_eq!(native.get("/sessions/whoami").await.json()["identity"]["id"], body["identity"]["id"]);
                made.push(body["identity"]["id"].clone());
            }
            400 => assert!(!answer.told().is_empty(), "{answer:?}"),
            _ => panic!("{answer:?}"),
        }
    }
    assert!(!made.is_empty());
    assert_eq!(identities(&app).await.len(), made.len(), "what was refused was not made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_logout_token_is_good_for_one_of_64() {
    everywhere(json!({}), async |app| {
        let mut spa = Spa::new(app);
        spa.sign_up(&Person::named("ada")).await;
        let token = spa.get("/self-service/logout/browser").await.json()["logout_token"].as_str().unwrap().to_owned();
        let path = format!("/self-service/logout?token={token}");
        let answers = together(64, |_| {
            let (mut spa, path) = (spa.clone(), &path);
            async move { spa.get(path).await }
        });
        assert_eq!(answers.iter().filter(|a| a.status == 204).count(), 1, "{:?}", statuses(&answers));
        for answer in answers.iter().filter(|a| a.status != 204) {
            assert_eq!((answer.status, answer.error_id().as_deref()), (401, Some("session_inactive")));
        }
        assert_eq!(spa.get("/sessions/whoami").await.status, 401);
        assert_eq!(spa.get(&path).await.status, 401, "the token is good for nothing afterwards");
    })
    .await;
}

/// Many tries from one address within a moment are what the limit is for.
fn without_guess_limit() -> Value {
    json!({ "security": { "guess_limit": { "max_tries": 0 } } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sign_ins_at_once_all_succeed_with_sessions_of_their_own() {
    let app = TestApp::with(without_guess_limit()).await;
    let ada = Person::named("ada");
    Native::new(&app).sign_up(&ada).await;
    let answers = together(32, |_| {
        let (native, ada) = (Native::new(&app), &ada);
        async move { native.try_sign_in(ada).await }
    });
    let mut tokens: Vec<_> = answers.iter().map(|a| a.json()["session_token"].as_str().unwrap().to_owned()).collect();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 32);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_external_id_is_given_to_one_of_64() {
    let app = TestApp::new().await;
    let answers = together(64, |number| {
        let app = &app;
        async move {
            let body =
                json!({ "schema_id": "default", "external_id": "E1", "traits": { "email": format!("n{number}@example.org") } });
            Admin::new(app).send("POST", "/admin/identities", &body).await
        }
    });
    assert_eq!(answers.iter().filter(|a| a.status == 201).count(), 1, "{:?}", statuses(&answers));
    assert!(answers.iter().all(|a| matches!(a.status, 201 | 409)));
    assert_eq!(identities(&app).await.len(), 1);
}

const NEW: &str = "heron-Qx7-58-lantern";

fn password(new: &str) -> Value {
    json!({ "method": "password", "password": new })
}

fn profile(traits: Value) -> Value {
    json!({ "method": "profile", "traits": traits })
}

fn stale() -> Value {
    json!({ "selfservice": { "flows": { "settings": { "privileged_session_max_age": "1m" } } } })
}

fn ada() -> Person {
    Person::named("ada")
}

/// Ada in a browser, with two forms open.
async fn with_forms(app: &TestApp) -> (Spa<'_>, [Form; 2]) {
    let mut spa = Spa::new(app);
    spa.sign_up(&ada()).await;
    let forms = [spa.open("settings").await, spa.open("settings").await];
    (spa, forms)
}

/// Sends each of the submits from a browser of its own with the same cookies, all at once.
fn at_once(spa: &Spa<'_>, submits: &[(&Form, Value)]) -> Vec<Answer> {
    together(submits.len(), |number| {
        let (form, fields) = &submits[number];
        let mut spa = spa.clone();
        async move { spa.submit(form, fields.clone()).await }
    })
}

async fn signs_in(app: &TestApp, who: &Person) -> bool {
    Native::new(app).try_sign_in(who).await.status == 200
}

/// Whether it was saved. If not, the person is told that somebody else was at it.
fn saved(answer: &Answer) -> bool {
    match answer.status {
        200 => assert_eq!((answer.state(), answer.told()), ("success".to_owned(), vec![1_050_001])),
        400 => assert_eq!((answer.state(), answer.told()), ("show_form".to_owned(), vec![4_000_001]), "{answer:?}"),
        _ => panic!("{answer:?}"),
    }
    answer.status == 200
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_form_of_settings_sent_by_64_is_applied_whole_or_refused() {
    everywhere(json!({}), async |app| {
        let (mut spa, [form, _]) = with_forms(app).await;
        let traits = |n: usize| json!({ "email": format!("ada-{n}@example.org"), "name": { "first": format!("Ada {n}"), "last": format!("L {n}") } });
        let submits: Vec<_> = (0..64).map(|n| (&form, profile(traits(n)))).collect();
        let answers = at_once(&spa, &submits);
        let kept: Vec<usize> = (0..64).filter(|n| saved(&answers[*n])).collect();
        assert!(!kept.is_empty());
        for number in &kept {
            assert_eq!(answers[*number].json()["identity"]["traits"], traits(*number), "an answer of its own");
        }
        let now = spa.traits().await;
        let last = *kept.iter().find(|n| now == traits(**n)).unwrap_or_else(|| panic!("mixed, or of a refused one: {now}"));
        for number in 0..64 {
            let who = Person { email: format!("ada-{number}@example.org"), ..ada() };
            assert_eq!(signs_in(app, &who).await, number == last, "{number}");
        }
        let id = spa.get("/sessions/whoami").await.json()["identity"]["id"].as_str().unwrap().to_owned();
        let stored = identities::get(&app.app.store, Uuid::parse_str(&id).unwrap()).await.unwrap().unwrap();
        assert_eq!(stored.verifiable_addresses.len(), 1, "addresses do not pile up");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_passwords_at_once_those_that_are_told_to_be_saved_are_not_undone_unseen() {
    everywhere(without_guess_limit(), async |app| {
        let (spa, [form, other]) = with_forms(app).await;
        let new = |n: usize| format!("heron-Qx7-{n:02}-lantern");
        let submits: Vec<_> = (0..16).map(|n| (if n % 2 == 0 { &form } else { &other }, password(&new(n)))).collect();
        let answers = at_once(&spa, &submits);
        let kept: Vec<usize> = (0..16).filter(|n| saved(&answers[*n])).collect();
        let mut good = Vec::new();
        for number in 0..16 {
            if signs_in(app, &ada().with_password(&new(number))).await {
                good.push(number);
            }
        }
        assert!(matches!(good.as_slice(), [one] if kept.contains(one)), "good: {good:?}, saved: {kept:?}");
        assert!(!signs_in(app, &ada()).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_name_and_an_address_changed_at_once_by_two_forms_are_both_kept() {
    for _ in 0..4 {
        everywhere(json!({}), async |app| {
            let (mut spa, [first, second]) = with_forms(app).await;
            let named = profile(json!({ "email": ada().email, "name": { "first": "Ada" } }));
            let moved = profile(json!({ "email": "countess@example.org" }));
            let answers = at_once(&spa, &[(&first, named.clone()), (&second, moved)]);
            assert!(saved(&answers[1]), "the address: nobody else touched it");
            if !saved(&answers[0]) {
                // The form of the name would have changed the address back: the person looks at it, and sends it again.
                assert_eq!(answers[0].field("traits.email"), Some(json!("countess@example.org")));
                assert_eq!(answers[0].field("traits.name.first"), Some(json!("Ada")), "what was typed is still there");
                let again = profile(json!({ "email": "countess@example.org", "name": { "first": "Ada" } }));
                assert!(saved(&spa.submit(&first, again).await));
            }
            assert_eq!(spa.traits().await, json!({ "email": "countess@example.org", "name": { "first": "Ada" } }));
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_password_and_an_address_changed_at_once_are_both_in_effect() {
    for same_form in [false, true] {
        everywhere(json!({}), async |app| {
            let (spa, [first, second]) = with_forms(app).await;
            let second = if same_form { &first } else { &second };
            let moved = profile(json!({ "email": "countess@example.org" }));
            let answers = at_once(&spa, &[(&first, password(NEW)), (second, moved)]);
            assert!(answers.iter().all(saved), "{answers:?}");
            let now = Person { email: "countess@example.org".to_owned(), password: NEW.to_owned() };
            assert!(signs_in(app, &now).await, "both");
            for (email, password) in
                [(ada().email, NEW), (now.email.clone(), ada().password.as_str()), (ada().email, &ada().password)]
            {
                assert!(!signs_in(app, &Person { email, password: password.to_owned() }).await, "mixed");
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_submit_sent_twice_is_applied_once_and_told_alike() {
    everywhere(json!({}), async |app| {
        let (mut spa, [form, _]) = with_forms(app).await;
        let moved = json!({ "email": "countess@example.org", "name": { "first": "Ada" } });
        let answers = at_once(&spa, &[(&form, profile(moved.clone())), (&form, profile(moved.clone()))]);
        assert!(answers.iter().all(saved), "{answers:?}");
        assert_eq!(spa.traits().await, moved);
        let answers = at_once(&spa, &[(&form, password(NEW)), (&form, password(NEW))]);
        let told: Vec<_> = answers.iter().map(|a| (a.status, a.told())).collect();
        assert!(told.contains(&(200, vec![1_050_001])), "{told:?}");
        for other in told.iter().filter(|(status, _)| *status != 200) {
            // It is the present one by now, or became it at the same moment.
            assert!([(400, vec![4_000_039]), (400, vec![4_000_001])].contains(other), "{told:?}");
        }
        let now = Person { email: "countess@example.org".to_owned(), password: NEW.to_owned() };
        assert!(signs_in(app, &now).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_person_and_an_operator_at_once_do_not_undo_one_another() {
    everywhere(json!({}), async |app| {
        let (mut spa, _) = with_forms(app).await;
        let who = spa.get("/sessions/whoami").await.json()["identity"]["id"].as_str().unwrap().to_owned();
        let path = format!("/admin/identities/{who}");
        for round in 0..8 {
            let form = spa.open("settings").await;
            let first = format!("Ada {round}");
            let named =
                profile(json!({ "email": ada().email, "name": { "first": first, "last": spa.traits().await["name"]["last"] } }));
            let named = if round == 0 { profile(json!({ "email": ada().email, "name": { "first": first } })) } else { named };
            let patch = json!([
                { "op": "add", "path": "/traits/name/last", "value": format!("King {round}") },
                { "op": "add", "path": "/metadata_admin", "value": { "round": round } },
            ]);
            let answers = together(2, |number| {
                let (mut spa, form, named, path, patch) = (spa.clone(), &form, named.clone(), &path, &patch);
                async move {
                    if number == 0 { spa.submit(form, named).await } else { Admin::new(app).send("PATCH", path, patch).await }
                }
            });
            assert!(saved(&answers[0]));
            assert_eq!(answers[1].status, 200, "{:?}", answers[1]);
            let now = Admin::new(app).get(&path).await.json();
            let name = json!({ "first": format!("Ada {round}"), "last": format!("King {round}") });
            assert_eq!((&now["traits"]["name"], &now["metadata_admin"]["round"]), (&name, &json!(round)), "round {round}");
        }
        // A password of the operator's, and an address of the person's.
        let other = json!({
            "schema_id": "default", "traits": { "email": "grace@example.org" },
            "credentials": { "password": { "config": { "password": NEW } } },
        });
        let other = Admin::new(app).send("POST", "/admin/identities", &other).await.json()["id"].as_str().unwrap().to_owned();
        let shown = Admin::new(app).get(&format!("/admin/identities/{other}?include_credential=password")).await.json();
        let hash = &shown["credentials"]["password"]["config"]["hashed_password"];
        let patch = json!([{ "op": "replace", "path": "/credentials/password/config/hashed_password", "value": hash }]);
        let form = spa.open("settings").await;
        let answers = together(2, |number| {
            let (mut spa, form, path, patch) = (spa.clone(), &form, &path, &patch);
            async move {
                let moved = profile(json!({ "email": "countess@example.org" }));
                if number == 0 { spa.submit(form, moved).await } else { Admin::new(app).send("PATCH", path, patch).await }
            }
        });
        assert!(saved(&answers[0]), "{:?}", answers[0]);
        assert_eq!(answers[1].status, 200, "{:?}", answers[1]);
        let now = Person { email: "countess@example.org".to_owned(), password: NEW.to_owned() };
        assert!(signs_in(app, &now).await && !signs_in(app, &ada()).await);
    })
    .await;
}

/// Ada, signed in again, and her form in which a new password waits.
async fn with_a_waiting_password(app: &TestApp) -> (Spa<'_>, Form) {
    let (mut spa, [form, _]) = with_forms(app).await;
    app.wait(120);
    assert_eq!(spa.submit(&form, password(NEW)).await.status, 403);
    app.wait(1);
    spa.refresh(&ada()).await;
    (spa, form)
}

async fn credentials_version(app: &TestApp, spa: &mut Spa<'_>) -> i64 {
    let id = spa.get("/sessions/whoami").await.json()["identity"]["id"].as_str().unwrap().to_owned();
    identities::get(&app.app.store, Uuid::parse_str(&id).unwrap()).await.unwrap().unwrap().credentials_version
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_waits_is_applied_once_by_8_who_finish_it() {
    for _ in 0..4 {
        everywhere(stale(), async |app| {
            let (mut spa, form) = with_a_waiting_password(app).await;
            let before = credentials_version(app, &mut spa).await;
            let answers = together(8, |number| {
                let (mut spa, form) = (spa.clone(), &form);
                async move {
                    match number % 3 {
                        0 => spa.finish(form).await,
                        1 => spa.get(&form.action).await,
                        _ => spa.submit(form, json!({})).await,
                    }
                }
            });
            assert_eq!(answers.iter().filter(|a| a.status == 200).count(), 1, "{:?}", statuses(&answers));
            for answer in answers.iter().filter(|a| a.status != 200) {
                // Nothing waits any more; an empty object then lacks its method.
                assert!(answer.told() == [4_000_001] || answer.told() == [4_010_004], "{answer:?}");
            }
            assert_eq!(credentials_version(app, &mut spa).await, before + 1, "once");
            assert!(signs_in(app, &ada().with_password(NEW)).await && !signs_in(app, &ada()).await);
            assert_eq!(spa.finish(&form).await.told(), [4_000_001]);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_newer_submit_counts_also_at_the_moment_when_an_older_one_is_finished() {
    const NEWER: &str = "badger-Vy2-33-compass";
    for _ in 0..4 {
        everywhere(stale(), async |app| {
            let (spa, form) = with_a_waiting_password(app).await;
            let answers = together(2, |number| {
                let (mut spa, form) = (spa.clone(), &form);
                async move { if number == 0 { spa.finish(form).await } else { spa.submit(form, password(NEWER)).await } }
            });
            let (finished, sent) = (saved(&answers[0]), saved(&answers[1]));
            let expected = if sent { NEWER } else { NEW };
            assert!(finished || sent, "one of them goes through");
            for password in [NEW, NEWER] {
                assert_eq!(signs_in(app, &ada().with_password(password)).await, password == expected, "{finished} {sent}");
            }
        })
        .await;
    }
}
