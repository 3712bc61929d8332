//! Web hooks: what they are told, what their answers do, and how flows end when they behave badly.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Manner, Native, Person, Spa, Target, TestApp, UI, jsonnet};

fn ada() -> Person {
    Person::named("ada")
}

/// Hooks of flows, with short time limits.
fn with(flows: Value) -> Value {
    json!({ "selfservice": { "flows": flows }, "clients": { "web_hook": { "timeout": "400ms" } } })
}

fn after_password(flow: &str, hooks: Value) -> Value {
    with(json!({ flow: { "after": { "password": { "hooks": hooks } } } }))
}

/// The answer to a sign-up.
async fn sign_up(app: &TestApp, who: &Person) -> crate::support::Answer {
    let mut spa = Spa::new(app);
    let form = spa.open("registration").await;
    let traits = json!({ "email": who.email });
    spa.submit(&form, json!({ "method": "password", "password": who.password, "traits": traits })).await
}

async fn number_of_identities(app: &TestApp) -> usize {
    crate::support::Admin::new(app).get("/admin/identities").await.json().as_array().unwrap().len()
}

#[tokio::test]
async fn a_service_that_behaves_badly_ends_the_flow_within_its_limits() {
    let target = Target::start().await;
    let kinds = [("awaited", json!({})), ("deciding", json!({ "response": { "parse": true } }))];
    let manners = [
        (Manner::Hangs, 504, 504),
        (Manner::Drops, 500, 500),
        (Manner::Babbles, 500, 500),
        (Manner::Floods, 500, 500),
        (Manner::Says(500, "{}".into()), 500, 500),
        (Manner::Says(503, String::new()), 500, 500),
        (Manner::Says(501, "{}".into()), 502, 500),
        (Manner::Says(418, "no".into()), 502, 500),
        (Manner::Says(400, r#"{"messages":[{"messages":[{"id":"x"}]}]}"#.into()), 502, 500),
    ];
    for (kind, more) in kinds {
        let app = TestApp::with(after_password("login", json!([target.hook("/after", more)]))).await;
        let mut other = Spa::new(&app);
        other.sign_up(&ada()).await;
        for (manner, awaited, deciding) in &manners {
            target.treat("/after", manner.clone());
            let begun = Instant::now();
            let slow = async {
                let mut spa = Spa::new(&app);
                (spa.try_sign_in(&ada()).await, spa.get("/sessions/whoami").await.status)
            };
            let whoami = async {
                tokio::time::sleep(Duration::from_millis(150)).await;
                let asked = Instant::now();
                (other.get("/sessions/whoami").await.status, asked.elapsed())
            };
            let ((answer, signed_in), (status, took)) = tokio::join!(slow, whoami);
            let wanted = if kind == "awaited" { awaited } else { deciding };
            assert_eq!(answer.status, *wanted, "{kind}, {manner:?}: {answer:?}");
            assert!(begun.elapsed() < Duration::from_secs(5), "{kind}, {manner:?}");
            assert_eq!(signed_in, 401, "nobody is signed in: {kind}, {manner:?}");
            assert!(status == 200 && took < Duration::from_millis(500), "others are not kept waiting: {took:?}");
        }
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_the_rest_is_not() {
    let target = Target::start().await;
    let app = TestApp::with(json!({
        "selfservice": { "flows": { "login": { "before": { "hooks": [target.hook("/before", json!({}))] } } } },
    }))
    .await;
    for (manner, calls) in [
        (Manner::Says(200, String::new()), 1),
        (Manner::Says(304, String::new()), 1),
        (Manner::Says(404, String::new()), 1),
        (Manner::Says(501, String::new()), 1),
        (Manner::Says(500, String::new()), 3),
        (Manner::Drops, 3),
    ] {
        let before = target.order().len();
        target.treat("/before", manner.clone());
        Spa::new(&app).get("/self-service/login/browser").await;
        assert_eq!(target.order().len() - before, calls, "{manner:?}");
    }
    let calls = target.sent("/before");
    let ids = |name: &str, from: usize| -> std::collections::BTreeSet<String> {
        calls[from..].iter().map(|sent| sent.headers[name].clone()).collect()
    };
    let last_three = calls.len() - 3;
    assert_eq!((ids("ory-webhook-trigger-id", last_three).len(), ids("ory-webhook-request-id", last_three).len()), (1, 3));
}

#[tokio::test]
async fn awaited_hooks_of_a_sign_up_come_after_the_account_and_before_the_session() {
    let target = Target::start().await;
    let hooks = json!([{ "hook": "session" }, target.hook("/first", json!({})), target.hook("/second", json!({}))]);
    let app = TestApp::with(after_password("registration", hooks)).await;
    target.treat("/first", Manner::Says(418, String::new()));
    let answer = sign_up(&app, &ada()).await;
    assert_eq!((answer.status, answer.cookie("ory_kratos_session")), (502, None), "{answer:?}");
    assert!(answer.json()["error"]["reason"].as_str().unwrap().contains("was saved"), "{answer:?}");
    assert_eq!(number_of_identities(&app).await, 1);
    assert_eq!(target.order(), ["/first"], "the first failure ends the list");
    Native::new(&app).sign_in(&ada()).await;
    let sessions = crate::support::Admin::new(&app).get("/admin/sessions").await;
    assert_eq!(sessions.json().as_array().unwrap().len(), 1, "nobody has the session of the sign-up");

    target.says("/first", 200, &json!({}));
    let answer = sign_up(&app, &Person::named("bob")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.cookie("ory_kratos_session").is_some());
    assert_eq!(target.order()[1..], ["/first", "/second"]);
    assert_eq!(target.sent("/second")[0].json()["who"], "bob@example.org");
}

#[tokio::test]
async fn a_hook_that_refuses_a_sign_up_leaves_nothing_behind() {
    let target = Target::start().await;
    let hooks = json!([{ "hook": "session" }, target.hook("/ask", json!({ "response": { "parse": true } })), target.hook("/tell", json!({}))]);
    let app = TestApp::with(after_password("registration", hooks)).await;
    let messages = json!([
        { "instance_ptr": "#/traits/email", "messages": [{ "id": 1234, "text": "not this one", "type": "error" }] },
        { "instance_ptr": "#/traits/nothing", "messages": [{ "id": 1235, "text": "for nobody", "type": "error" }] },
    ]);
    target.says("/ask", 400, &json!({ "messages": messages }));
    let answer = sign_up(&app, &ada()).await;
    assert_eq!((answer.status, answer.told_at("traits.email"), answer.told()), (400, vec![1234], vec![1235, 1234]));
    assert_eq!((number_of_identities(&app).await, target.sent("/tell").len()), (0, 0));
    target.says("/ask", 204, &json!(null));
    assert_eq!(sign_up(&app, &ada()).await.status, 200);
}

#[tokio::test]
async fn what_a_hook_makes_of_an_identity_is_judged_like_what_people_send() {
    let target = Target::start().await;
    let hooks = json!([{ "hook": "session" }, target.hook("/ask", json!({ "response": { "parse": true } }))]);
    let app = TestApp::with(after_password("registration", hooks)).await;
    Native::new(&app).sign_up(&Person::named("bob")).await;
    for (identity, status) in [
        (json!({ "traits": { "email": "no address" } }), 400),
        (json!({ "traits": "x" }), 500),
        (json!({ "state": "gone" }), 500),
        (json!({ "schema_id": "another" }), 500),
        (json!({ "verifiable_addresses": [{ "value": 1 }] }), 500),
        (json!({ "traits": { "email": "bob@example.org" } }), 400),
    ] {
        target.says("/ask", 200, &json!({ "identity": identity }));
        let answer = sign_up(&app, &ada()).await;
        assert_eq!(answer.status, status, "{identity}: {answer:?}");
        assert_eq!(number_of_identities(&app).await, 1, "{identity}");
    }
    let verified = json!([{ "value": "ADA@example.org", "via": "email", "verified": true }]);
    target.says("/ask", 200, &json!({ "identity": { "metadata_public": { "plan": 1 }, "verifiable_addresses": verified } }));
    let answer = sign_up(&app, &ada()).await.json();
    let identity = &answer["identity"];
    assert_eq!((&identity["metadata_public"], &identity["traits"]["email"]), (&json!({ "plan": 1 }), &json!("ada@example.org")));
    let address = &identity["verifiable_addresses"][0];
    assert_eq!((&address["verified"], &address["status"]), (&json!(true), &json!("completed")), "{address}");
}

#[tokio::test]
async fn line_9_a_change_whose_hook_fails_is_saved_and_says_so() {
    let target = Target::start().await;
    let app = TestApp::with(with(json!({ "settings": { "after": { "hooks": [target.hook("/told", json!({}))] } } }))).await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada()).await;
    let form = spa.open("settings").await;
    target.treat("/told", Manner::Says(403, String::new()));
    let traits = json!({ "email": "ada@example.org", "name": { "first": "Ada" } });
    let answer = spa.submit(&form, json!({ "method": "profile", "traits": traits })).await;
    assert_eq!(answer.status, 502);
    assert!(answer.json()["error"]["reason"].as_str().unwrap().contains("was saved"), "{answer:?}");
    assert_eq!(spa.traits().await, traits);
    assert_eq!(spa.flow("settings", &form.id).await.state(), "success");
    // What nobody was told waits for administrators.
    let calls = crate::support::Admin::new(&app).get("/admin/hooks/calls").await.json();
    assert_eq!((&calls[0]["place"], &calls[0]["status"]), (&json!("settings.after.profile"), &json!("abandoned")), "{calls}");
}

#[tokio::test]
async fn line_26_a_hook_for_all_methods_that_parses_is_asked() {
    let target = Target::start().await;
    let hook = target.hook("/ask", json!({ "response": { "parse": true } }));
    let app = TestApp::with(with(json!({ "settings": { "after": { "hooks": [hook] } } }))).await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada()).await;
    let form = spa.open("settings").await;
    let refusal = json!({ "messages": [{ "messages": [{ "id": 7, "text": "no", "type": "error" }] }] });
    target.says("/ask", 403, &refusal);
    let fields = json!({ "method": "profile", "traits": { "email": "ada@example.org", "name": { "first": "Ada" } } });
    let answer = spa.submit(&form, fields.clone()).await;
    assert_eq!((answer.status, answer.told()), (400, vec![7]));
    assert_eq!(spa.traits().await["name"], json!({}));
    target.says("/ask", 200, &json!({}));
    assert_eq!(spa.submit(&form, fields).await.status, 200);
    // So it is at a sign-up.
    let hook = target.hook("/ask", json!({ "response": { "parse": true } }));
    let none = json!({ "after": { "hooks": [hook], "password": null } });
    let app = TestApp::with(with(json!({ "registration": none }))).await;
    target.says("/ask", 403, &refusal);
    let answer = sign_up(&app, &ada()).await;
    assert_eq!((answer.status, answer.told(), number_of_identities(&app).await), (400, vec![7], 0));
}

#[tokio::test]
async fn one_that_may_only_interrupt_agrees_by_any_answer_and_changes_nothing() {
    let target = Target::start().await;
    let hooks = json!([{ "hook": "session" }, target.hook("/ask", json!({ "can_interrupt": true }))]);
    let app = TestApp::with(after_password("registration", hooks)).await;
    target.treat("/ask", Manner::Says(200, "fine".into()));
    assert_eq!(sign_up(&app, &ada()).await.status, 200);
    target.says("/ask", 200, &json!({ "identity": { "metadata_public": { "plan": 1 } } }));
    let answer = sign_up(&app, &Person::named("bob")).await;
    assert_eq!((answer.status, &answer.json()["identity"]["metadata_public"]), (200, &Value::Null));
    target.treat("/ask", Manner::Says(400, "fine".into()));
    assert_eq!(sign_up(&app, &Person::named("cyd")).await.status, 500);
}

#[tokio::test]
async fn hooks_of_a_saved_change_are_told_the_account_as_it_is_now_and_those_of_the_start_are_not_called_again() {
    let target = Target::start().await;
    let all = jsonnet("function(ctx) { flow: ctx.flow.identity.traits, told: ctx.identity.traits }");
    let after = target.hook("/after", json!({ "body": all }));
    let change =
        json!({ "settings": { "before": { "hooks": [target.hook("/before", json!({}))] }, "after": { "hooks": [after] } } });
    let app = TestApp::with(with(change)).await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada()).await;
    let form = spa.open("settings").await;
    let traits = json!({ "email": ada().email, "name": { "first": "Ada" } });
    let answer = spa.submit(&form, json!({ "method": "profile", "traits": traits })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(target.order(), ["/before", "/after"]);
    assert_eq!(target.sent("/after")[0].json(), json!({ "flow": traits, "told": traits }));
}

#[tokio::test]
async fn secrets_of_a_form_are_not_told() {
    let target = Target::start().await;
    let all = jsonnet("function(ctx) ctx");
    let hook = target.hook("/all", json!({ "body": all }));
    let mut change = with(json!({ "settings": { "before": { "hooks": [hook] }, "after": { "hooks": [hook] } } }));
    change["selfservice"]["methods"] = json!({ "totp": { "enabled": true }, "lookup_secret": { "enabled": true } });
    let app = TestApp::with(change).await;
    let mut spa = Spa::new(&app);
    spa.sign_up(&ada()).await;
    let form = spa.open("settings").await;
    let shown = spa.flow("settings", &form.id).await.json();
    let nodes = shown["ui"]["nodes"].as_array().unwrap();
    let secret = nodes.iter().find(|n| n["attributes"]["id"] == "totp_secret_key").unwrap();
    let secret = secret["attributes"]["text"]["text"].as_str().unwrap();
    let answer = spa.submit(&form, json!({ "method": "password", "password": "falcon-Xy7-55-anvil" })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(target.order().len(), 2);
    for sent in target.sent("/all") {
        for word in [secret, "falcon-Xy7-55-anvil", &form.csrf, "totp_qr"] {
            assert!(!sent.body.contains(word), "{word}: {}", sent.body);
        }
        let told = sent.json();
        assert_eq!(told["flow"]["id"], form.id.as_str());
        assert!(told["flow"]["ui"]["nodes"].as_array().unwrap().len() > 3);
        assert_eq!(told["session"]["identity"]["traits"]["email"], "ada@example.org");
        assert!(told["request_url"].as_str().unwrap().starts_with("http://127.0.0.1:4433/self-service/settings"));
    }
}

#[tokio::test]
async fn jsonnet_that_bursts_or_never_ends_harms_its_flow_only() {
    let target = Target::start().await;
    let bombs = [
        "local f(n) = if n == 0 then 0 else f(n - 1) tailstrict; function(ctx) f(1e15)",
        "local double(s, n) = if n == 0 then s else double(s + s, n - 1); function(ctx) double('x', 40)",
        "local deep(n) = if n == 0 then [] else [deep(n - 1)]; function(ctx) deep(1e7)",
        "function(ctx) error 'no'",
        "function(ctx) {",
    ];
    for bomb in bombs {
        let app = TestApp::with(after_password("login", json!([target.hook("/never", json!({ "body": jsonnet(bomb) }))]))).await;
        let mut other = Spa::new(&app);
        other.sign_up(&ada()).await;
        let slow = async {
            let begun = Instant::now();
            (Spa::new(&app).try_sign_in(&ada()).await.status, begun.elapsed())
        };
        let whoami = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let asked = Instant::now();
            (other.get("/sessions/whoami").await.status, asked.elapsed())
        };
        let ((status, took), (known, waited)) = tokio::join!(slow, whoami);
        assert_eq!(status, 500, "{bomb}");
        assert!(took < Duration::from_secs(15), "{bomb}: {took:?}");
        assert!(known == 200 && waited < Duration::from_secs(1), "{bomb}: {waited:?}");
    }
    assert!(target.order().is_empty());
}

#[tokio::test]
async fn pages_are_told_by_the_error_page() {
    let target = Target::start().await;
    let app = TestApp::with(after_password("login", json!([target.hook("/told", json!({}))]))).await;
    Native::new(&app).sign_up(&ada()).await;
    target.treat("/told", Manner::Says(500, String::new()));
    let mut browser = crate::support::Browser::new(&app);
    let form = browser.open("login").await;
    let (email, password) = (ada().email, ada().password);
    let fields = [("method", "password"), ("identifier", email.as_str()), ("password", password.as_str())];
    let answer = browser.submit(&form, &fields).await;
    assert_eq!(answer.status, 303);
    assert!(answer.location().starts_with(&format!("{UI}/error?id=")), "{answer:?}");
}

#[tokio::test]
async fn calls_are_signed_where_secrets_are_configured() {
    let target = Target::start().await;
    let hook = target.hook("/signed", json!({ "headers": { "X-Own": "yes" } }));
    let app = TestApp::with(json!({
        "selfservice": { "flows": { "login": { "before": { "hooks": [hook] } } } },
        "clients": { "web_hook": { "signing_secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "the-one-before-it"] } },
    }))
    .await;
    Spa::new(&app).open("login").await;
    let sent = target.sent("/signed").remove(0);
    assert_eq!(sent.headers["webhook-timestamp"], "1800000000");
    assert_eq!(sent.headers["webhook-id"], sent.headers["ory-webhook-trigger-id"]);
    let signatures: Vec<_> = sent.headers["webhook-signature"].split(' ').collect();
    assert!(signatures.len() == 2 && signatures.iter().all(|s| s.starts_with("v1,") && s.len() == 47), "{signatures:?}");
    assert_ne!(signatures[0], signatures[1]);
}
