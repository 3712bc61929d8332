//! Signing up and in by a provider, by pages and scripts.

use serde_json::json;

use super::{begin, leads_to, leave, proofs, trip, two, who};
use crate::support::{Admin, Browser, Form, Person, Provider, RawDatabase, Spa, TestApp, found, names};

#[tokio::test]
async fn a_page_signs_up_and_in() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let mut browser = Browser::new(&app);
    let form = browser.open("registration").await;
    let left = browser.submit(&form, &[("provider", "op")]).await;
    assert_eq!(left.status, 303);
    let back = browser.get(&provider.visit(left.location())).await;
    assert_eq!((back.status, back.location()), (303, "http://127.0.0.1:4455/"));
    assert_eq!(who(&mut browser).await.as_deref(), Some("ada@example.org"));
    assert_eq!(names(&provider.redeemed()), ["code", "code_verifier", "grant_type", "redirect_uri"]);
    let identity = browser.fetch("/sessions/whoami").await.json()["identity"].clone();
    assert_eq!(identity["verifiable_addresses"][0]["verified"], true, "the provider vouches for it");

    let (mut again, back) = trip(&app, &provider, "login", "op").await;
    assert_eq!(back.location(), "http://127.0.0.1:4455/");
    assert_eq!(again.fetch("/sessions/whoami").await.json()["identity"]["id"], identity["id"]);
    assert_eq!(proofs(&mut again).await, [("oidc".to_owned(), Some("op".to_owned()))]);
}

#[tokio::test]
async fn each_form_does_what_is_needed() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let (mut new, _) = trip(&app, &provider, "login", "op").await;
    assert_eq!(who(&mut new).await.as_deref(), Some("ada@example.org"), "who is unknown is signed up by the sign-in form");
    let (mut known, _) = trip(&app, &provider, "registration", "op").await;
    assert_eq!(who(&mut known).await.as_deref(), Some("ada@example.org"), "who is known is signed in by the sign-up form");
    let people = Admin::new(&app).get("/admin/identities").await.json();
    assert_eq!(people.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn missing_traits_are_asked_for_and_what_was_typed_wins() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    provider.person(&json!({ "email": null, "email_verified": null }));
    let (mut browser, back) = trip(&app, &provider, "login", "op").await;
    assert!(leads_to(&back, "registration"), "{back:?}");
    let id = back.parameter("flow").unwrap();
    let shown = browser.flow("registration", &id).await;
    assert_eq!(shown.told_at("traits.email"), [4_000_002]);
    assert_eq!(shown.field("traits.name.first"), Some(json!("ada")), "what the provider told is filled in");
    assert_eq!(shown.nodes().iter().filter(|name| *name == "provider").count(), 1);
    let form = Form::of(&shown);
    let fields = [("provider", "op"), ("traits.email", "typed@example.org"), ("traits.name.first", "Typed")];
    let left = browser.submit(&form, &fields).await;
    let back = browser.get(&provider.visit(left.location())).await;
    assert_eq!(back.location(), "http://127.0.0.1:4455/");
    let traits = browser.script().traits().await;
    assert_eq!((&traits["email"], &traits["name"]["first"]), (&json!("typed@example.org"), &json!("Typed")));
}

#[tokio::test]
async fn tokens_are_encrypted_at_rest_and_shown_to_administrators() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.sqlite");
    let provider = Provider::start().await;
    let app = TestApp::stored_at(&path, provider.settings(&[("op", json!({}))])).await;
    let (mut browser, _) = trip(&app, &provider, "registration", "op").await;
    let id = browser.fetch("/sessions/whoami").await.json()["identity"]["id"].as_str().unwrap().to_owned();
    let shown = Admin::new(&app).get(&format!("/admin/identities/{id}?include_credential=oidc")).await.json();
    let link = &shown["credentials"]["oidc"]["config"]["providers"][0];
    assert_eq!((&link["initial_access_token"], &link["initial_refresh_token"]), (&json!("access-1"), &json!("refresh-1")));
    assert_eq!(shown["credentials"]["oidc"]["identifiers"], json!(["op:sub-ada"]));
    let id_token = link["initial_id_token"].as_str().unwrap();
    let secrets = ["access-1", "refresh-1", id_token].map(|secret| (secret.to_owned(), secret.as_bytes().to_vec()));
    let raw = RawDatabase::at(&path);
    for table in raw.tables() {
        for (column, bytes) in raw.values(&table).into_iter().flatten() {
            let seen: Vec<_> = found(&secrets, &bytes).collect();
            assert!(seen.is_empty(), "{table}.{column} holds {seen:?}");
        }
    }
}

#[tokio::test]
async fn somebody_signed_in_proves_that_it_is_still_them() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    let (browser, _) = trip(&app, &provider, "registration", "op").await;
    let mut spa = browser.script();
    let shown = spa.get("/self-service/login/browser?refresh=true").await;
    assert_eq!(shown.nodes(), ["provider", "csrf_token"], "only what the account is linked to");
    let form = Form::of(&shown);
    let url = leave(&mut spa, &form, "op").await;
    assert!(url.contains("prompt=login"), "{url}");
    // Another person at the provider, known or not, changes nothing.
    provider.is_used_by("eve");
    let mut browser = spa.browser();
    let back = browser.get(&provider.visit(&url)).await;
    assert!(leads_to(&back, "login"), "{back:?}");
    assert_eq!(browser.flow("login", &form.id).await.told(), [4_000_001]);
    assert_eq!(who(&mut browser).await.as_deref(), Some("ada@example.org"));
    assert_eq!(Admin::new(&app).get("/admin/identities").await.json().as_array().map(Vec::len), Some(1), "nobody was signed up");
    provider.is_used_by("ada");
    let mut spa = browser.script();
    let url = leave(&mut spa, &form, "op").await;
    let mut browser = spa.browser();
    assert_eq!(browser.get(&provider.visit(&url)).await.location(), "http://127.0.0.1:4455/");
    assert_eq!(proofs(&mut browser).await.len(), 1);
}

#[tokio::test]
async fn sign_ins_bring_new_claims_if_they_are_to() {
    let provider = Provider::start().await;
    let app = TestApp::with(provider.settings(&[("sync", json!({ "update_identity_on_login": "automatic" }))])).await;
    let (mut first, _) = trip(&app, &provider, "registration", "sync").await;
    let changed_at = |shown: crate::support::Answer| shown.json()["identity"]["updated_at"].clone();
    let before = changed_at(first.fetch("/sessions/whoami").await);
    app.wait(60);
    let (mut same, _) = trip(&app, &provider, "login", "sync").await;
    assert_eq!(changed_at(same.fetch("/sessions/whoami").await), before, "nothing new, nothing stored");
    provider.person(&json!({ "given_name": "Augusta" }));
    let (browser, _) = trip(&app, &provider, "login", "sync").await;
    assert_eq!(browser.script().traits().await["name"]["first"], "Augusta");
    provider.person(&json!({ "email": "no address" }));
    let (mut browser, back) = trip(&app, &provider, "login", "sync").await;
    assert!(leads_to(&back, "login"), "what the schema refuses stops the sign-in: {back:?}");
    let id = back.parameter("flow").unwrap();
    assert_eq!(browser.flow("login", &id).await.told_at("traits.email").len(), 1);
    assert_eq!(who(&mut browser).await, None);
}

#[tokio::test]
async fn what_the_provider_says_of_the_proof_counts_where_the_operator_says_so() {
    let provider = Provider::start().await;
    let strong = json!({ "aal2_acr_values": ["gold"], "aal2_amr_values": ["hwk"] });
    let app = TestApp::with(provider.settings(&[("strong", strong)])).await;
    for (name, claims, level) in [
        ("a", json!({ "acr": "gold", "amr": ["pwd"] }), "aal2"),
        ("b", json!({ "amr": ["pwd", "hwk"] }), "aal2"),
        ("c", json!({ "acr": "silver" }), "aal1"),
        ("d", json!({ "acr": ["gold"] }), "aal1"),
    ] {
        provider.is_used_by(name);
        provider.person(&claims);
        let (mut browser, _) = trip(&app, &provider, "registration", "strong").await;
        assert_eq!(browser.fetch("/sessions/whoami").await.json()["authenticator_assurance_level"], level, "{claims}");
    }
}

#[tokio::test]
async fn a_person_who_says_no_comes_back_to_the_form() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    for kind in ["login", "registration"] {
        let (spa, form, url) = begin(&app, kind, "op").await;
        let mut browser = spa.browser();
        let back = browser.get(&provider.refuse(&url)).await;
        assert!(leads_to(&back, kind), "{back:?}");
        assert_eq!(browser.flow(kind, &form.id).await.told(), [4_000_001]);
    }
}

#[tokio::test]
async fn nobody_new_gets_in_while_sign_up_is_closed_but_who_has_an_account_does() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    trip(&app, &provider, "registration", "op").await;
    let closed = json!({ "selfservice": { "flows": { "registration": { "enabled": false } } } });
    let settings = crate::support::with(provider.settings(&[("op", json!({}))]), &closed);
    let app = app.reconfigured(settings).await;
    let (mut browser, _) = trip(&app, &provider, "login", "op").await;
    assert_eq!(who(&mut browser).await.as_deref(), Some("ada@example.org"));
    provider.is_used_by("eve");
    let (mut browser, back) = trip(&app, &provider, "login", "op").await;
    assert!(leads_to(&back, "login"), "{back:?}");
    assert_eq!(browser.flow("login", &back.parameter("flow").unwrap()).await.told(), [4_000_001]);
    assert_eq!(who(&mut browser).await, None);
    // Whose address has an account may still join it.
    let body = json!({ "schema_id": "default", "traits": { "email": "eve@example.org" } });
    assert_eq!(Admin::new(&app).send("POST", "/admin/identities", &body).await.status, 201);
    let (mut browser, back) = trip(&app, &provider, "login", "op").await;
    assert_eq!(browser.flow("login", &back.parameter("flow").unwrap()).await.told(), [1_010_016], "{back:?}");
}

#[tokio::test]
async fn an_address_in_other_letters_is_the_same() {
    let provider = Provider::start().await;
    let app = two(&provider).await;
    Spa::new(&app).sign_up(&Person::named("ada")).await;
    provider.person(&json!({ "email": "ADA@Example.ORG" }));
    let (_, back) = trip(&app, &provider, "registration", "op").await;
    assert!(leads_to(&back, "login"), "it belongs to an account: {back:?}");
    provider.person(&json!({ "sub": "sub-new", "email": "New@Example.ORG" }));
    let (mut browser, _) = trip(&app, &provider, "registration", "op").await;
    let identity = browser.fetch("/sessions/whoami").await.json()["identity"].clone();
    let address = &identity["verifiable_addresses"][0];
    assert_eq!((&address["value"], &address["verified"]), (&json!("new@example.org"), &json!(true)));
}

#[tokio::test]
async fn missing_traits_stand_in_the_group_that_the_flag_says() {
    let provider = Provider::start().await;
    provider.person(&json!({ "email": null, "email_verified": null }));
    for (legacy, group) in [(false, "default"), (true, "oidc")] {
        let flags = json!({ "feature_flags": { "legacy_oidc_registration_node_group": legacy } });
        let app = TestApp::with(crate::support::with(provider.settings(&[("op", json!({}))]), &flags)).await;
        let (mut browser, back) = trip(&app, &provider, "registration", "op").await;
        let shown = browser.flow("registration", &back.parameter("flow").unwrap()).await;
        assert_eq!(shown.told_at("traits.email"), [4_000_002]);
        let nodes = shown.json()["ui"]["nodes"].as_array().cloned().unwrap_or_default();
        let is_trait = |name: &serde_json::Value| name.as_str().is_some_and(|name| name.starts_with("traits"));
        let groups = nodes.iter().filter(|n| is_trait(&n["attributes"]["name"])).map(|n| n["group"].clone());
        assert!(groups.clone().count() > 1 && groups.clone().all(|g| g == group), "{nodes:?}");
    }
}
