//! Recovery with a choice of addresses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::recovery::app_with;
use crate::support::{Admin, Answer, Form, Native, TestApp};

/// People with a second address and a phone number.
async fn app() -> TestApp {
    let address = |via: &str, format: &str| json!({ "type": "string", "format": format, "ory.sh/kratos": { "recovery": { "via": via }, "verification": { "via": via } } });
    let mut email = address("email", "email");
    email["ory.sh/kratos"]["credentials"] = json!({ "password": { "identifier": true } });
    let schema = json!({
        "$id": "reach", "type": "object",
        "properties": { "traits": { "type": "object", "properties": {
            "email": email, "second": address("email", "email"), "phone": address("sms", "tel"),
        } } },
    });
    let url = format!("base64://{}", STANDARD.encode(schema.to_string()));
    app_with(json!({
        "feature_flags": { "choose_recovery_address": true },
        "identity": { "default_schema_id": "reach", "schemas": [{ "id": "reach", "url": url }] },
    }))
    .await
}

const FIRST: &str = "ada@example.org";
const SECOND: &str = "countess@example.net";
const PHONE: &str = "+4915112345642";

async fn person(app: &TestApp, traits: Value) {
    let made = Admin::new(app).send("POST", "/admin/identities", &json!({ "schema_id": "reach", "traits": traits })).await;
    assert_eq!(made.status, 201, "{made:?}");
}

async fn send(native: &Native<'_>, form: &Form, mut fields: Value) -> Answer {
    fields["method"] = json!("code");
    native.submit(form, fields).await
}

/// The buttons of the choice: what they send by what they show.
fn offered(answer: &Answer) -> Vec<(String, String)> {
    let nodes = answer.json()["ui"]["nodes"].as_array().unwrap().clone();
    let buttons = nodes.iter().filter(|n| n["attributes"]["name"] == "recovery_select_address");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    buttons.map(|n| (text(&n["meta"]["label"]["text"]), text(&n["attributes"]["value"]))).collect()
}

#[tokio::test]
async fn the_chosen_address_gets_the_code_and_is_never_shown() {
    let app = app().await;
    person(&app, json!({ "email": FIRST, "second": SECOND, "phone": PHONE })).await;
    let native = Native::new(&app);
    for (chosen, shown_as, kind) in
        [(FIRST, "ad****@example.org", None), (SECOND, "co****@example.net", Some("email")), (PHONE, "+49****42", Some("tel"))]
    {
        let form = native.open("recovery").await;
        app.wait(1);
        let choice = send(&native, &form, json!({ "recovery_address": FIRST.to_uppercase() })).await;
        assert_eq!((choice.status, choice.told()), (200, vec![1_060_006]));
        assert_eq!(choice.state(), "recovery_awaiting_address_choice");
        assert!(!String::from_utf8_lossy(&choice.body).contains(SECOND), "{choice:?}");
        let offered = offered(&choice);
        assert_eq!(offered.len(), 3);
        let handle = &offered.iter().find(|(label, _)| label == shown_as).unwrap().1;
        let mut step = send(&native, &form, json!({ "recovery_address": FIRST, "recovery_select_address": handle })).await;
        if let Some(kind) = kind {
            assert_eq!((step.state().as_str(), step.told()), ("recovery_confirming_address", vec![1_060_005]));
            assert!(!String::from_utf8_lossy(&step.body).contains(chosen), "{step:?}");
            let node = step.json()["ui"]["nodes"].as_array().unwrap().clone();
            let field = node.iter().find(|n| n["attributes"]["name"] == "recovery_confirm_address").unwrap().clone();
            assert_eq!(field["attributes"]["type"], kind);
            step = send(&native, &form, json!({ "recovery_address": FIRST, "recovery_confirm_address": chosen })).await;
        }
        assert_eq!((step.state().as_str(), step.told()), ("recovery_awaiting_code", vec![1_060_004]));
        assert_eq!(step.json()["ui"]["messages"][0]["context"]["masked_address"], shown_as);
        let code = app.newest_mail(chosen).await.code();
        assert_eq!(send(&native, &form, json!({ "code": code })).await.status, 422, "{chosen}");
    }
}

#[tokio::test]
async fn an_unknown_address_looks_like_an_only_one() {
    let app = app().await;
    person(&app, json!({ "email": FIRST })).await;
    let native = Native::new(&app);
    let mut seen = Vec::new();
    for address in [FIRST, "adx@example.org"] {
        let form = native.open("recovery").await;
        let answer = send(&native, &form, json!({ "recovery_address": address })).await;
        let body = answer.json()["ui"].to_string().replace(address, "ADDRESS").replace(&form.id, "ID");
        seen.push((answer.status, answer.state(), body));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(app.mails().await.len(), 1);
}

#[tokio::test]
async fn what_is_missing_or_was_not_offered_is_told() {
    let app = app().await;
    person(&app, json!({ "email": FIRST, "second": SECOND })).await;
    let native = Native::new(&app);
    let form = native.open("recovery").await;
    let first = send(&native, &form, json!({})).await;
    assert_eq!((first.status, first.told_at("recovery_address")), (400, vec![4_000_002]));
    let odd = send(&native, &form, json!({ "recovery_address": ["a"] })).await;
    assert_eq!((odd.status, odd.told_at("recovery_address")), (400, vec![4_000_026]));
    let offered = offered(&send(&native, &form, json!({ "recovery_address": FIRST })).await);
    let none = send(&native, &form, json!({ "recovery_address": FIRST })).await;
    assert_eq!((none.status, none.told_at("recovery_select_address")), (400, vec![4_000_002]));
    for (came_with, handle) in [(FIRST, "nope"), ("nobody@example.org", offered[0].1.as_str())] {
        let fields = json!({ "recovery_address": came_with, "recovery_select_address": handle });
        let refused = send(&native, &form, fields).await;
        assert_eq!((refused.status, refused.told()), (400, vec![4_000_001]), "{came_with} {handle}");
    }
    let confirm = json!({ "recovery_address": FIRST, "recovery_confirm_address": "stranger@example.org" });
    let looks_sent = send(&native, &form, confirm).await;
    assert_eq!((looks_sent.status, looks_sent.told()), (200, vec![1_060_004]));
    assert!(app.mails().await.is_empty());
    assert_eq!(send(&native, &form, json!({ "code": "123456" })).await.told(), [4_060_006]);
}

#[tokio::test]
async fn one_may_go_back() {
    let app = app().await;
    person(&app, json!({ "email": FIRST, "second": SECOND })).await;
    let native = Native::new(&app);
    let form = native.open("recovery").await;
    let choice = send(&native, &form, json!({ "recovery_address": FIRST })).await;
    let handle = &offered(&choice)[1].1;
    send(&native, &form, json!({ "recovery_address": FIRST, "recovery_select_address": handle })).await;
    let back = send(&native, &form, json!({ "recovery_address": FIRST, "screen": "previous" })).await;
    assert_eq!((back.state().as_str(), back.told()), ("recovery_awaiting_address_choice", vec![1_060_006]));
    let first = send(&native, &form, json!({ "recovery_address": "nobody@example.org", "screen": "previous" })).await;
    assert_eq!((first.state().as_str(), first.told()), ("recovery_awaiting_address", vec![]));
}

#[tokio::test]
async fn a_finished_flow_sends_nothing_more() {
    let app = app().await;
    person(&app, json!({ "email": FIRST })).await;
    let native = Native::new(&app);
    let form = native.open("recovery").await;
    send(&native, &form, json!({ "recovery_address": FIRST })).await;
    let code = app.newest_mail(FIRST).await.code();
    send(&native, &form, json!({ "code": code })).await;
    for fields in [json!({ "recovery_address": FIRST }), json!({ "recovery_confirm_address": FIRST })] {
        let answer = send(&native, &form, fields.clone()).await;
        assert_eq!(answer.status, 303, "{fields}");
        assert_eq!(native.get(answer.location()).await.told(), [4_060_001], "{fields}");
    }
    assert_eq!(app.mails().await.len(), 1);
}
