//! Backup codes: making, showing, using, removing.

use serde_json::{Value, json};

use crate::support::{
    Admin, Browser, Form, Native, Person, RawDatabase, Spa, TestApp, UI, backup_codes, listed, second_factors, together,
};

const REGENERATE: &str = "lookup_secret_regenerate";
const CONFIRM: &str = "lookup_secret_confirm";
const REVEAL: &str = "lookup_secret_reveal";
const DISABLE: &str = "lookup_secret_disable";

fn press(button: &str) -> Value {
    json!({ "method": "lookup_secret", button: true })
}

fn code(text: &str) -> Value {
    json!({ "method": "lookup_secret", "lookup_secret": text })
}

/// The buttons of this method.
fn buttons(form: &crate::support::Answer) -> Vec<String> {
    form.nodes().into_iter().filter(|name| name.starts_with("lookup_secret_")).collect()
}

async fn signed_up<'a>(app: &'a TestApp, name: &str) -> (Spa<'a>, Person) {
    let who = Person::named(name);
    let mut spa = Spa::new(app);
    spa.sign_up(&who).await;
    (spa, who)
}

/// A session of its own that lacks the second step, and the form for it.
async fn second_step<'a>(app: &'a TestApp, who: &Person) -> (Spa<'a>, Form) {
    let mut spa = Spa::new(app);
    spa.try_sign_in(who).await;
    let form = Form::of(&spa.get("/self-service/login/browser?aal=aal2").await);
    (spa, form)
}

#[tokio::test]
async fn codes_count_once_they_are_confirmed_and_the_last_ones_made_are_it() {
    let app = TestApp::with(second_factors()).await;
    let (mut spa, ada) = signed_up(&app, "ada").await;
    let form = spa.open("settings").await;
    for button in [CONFIRM, REVEAL, DISABLE] {
        let refused = spa.submit(&form, press(button)).await;
        assert_eq!((refused.status, refused.told()), (400, vec![4_000_001]), "{button}");
    }
    assert_eq!(spa.submit(&form, json!({ "method": "lookup_secret" })).await.told(), [4_010_004]);
    let first = spa.submit(&form, press(REGENERATE)).await;
    assert_eq!((first.status, first.state(), buttons(&first)), (200, "show_form".to_owned(), vec![CONFIRM.to_owned()]));
    let first = listed(&first);
    let made = spa.submit(&form, press(REGENERATE)).await;
    let groups: Vec<_> = made.json()["ui"]["nodes"].as_array().unwrap().iter().map(|n| n["group"].clone()).collect();
    assert_eq!(groups.last(), Some(&json!("lookup_secret")), "what was asked for stands last: {groups:?}");
    let second: Vec<_> = listed(&made).into_iter().flatten().collect();
    assert_eq!((second.len(), second.iter().filter(|c| first.contains(&Some((*c).clone()))).count()), (12, 0));
    assert_eq!(spa.get("/sessions/whoami").await.json()["authenticator_assurance_level"], "aal1");

    let elsewhere = spa.open("settings").await;
    assert_eq!(spa.submit(&elsewhere, press(CONFIRM)).await.told(), [4_000_001], "they belong to their form");
    let saved = json!({ "method": "profile", "traits": { "email": ada.email, "name": { "first": "Ada" } } });
    assert_eq!(listed(&spa.submit(&form, saved).await).len(), 12, "saving something else does not lose them");

    let confirmed = spa.submit(&form, press(CONFIRM)).await;
    assert_eq!((confirmed.state().as_str(), buttons(&confirmed)), ("success", vec![REVEAL.to_owned(), DISABLE.to_owned()]));
    assert_eq!(spa.get("/sessions/whoami").await.json()["authenticator_assurance_level"], "aal2");
    let (mut other, form) = second_step(&app, &ada).await;
    assert_eq!(other.submit(&form, code(first[0].as_deref().unwrap())).await.told(), [4_000_016]);
    assert_eq!(other.submit(&form, code(&second[0])).await.status, 200);
}

#[tokio::test]
async fn a_code_works_once_and_to_the_letter() {
    let app = TestApp::with(second_factors()).await;
    let (mut spa, ada) = signed_up(&app, "ada").await;
    let codes = backup_codes(&mut spa).await;
    let (mut other, form) = second_step(&app, &ada).await;
    let lettered = codes.iter().find(|c| c.bytes().any(|b| b.is_ascii_lowercase())).unwrap();
    for (typed, told) in [
        (json!({ "method": "lookup_secret" }), 4_000_002),
        (code(""), 4_000_002),
        (json!({ "method": "lookup_secret", "lookup_secret": 12_345_678 }), 4_000_026),
        (code("12345678"), 4_000_016),
        (code(&lettered.to_uppercase()), 4_000_016),
        (code(&format!("{} ", codes[3])), 4_000_016),
    ] {
        let refused = other.submit(&form, typed.clone()).await;
        assert_eq!((refused.status, refused.told()), (400, vec![told]), "{typed}");
        assert_eq!(refused.field("lookup_secret"), Some(Value::Null), "what was typed does not come back");
    }
    assert_eq!(other.submit(&form, code(&codes[3])).await.status, 200);
    let (mut third, form) = second_step(&app, &ada).await;
    assert_eq!(third.submit(&form, code(&codes[3])).await.told(), [4_000_012]);
    assert_eq!(third.submit(&form, code(&codes[4])).await.status, 200);

    let form = third.open("settings").await;
    let revealed = third.submit(&form, press(REVEAL)).await;
    assert_eq!(
        (revealed.status, buttons(&revealed)),
        (200, vec!["lookup_secret_codes".to_owned(), DISABLE.to_owned(), REGENERATE.to_owned()].split_off(1))
    );
    let expected: Vec<_> = codes.iter().enumerate().map(|(n, c)| (n != 3 && n != 4).then(|| c.clone())).collect();
    assert_eq!(listed(&revealed), expected);
    let hidden =
        third.submit(&form, json!({ "method": "profile", "traits": { "email": ada.email, "name": { "first": "A" } } })).await;
    assert_eq!(listed(&hidden), Vec::new(), "after anything else was saved they are hidden again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_sign_ins_at_once_a_code_is_good_for_one_and_each_code_for_its_own() {
    let app = TestApp::with(second_factors()).await;
    let (mut spa, ada) = signed_up(&app, "ada").await;
    let codes = backup_codes(&mut spa).await;
    let mut prepared = Vec::new();
    for _ in 0..8 {
        let mut native = Native::new(&app);
        native.sign_in(&ada).await;
        let form = Form::of(&native.get("/self-service/login/api?aal=aal2").await);
        prepared.push((native, form));
    }
    let same = together(8, |number| {
        let ((native, form), typed) = (&prepared[number], &codes[0]);
        async move { native.submit(form, code(typed)).await }
    });
    assert_eq!(same.iter().filter(|a| a.status == 200).count(), 1);
    for refused in same.iter().filter(|a| a.status != 200) {
        assert_eq!((refused.status, refused.told()), (400, vec![4_000_012]));
    }
    let left: Vec<_> = prepared.iter().zip(&same).filter(|(_, a)| a.status != 200).map(|(p, _)| p).take(2).collect();
    let own = together(2, |number| {
        let ((native, form), typed) = (left[number], &codes[number + 1]);
        async move { native.submit(form, code(typed)).await }
    });
    assert_eq!(own.iter().map(|a| a.status).collect::<Vec<_>>(), [200, 200], "another code is another");
}

#[tokio::test]
async fn an_account_whose_codes_are_used_up_still_has_a_second_step_until_they_are_removed() {
    let app = TestApp::with(second_factors()).await;
    let (mut spa, ada) = signed_up(&app, "ada").await;
    for used in backup_codes(&mut spa).await {
        let (mut other, form) = second_step(&app, &ada).await;
        assert_eq!(other.submit(&form, code(&used)).await.status, 200);
    }
    let (mut other, form) = second_step(&app, &ada).await;
    assert_eq!(other.get("/sessions/whoami").await.status, 403);
    let settings = spa.open("settings").await;
    assert_eq!(spa.submit(&settings, press(DISABLE)).await.state(), "success");
    assert_eq!(spa.get("/sessions/whoami").await.json()["authenticator_assurance_level"], "aal2", "the session keeps its level");
    assert_eq!(other.get("/sessions/whoami").await.status, 200, "there is nothing higher any more");
    assert_eq!(other.submit(&form, code("12345678")).await.told(), [4_000_014]);
}

#[tokio::test]
async fn pages_come_back_to_the_form_for_showing_and_go_on_for_saving() {
    let app = TestApp::with(second_factors()).await;
    let mut browser = Browser::new(&app);
    browser.sign_up(&Person::named("ada")).await;
    let page = browser.get(&format!("/self-service/settings/browser?return_to={UI}/after")).await;
    let form = browser.arrive("settings", &page).await;
    let made = browser.submit(&form, &[(REGENERATE, "true")]).await;
    assert_eq!((made.status, made.parameter("flow")), (303, Some(form.id.clone())));
    let shown = browser.flow("settings", &form.id).await;
    assert_eq!((listed(&shown).len(), shown.told()), (12, vec![]));
    assert_eq!(listed(&browser.flow("settings", &form.id).await), listed(&shown), "a reload shows the same");
    let confirmed = browser.submit(&form, &[(CONFIRM, "true")]).await;
    assert_eq!(confirmed.location(), format!("{UI}/after"));
}

#[tokio::test]
async fn showing_runs_no_hooks() {
    let mut config = second_factors();
    config["selfservice"]["flows"]["settings"]["after"]["lookup_secret"]["hooks"] = json!([{ "hook": "revoke_active_sessions" }]);
    let app = TestApp::with(config).await;
    let (mut spa, ada) = signed_up(&app, "ada").await;
    let mut other = Spa::new(&app);
    other.sign_in(&ada).await;
    let form = spa.open("settings").await;
    spa.submit(&form, press(REGENERATE)).await;
    assert_eq!(other.get("/sessions/whoami").await.status, 200);
    spa.submit(&form, press(CONFIRM)).await;
    assert_eq!(other.get("/sessions/whoami").await.status, 401, "saving does");
}

#[tokio::test]
async fn administrators_see_them_and_add_to_them_and_nobody_reads_them_at_rest() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portcullis.db");
    let app = TestApp::stored_at(&file, second_factors()).await;
    let (mut spa, ada) = signed_up(&app, "ada").await;
    let codes = backup_codes(&mut spa).await;
    let (mut other, form) = second_step(&app, &ada).await;
    other.submit(&form, code(&codes[0])).await;
    let secrets: Vec<_> = codes.iter().map(|c| (c.clone(), c.clone().into_bytes())).collect();
    assert_eq!(RawDatabase::at(&file).places_of(&secrets), Vec::<String>::new());

    let admin = Admin::new(&app);
    let id = spa.get("/sessions/whoami").await.json()["identity"]["id"].as_str().unwrap().to_owned();
    let path = format!("/admin/identities/{id}");
    let shown =
        admin.get(&format!("{path}?include_credential=lookup_secret")).await.json()["credentials"]["lookup_secret"].clone();
    assert_eq!(shown["identifiers"], json!([id]));
    let kept = shown["config"]["recovery_codes"].as_array().unwrap();
    assert_eq!(kept.iter().map(|c| c["code"].as_str().unwrap()).collect::<Vec<_>>(), codes);
    assert!(kept[0]["used_at"].is_string() && kept[1..].iter().all(|c| c["used_at"].is_null()), "{kept:?}");

    let body = json!({
        "schema_id": "default", "state": "active", "traits": { "email": ada.email },
        "credentials": { "lookup_secret": { "config": { "codes": [{ "code": "imported-1" }, { "code": "imported-2", "used_at": "2026-01-01T00:00:00Z" }] } } },
    });
    assert_eq!(admin.send("PUT", &path, &body).await.status, 200);
    for (typed, status) in
        [("imported-2", 400), (codes[0].as_str(), 400), ("imported-1", 200), ("imported-1", 400), (&codes[1], 200)]
    {
        let (mut other, form) = second_step(&app, &ada).await;
        assert_eq!(other.submit(&form, code(typed)).await.status, status, "{typed}");
    }
    let remove = format!("{path}/credentials/lookup_secret");
    assert_eq!(admin.send("DELETE", &remove, &json!({})).await.status, 204);
    assert_eq!(admin.send("DELETE", &remove, &json!({})).await.status, 404);
}
