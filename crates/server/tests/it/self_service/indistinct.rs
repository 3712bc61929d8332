//! Nobody learns whether an account exists: known and unknown people get the same answers to the last letter, and the same
//! work is done for them, counted in queries, commits and password hashes.
//!
//! Where the contract itself tells who is known, the documentation says so (`docs/compatibility.md`); those ways are here with
//! what they tell and to whom.

use serde_json::{Value, json};

use super::login_code::{codes_config, made};
use super::recovery::with_recovery;
use crate::support::{Answer, Browser, Form, Native, Spa, TestApp, UI};

const KNOWN: &str = "ada@example.org";
const UNKNOWN: &str = "eve@example.org";

/// Who talks to the server.
#[derive(Clone, Copy, Debug)]
enum By {
    Page,
    Script,
    App,
}

enum Client<'a> {
    Page(Browser<'a>),
    Script(Spa<'a>),
    App(Native<'a>),
}

impl<'a> Client<'a> {
    fn new(app: &'a TestApp, by: By) -> Self {
        match by {
            By::Page => Self::Page(Browser::new(app)),
            By::Script => Self::Script(Spa::new(app)),
            By::App => Self::App(Native::new(app)),
        }
    }

    async fn open(&mut self, kind: &str) -> Form {
        match self {
            Self::Page(browser) => browser.open(kind).await,
            Self::Script(spa) => spa.open(kind).await,
            Self::App(native) => native.open(kind).await,
        }
    }

    async fn submit(&mut self, form: &Form, fields: &Value) -> Answer {
        match self {
            Self::Page(browser) => {
                let fields = fields.as_object().unwrap();
                let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str().unwrap())).collect();
                browser.submit(form, &fields).await
            }
            Self::Script(spa) => spa.submit(form, fields.clone()).await,
            Self::App(native) => native.submit(form, fields.clone()).await,
        }
    }

    /// The form once more, as a page reads it after a redirect.
    async fn shown(&mut self, kind: &str, id: &str) -> Answer {
        match self {
            Self::Page(browser) => browser.flow(kind, id).await,
            Self::Script(spa) => spa.flow(kind, id).await,
            Self::App(native) => native.flow(kind, id).await,
        }
    }
}

/// What a client sees of an answer, without what differs from flow to flow, and what the server did for it.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    queries: u64,
    commits: u64,
    hashes: u64,
}

fn work(app: &TestApp) -> (u64, u64, u64) {
    let stats = app.app.store.stats();
    (stats.queries, stats.commits, app.app.passwords.count())
}

fn seen(app: &TestApp, before: (u64, u64, u64), answer: &Answer, who: &str, form: &Form) -> Seen {
    let after = work(app);
    let even = |text: &str| {
        let masked = format!("{}****", &who[..2]);
        let text = text.replace(who, "WHO").replace(&masked, "MASKED").replace(&form.id, "FLOW");
        // Masked anew for each flow.
        let mut text = text;
        let parts: Vec<String> = text.split('"').map(str::to_owned).collect();
        for part in parts.iter().filter(|part| part.len() == 88 && part.ends_with("==")) {
            text = text.replace(part.as_str(), "TOKEN");
        }
        text
    };
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "x-request-id"))
        .map(|(name, value)| {
            let value = value.to_str().unwrap();
            let value = match (name.as_str(), value.split_once('=').zip(value.split_once(';'))) {
                ("set-cookie", Some(((cookie, _), (_, rest)))) => format!("{cookie};{rest}"),
                _ => even(value),
            };
            (name.to_string(), value)
        })
        .collect();
    headers.sort();
    Seen {
        status: answer.status,
        headers,
        body: even(&String::from_utf8_lossy(&answer.body)),
        queries: after.0 - before.0,
        commits: after.1 - before.1,
        hashes: after.2 - before.2,
    }
}

/// A conversation: a flow's kind, and what is sent to it, in which `WHO` stands for the address.
struct Talk {
    name: &'static str,
    kind: &'static str,
    config: Value,
    steps: Vec<Value>,
}

fn talks() -> Vec<Talk> {
    let code = |fields: Value| {
        let mut fields = fields;
        fields["method"] = json!("code");
        fields
    };
    let link = |fields: Value| {
        let mut fields = fields;
        fields["method"] = json!("link");
        fields
    };
    let by_link = |kind: &str| json!({ "selfservice": { "methods": { "link": { "enabled": true } }, "flows": { kind: { "use": "link" } } } });
    let hiding = json!({ "security": { "account_enumeration": { "mitigate": true } } });
    let mut first = hiding.clone();
    first["selfservice"] = json!({ "flows": { "login": { "style": "identifier_first" } } });
    let mut fallback = hiding.clone();
    fallback["selfservice"] = json!({ "methods": { "code": { "config": { "missing_credential_fallback_enabled": true } } } });
    let notify = |kind: &str| json!({ "selfservice": { "flows": { kind: { "notify_unknown_recipients": true } } } });
    let guess = code(json!({ "code": "000000" }));
    let ask = code(json!({ "email": "WHO" }));
    let password = json!({ "method": "password", "identifier": "WHO", "password": "not-the-password" });
    let sign_in = [code(json!({ "identifier": "WHO" })), code(json!({ "identifier": "WHO", "code": "000000" }))];
    let talk = |name, kind, config, steps| Talk { name, kind, config, steps };
    vec![
        talk("a wrong password", "login", json!({}), vec![password.clone(), password.clone()]),
        talk("recovery by code", "recovery", json!({}), vec![ask.clone(), guess.clone(), ask.clone()]),
        talk("recovery by code, strangers told", "recovery", notify("recovery"), vec![ask.clone(), guess.clone()]),
        talk("recovery by link", "recovery", by_link("recovery"), vec![link(json!({ "email": "WHO" }))]),
        talk(
            "recovery with a choice",
            "recovery",
            json!({ "feature_flags": { "choose_recovery_address": true } }),
            vec![code(json!({ "recovery_address": "WHO" })), guess.clone()],
        ),
        talk("verification by code", "verification", json!({}), vec![ask.clone(), guess.clone(), ask.clone()]),
        talk("verification by code, strangers told", "verification", notify("verification"), vec![ask, guess]),
        talk("verification by link", "verification", by_link("verification"), vec![link(json!({ "email": "WHO" }))]),
        talk("sign-in by code", "login", hiding.clone(), sign_in.to_vec()),
        talk("sign-in by code with the fallback", "login", fallback, sign_in.to_vec()),
        talk("identifier first", "login", first, vec![json!({ "method": "identifier_first", "identifier": "WHO" }), password]),
        talk("sign-up by code", "registration", json!({}), vec![code(json!({ "traits.email": "WHO" }))]),
    ]
}

fn base() -> Value {
    let verification = json!({ "enabled": true, "ui_url": format!("{UI}/verification") });
    let mut base = with_recovery(codes_config(json!({ "passwordless_enabled": true }), json!({})));
    base["selfservice"]["flows"]["verification"] = verification;
    base
}

fn join(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            over.iter().for_each(|(key, over)| join(base.entry(key.clone()).or_insert(Value::Null), over));
        }
        (base, over) => base.clone_from(over),
    }
}

/// What somebody sees who names this address in each step.
async fn conversation(talk: &Talk, by: By, who: &str) -> Vec<Seen> {
    let mut config = base();
    join(&mut config, &talk.config);
    let app = TestApp::with(config).await;
    made(&app, "ada", json!({})).await;
    let mut client = Client::new(&app, by);
    let mut form = client.open(talk.kind).await;
    let mut all = Vec::new();
    for step in &talk.steps {
        let mut fields: Value = serde_json::from_str(&step.to_string().replace("WHO", who)).unwrap();
        if let (By::Script | By::App, Some(email)) = (by, fields.as_object_mut().unwrap().remove("traits.email")) {
            fields["traits"] = json!({ "email": email });
        } else if step.get("traits.email").is_some() {
            fields["traits.email"] = json!(who);
        }
        let before = work(&app);
        let answer = client.submit(&form, &fields).await;
        all.push(seen(&app, before, &answer, who, &form));
        let before = work(&app);
        let shown = client.shown(talk.kind, &form.id).await;
        all.push(seen(&app, before, &shown, who, &form));
        if shown.status == 200 {
            form.csrf = Form::of(&shown).csrf;
        }
    }
    all
}

#[tokio::test]
async fn known_and_unknown_people_cost_and_see_the_same() {
    for talk in talks() {
        for by in [By::Page, By::Script, By::App] {
            let (known, unknown) = (conversation(&talk, by, KNOWN).await, conversation(&talk, by, UNKNOWN).await);
            for (step, (known, unknown)) in known.iter().zip(&unknown).enumerate() {
                assert!(known.status < 500, "{} {by:?} {step}: {known:?}", talk.name);
                let (one, other) = (known.body.as_str(), unknown.body.as_str());
                let place = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
                let around =
                    |text: &str| text.get(place.saturating_sub(100)..).unwrap_or(text).chars().take(300).collect::<String>();
                assert_eq!(one, other, "{}, {by:?}, answer {step}: {} AND {}", talk.name, around(one), around(other));
                assert_eq!(known, unknown, "{}, {by:?}, answer {step}", talk.name);
            }
            assert_eq!(known.len(), unknown.len());
        }
    }
}

#[tokio::test]
async fn the_comparison_sees_what_the_contract_tells() {
    let talk = |kind, config, steps| Talk { name: "", kind, config, steps };
    let code = json!({ "method": "code", "identifier": "WHO" });
    let sign_up = json!({ "method": "password", "password": "heron-Qx7-58-lantern", "traits.email": "WHO" });
    for talk in [
        // 4000035 where who is known need not be hidden, and 4000007 at sign-up with a password.
        talk("login", json!({}), vec![code]),
        talk("registration", json!({}), vec![sign_up]),
    ] {
        let (known, unknown) = (conversation(&talk, By::Script, KNOWN).await, conversation(&talk, By::Script, UNKNOWN).await);
        assert_ne!(known[0].body, unknown[0].body, "{}", talk.kind);
    }
}
