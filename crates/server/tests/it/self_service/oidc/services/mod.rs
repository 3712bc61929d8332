//! Every type of provider at its true addresses: what each is sent, letter by letter, and what becomes of its answers.

mod anywhere;
mod consumer;
mod handed;
mod openid;
mod quirks;
mod work;
mod x;

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::Url;

use super::leave;
use crate::support::{Admin, Answer, Asked, Spa, TestApp, Told, internet, sorted};

/// Who we are to them, and a secret that is written in several ways.
const CLIENT: &str = "our-client";
const SECRET: &str = "s3 cret/+";
const TOKEN: &str = "the-access-token";

/// Keeps the known claims as they are; the schema's address is the provider's, or one made of the subject.
const MAPPER: &str = "local c = std.extVar('claims'); { identity: {
  traits: { email: if 'email' in c then c.email else std.asciiLower(c.sub) + '@nowhere.example' },
  metadata_admin: { [name]: c[name] for name in std.objectFields(c) if name != 'raw_claims' },
} }";

type Pairs = Vec<(String, String)>;

fn pairs(list: &[(&str, &str)]) -> Pairs {
    sorted(list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
}

fn value<'p>(pairs: &'p Pairs, name: &str) -> &'p str {
    pairs.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str()).unwrap_or_default()
}

/// What somebody was sent to a provider with: the parameters of the address.
type Sent = Pairs;

type Answers = Box<dyn Fn(&Sent, &Asked) -> Told + Send + Sync>;

/// What a request has for a body.
enum Body {
    None,
    Form(Pairs),
    Json(Value),
}

/// A request that a service expects, and how it answers.
struct Step {
    line: &'static str,
    query: Pairs,
    headers: Vec<(&'static str, String)>,
    body: Body,
    answers: Answers,
}

impl Step {
    fn get(line: &'static str) -> Self {
        Self { line, query: Vec::new(), headers: Vec::new(), body: Body::None, answers: Box::new(|_, _| ok(&json!({}))) }
    }

    /// A question that is asked with the access token.
    fn profile(line: &'static str) -> Self {
        Self::get(line).header("authorization", format!("Bearer {TOKEN}")).header("accept", "application/json")
    }

    fn post(line: &'static str, form: &[(&str, &str)]) -> Self {
        Self { body: Body::Form(pairs(form)), ..Self::get(line) }
    }

    /// A code is redeemed, with the secret in the body.
    fn redeem_in_body(line: &'static str) -> Self {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", "the-code"),
            ("redirect_uri", OWN),
            ("client_id", CLIENT),
            ("client_secret", SECRET),
        ];
        Self::post(line, &form).header("accept", "application/json").header("authorization", String::new())
    }

    /// A code is redeemed, with the secret by HTTP Basic, written as in forms first.
    fn redeem(line: &'static str) -> Self {
        let form = [("grant_type", "authorization_code"), ("code", "the-code"), ("redirect_uri", OWN)];
        let basic = format!("Basic {}", STANDARD.encode("our-client:s3+cret%2F%2B"));
        Self::post(line, &form).header("accept", "application/json").header("authorization", basic)
    }

    /// Takes another redirect address, or adds a parameter; `*`: any value.
    fn with(mut self, name: &str, value: &str) -> Self {
        let Body::Form(form) = &mut self.body else { panic!("no form") };
        form.retain(|(known, _)| known != name);
        form.push((name.to_owned(), value.to_owned()));
        form.sort();
        self
    }

    fn query(mut self, query: &[(&str, &str)]) -> Self {
        self.query = pairs(query);
        self
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    fn answers(mut self, body: Value) -> Self {
        self.answers = Box::new(move |_, _| ok(&body));
        self
    }

    fn tells(mut self, told: Told) -> Self {
        self.answers = Box::new(move |_, _| told.clone());
        self
    }

    fn does(mut self, answers: impl Fn(&Sent, &Asked) -> Told + Send + Sync + 'static) -> Self {
        self.answers = Box::new(answers);
        self
    }

    /// What is wrong with a request; `None` if it is what is expected.
    fn problem(&self, sent: &Sent, asked: &Asked) -> Option<String> {
        let same = |expected: &Pairs, got: &Pairs| {
            let fits = |(e, g): (&(String, String), &(String, String))| e.0 == g.0 && (e.1 == "*" || e.1 == g.1);
            expected.len() == got.len() && expected.iter().zip(got).all(fits)
        };
        let told = |what: &str, expected: &dyn std::fmt::Debug, got: &dyn std::fmt::Debug| {
            Some(format!("{}: {what} is {got:?}, not {expected:?}", asked.line))
        };
        if self.line != asked.line {
            return told("the request", &self.line, &asked.line);
        }
        if !same(&self.query, &asked.query) {
            return told("the query", &self.query, &asked.query);
        }
        for (name, expected) in &self.headers {
            if asked.header(name) != expected {
                return told(name, expected, &asked.header(name));
            }
        }
        match &self.body {
            Body::None if asked.body.is_empty() => None,
            Body::None => told("the body", &"nothing", &asked.body),
            Body::Json(expected) => {
                let got: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
                if got == *expected { None } else { told("the body", expected, &got) }
            }
            Body::Form(expected) => {
                let mut got = asked.form();
                // Of what was announced at the beginning of the trip the rest must follow.
                let challenge = value(sent, "code_challenge");
                let verifier = value(&got, "code_verifier").to_owned();
                if !challenge.is_empty() && portcullis_core::oidc::challenge_of(&verifier) != challenge {
                    return told("the verifier", &challenge, &verifier);
                }
                if !challenge.is_empty() {
                    got.retain(|(name, _)| name != "code_verifier");
                }
                if same(expected, &got) { None } else { told("the form", expected, &got) }
            }
        }
    }
}

fn ok(body: &Value) -> Told {
    Told::json(200, body)
}

/// The usual answer of a token endpoint, with more in it.
fn tokens(more: Value) -> Value {
    let mut answer = json!({ "access_token": TOKEN, "token_type": "bearer", "refresh_token": "the-refresh-token" });
    answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    answer
}

/// Where people come back to.
const OWN: &str = "http://127.0.0.1:4433/self-service/methods/oidc/callback/it";

/// A type of provider in a conversation: how it is configured, where people are sent, what it is asked.
struct Case {
    settings: Value,
    place: &'static str,
    sent: Pairs,
    steps: Vec<Step>,
    /// Where people are sent back to, of a provider that is told so before they are sent there.
    back: Arc<Mutex<Option<String>>>,
}

/// How a trip went.
struct Trip {
    back: Answer,
    /// The account that was made.
    person: Option<Value>,
    /// What the form tells, if somebody was led back to it.
    told: Vec<u64>,
}

impl Case {
    /// A type with more configuration, the address where people are sent, and the parameters there besides those that all get.
    fn of(kind: &str, more: Value, place: &'static str, sent: &[(&str, &str)]) -> Self {
        let mut settings = json!({
            "id": "it", "provider": kind, "client_id": CLIENT, "client_secret": SECRET,
            "mapper_url": format!("base64://{}", STANDARD.encode(MAPPER)),
        });
        let members = settings.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        members.retain(|_, value| !value.is_null());
        let mut sent = pairs(sent);
        for (name, value) in [("client_id", CLIENT), ("redirect_uri", OWN), ("response_type", "code"), ("state", "*")] {
            if !sent.iter().any(|(known, _)| known == name) {
                sent.push((name.to_owned(), value.to_owned()));
            }
        }
        sent.sort();
        Self { settings, place, sent, steps: Vec::new(), back: Arc::default() }
    }

    /// One more request, in order.
    fn asks(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Makes the trip, which the provider ends with these parameters besides the state.
    async fn travel(self, coming: &[(&str, &str)]) -> Trip {
        let kind = self.settings["provider"].clone();
        let names: Vec<&str> = self.steps.iter().filter_map(|s| s.line.split('/').nth(2)).collect();
        let (steps, sent) = (self.steps, Arc::new(Mutex::new(Sent::new())));
        let total = steps.len();
        let log = Arc::new(Mutex::new((0, Vec::<String>::new())));
        let world = internet(&names, {
            let (log, sent) = (Arc::clone(&log), Arc::clone(&sent));
            move |asked| {
                let (mut log, sent) = (log.lock().unwrap(), sent.lock().unwrap());
                let (number, problems) = &mut *log;
                let Some(step) = steps.get(*number) else {
                    problems.push(format!("nobody expects {}", asked.line));
                    return Told::json(500, &json!({}));
                };
                *number += 1;
                match step.problem(&sent, asked) {
                    None => (step.answers)(&sent, asked),
                    Some(problem) => {
                        problems.push(problem);
                        Told::json(500, &json!({}))
                    }
                }
            }
        });
        let app = TestApp::within(
            world.await,
            json!({ "selfservice": {
            "methods": { "oidc": { "enabled": true, "config": { "providers": [self.settings] } } },
            "flows": { "registration": { "after": { "oidc": { "hooks": [{ "hook": "session" }] } } } },
        } }),
        );
        let app = app.await;
        let mut spa = Spa::new(&app);
        let form = spa.open("registration").await;
        let left = spa.submit(&form, json!({ "method": "oidc", "provider": "it" })).await;
        assert_eq!(left.status, 422, "{kind}: {left:?} {:?}", log.lock().unwrap().1);
        let url = Url::parse(&left.redirect_browser_to()).unwrap();
        assert_eq!(&url[..url::Position::AfterPath], self.place, "{kind}");
        let parameters = sorted(url.query_pairs().into_owned());
        let shown: Pairs =
            parameters.iter().zip(&self.sent).map(|(p, e)| if e.1 == "*" { e.clone() } else { p.clone() }).collect();
        assert_eq!((shown, parameters.len()), (self.sent.clone(), self.sent.len()), "{kind}: {parameters:?}");
        sent.lock().unwrap().clone_from(&parameters);
        let mut browser = spa.browser();
        let mut answer: Vec<(&str, &str)> = coming.to_vec();
        let told_before = self.back.lock().unwrap().clone();
        let back = told_before.unwrap_or_else(|| {
            answer.push(("state", value(&parameters, "state")));
            value(&parameters, "redirect_uri").to_owned()
        });
        // Some providers' pages post a form across sites, which brings no cookies along.
        let back = if parameters.iter().any(|(k, v)| k == "response_mode" && v == "form_post") {
            let jar = std::mem::take(&mut browser.jar);
            let moved = browser.post(&back, &answer).await;
            assert_eq!(moved.status, 302, "{kind}: {moved:?}");
            browser.jar = jar;
            browser.get(moved.location()).await
        } else {
            browser.get(Url::parse_with_params(&back, &answer).unwrap().as_str()).await
        };
        let (number, problems) = log.lock().unwrap().clone();
        assert!(problems.is_empty(), "{kind}: {problems:?}");
        assert_eq!(number, total, "{kind}: not all was asked: {back:?}");
        let mut told = Vec::new();
        if let Some(flow) = back.parameter("flow") {
            let page = if back.location().contains("/login") { "login" } else { "registration" };
            told = browser.flow(page, &flow).await.told();
        }
        let people = Admin::new(&app).get("/admin/identities?per_page=5").await.json();
        Trip { back, person: people.get(0).cloned(), told }
    }

    /// Makes the trip, at whose end there is an account with these claims.
    async fn gives(self, claims: Value) {
        let kind = self.settings["provider"].clone();
        let trip = self.travel(&[("code", "the-code")]).await;
        let person = trip.person.unwrap_or_else(|| panic!("{kind}: {:?} {:?}", trip.back, trip.told));
        let mut seen = person["metadata_admin"].clone();
        if let Some(seen) = seen.as_object_mut() {
            // What binds a token to its trip is another one each time.
            seen.remove("nonce");
        }
        assert_eq!(seen, claims, "{kind}");
        assert_eq!(trip.back.location(), "http://127.0.0.1:4455/", "{kind}: signed in");
        assert_eq!(person["credentials"], Value::Null);
    }
}

/// Begins a trip by signing in again, and gives the address.
async fn again(settings: Value, names: &[&str], plays: impl Fn(&Asked) -> Told + Send + Sync + 'static) -> Url {
    let app = TestApp::within(
        internet(names, plays).await,
        json!({ "selfservice": {
        "methods": { "oidc": { "enabled": true, "config": { "providers": [settings] } } },
        "flows": { "registration": { "after": { "oidc": { "hooks": [{ "hook": "session" }] } } } },
    } }),
    )
    .await;
    let mut spa = Spa::new(&app);
    let form = spa.open("registration").await;
    let url = Url::parse(&leave(&mut spa, &form, "it").await).unwrap();
    let parameters = sorted(url.query_pairs().into_owned());
    let mut browser = spa.browser();
    let coming = [("code", "the-code"), ("state", value(&parameters, "state"))];
    browser.get(Url::parse_with_params(OWN, coming).unwrap().as_str()).await;
    let mut spa = browser.script();
    let form = crate::support::Form::of(&spa.get("/self-service/login/browser?refresh=true").await);
    Url::parse(&leave(&mut spa, &form, "it").await).unwrap()
}
