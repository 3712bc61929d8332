//! An OpenID provider of a test's own: a server on loopback with discovery, keys, tokens and userinfo, which misbehaves as told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use url::Url;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// Who we are to it.
pub(crate) const CLIENT: &str = "test-client";

/// Claims become traits; an address that the provider calls verified is.
const MAPPER: &str = "local c = std.extVar('claims'); { identity: {
  traits: { [if 'email' in c then 'email']: c.email, name: { [if 'given_name' in c then 'first']: c.given_name } },
  verified_addresses: if 'email_verified' in c then [{ via: 'email', value: c.email }] else [],
} }";

/// A key that signs, with its id.
#[derive(Clone)]
struct Key {
    id: String,
    pair: Arc<EcdsaKeyPair>,
}

impl Key {
    fn new(id: &str) -> Self {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref()).unwrap();
        Self { id: id.to_owned(), pair: Arc::new(pair) }
    }

    /// The key as a key set shows it.
    fn public(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        json!({ "kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig", "alg": "ES256", "x": encode(x), "y": encode(y) })
    }

    fn sign(&self, head: &Value, claims: &Value) -> String {
        let message = message(head, claims);
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn message(head: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(head), encode(claims))
}

type Forge = Box<dyn Fn(&Value) -> String + Send>;

struct State {
    url: String,
    key: Key,
    person: Value,
    codes: HashMap<String, (HashMap<String, String>, Value)>,
    tokens: HashMap<String, Value>,
    made: usize,
    /// When it is, in seconds.
    now: i64,
    /// Laid on the claims of ID tokens.
    claims: Value,
    /// Laid on the issuer's document.
    document: Value,
    /// More keys of the key set.
    keys: Vec<Value>,
    /// Makes the ID token of its claims, in place of an honest one.
    forge: Option<Forge>,
    /// What endpoints answer instead, by path.
    answers: HashMap<String, (u16, Option<String>)>,
    /// The paths that were asked for.
    asked: Vec<String>,
    /// The bodies of token requests.
    redeemed: Vec<HashMap<String, String>>,
}

/// The provider.
pub(crate) struct Provider {
    server: MockServer,
    state: Arc<Mutex<State>>,
}

struct Responder(Arc<Mutex<State>>);

impl Provider {
    /// Starts one, whose clock stands where tests' clocks do.
    pub(crate) async fn start() -> Self {
        let server = MockServer::start().await;
        let state = State {
            url: server.uri(),
            key: Key::new("first"),
            person: json!({}),
            codes: HashMap::new(),
            tokens: HashMap::new(),
            made: 0,
            now: 1_800_000_000,
            claims: json!({}),
            document: json!({}),
            keys: Vec::new(),
            forge: None,
            answers: HashMap::new(),
            asked: Vec::new(),
            redeemed: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        Mock::given(any()).respond_with(Responder(Arc::clone(&state))).mount(&server).await;
        let provider = Self { server, state };
        provider.is_used_by("ada");
        provider
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its issuer.
    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }

    /// The configuration of a server that uses it under these ids, with more of each.
    pub(crate) fn settings(&self, providers: &[(&str, Value)]) -> Value {
        let one = |(id, more): &(&str, Value)| {
            let mut out = json!({
                "id": id, "provider": "generic", "client_id": CLIENT, "client_secret": "a-client-secret", "scope": ["email"],
                "issuer_url": self.url(), "mapper_url": format!("base64://{}", STANDARD.encode(MAPPER)),
            });
            lay(&mut out, more);
            out
        };
        json!({ "selfservice": {
            "methods": { "oidc": { "enabled": true, "config": { "providers": providers.iter().map(one).collect::<Vec<_>>() } } },
            "flows": { "registration": { "after": { "oidc": { "hooks": [{ "hook": "session" }] } } } },
        } })
    }

    /// Somebody signs in there, with a verified address.
    pub(crate) fn is_used_by(&self, name: &str) {
        let mut state = self.lock();
        state.person = json!({
            "sub": format!("sub-{name}"), "email": format!("{name}@example.org"), "email_verified": true, "given_name": name,
        });
    }

    /// Lays claims on those of whoever signs in there; null takes one away.
    pub(crate) fn person(&self, claims: &Value) {
        lay(&mut self.lock().person, claims);
    }

    /// Lays claims on those of ID tokens alone.
    pub(crate) fn claims(&self, claims: Value) {
        self.lock().claims = claims;
    }

    /// Lays members on the issuer's document.
    pub(crate) fn document(&self, members: Value) {
        self.lock().document = members;
    }

    /// Puts one more key into the key set.
    pub(crate) fn has_key(&self, key: Value) {
        self.lock().keys.push(key);
    }

    /// Makes ID tokens of their claims in another way.
    pub(crate) fn forge(&self, forge: impl Fn(&Value) -> String + Send + 'static) {
        self.lock().forge = Some(Box::new(forge));
    }

    /// Behaves again.
    pub(crate) fn behave(&self) {
        let mut state = self.lock();
        (state.claims, state.document, state.forge) = (json!({}), json!({}), None);
        state.answers.clear();
    }

    /// Answers a path with a status, or a redirect to an address.
    pub(crate) fn answer(&self, path: &str, status: u16, location: Option<String>) {
        self.lock().answers.insert(path.to_owned(), (status, location));
    }

    /// Signs with another key from now on; the old one is not in the key set any more.
    pub(crate) fn rotate(&self) {
        self.lock().key = Key::new("second");
    }

    /// An honest token of these claims.
    pub(crate) fn signed(&self, claims: &Value) -> String {
        let state = self.lock();
        state.key.sign(&json!({ "alg": "ES256", "kid": state.key.id }), claims)
    }

    /// A token with a head of one's own, signed by the key.
    pub(crate) fn signed_as(&self, head: &Value, claims: &Value) -> String {
        self.lock().key.sign(head, claims)
    }

    /// What signs as the provider does now, beside it.
    pub(crate) fn signer(&self) -> impl Fn(&Value, &Value) -> String + Send + use<> {
        let key = self.lock().key.clone();
        move |head, claims| key.sign(head, claims)
    }

    /// The public key in the form that its owner shows it.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        self.lock().key.pair.public_key().as_ref().to_vec()
    }

    /// The public key as a key set shows it.
    pub(crate) fn public(&self) -> Value {
        self.lock().key.public()
    }

    /// How often anything was asked for.
    pub(crate) fn asked_at_all(&self) -> usize {
        self.lock().asked.len()
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.lock().asked.iter().filter(|asked| *asked == path).count()
    }

    /// The last token request.
    pub(crate) fn redeemed(&self) -> HashMap<String, String> {
        self.lock().redeemed.last().cloned().unwrap_or_default()
    }

    /// What its pages do: where it sends somebody back to who was sent to an address of it.
    pub(crate) fn visit(&self, url: &str) -> String {
        let url = Url::parse(url).unwrap();
        assert!(url.as_str().starts_with(&self.url()), "not sent to the provider: {url}");
        let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let mut state = self.lock();
        state.made += 1;
        let code = format!("code-{}", state.made);
        let person = state.person.clone();
        let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked["state"]);
        state.codes.insert(code, (asked, person));
        back.into()
    }

    /// As [`Provider::visit`], but the person says no.
    pub(crate) fn refuse(&self, url: &str) -> String {
        let url = Url::parse(url).unwrap();
        let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
        back.query_pairs_mut().append_pair("error", "access_denied").append_pair("state", &asked["state"]);
        back.into()
    }
}

/// Lays members on an object; null takes one away.
fn lay(value: &mut Value, over: &Value) {
    let value = value.as_object_mut().unwrap();
    for (name, over) in over.as_object().unwrap() {
        if over.is_null() {
            value.remove(name);
        } else {
            value.insert(name.clone(), over.clone());
        }
    }
}

impl State {
    fn token(&mut self, form: &HashMap<String, String>) -> ResponseTemplate {
        let refused = || ResponseTemplate::new(400).set_body_json(json!({ "error": "invalid_grant" }));
        let Some((asked, person)) = form.get("code").and_then(|code| self.codes.remove(code)) else { return refused() };
        let verifier = form.get("code_verifier").map(String::as_str).unwrap_or_default();
        if asked.get("code_challenge").is_some_and(|c| *c != portcullis_core::oidc::challenge_of(verifier)) {
            return refused();
        }
        let mut claims = json!({ "iss": self.url, "aud": asked["client_id"], "iat": self.now, "exp": self.now + 3600 });
        lay(&mut claims, &person);
        lay(&mut claims, &self.claims);
        let access = format!("access-{}", self.made);
        self.tokens.insert(access.clone(), person);
        let id_token = match &self.forge {
            Some(forge) => forge(&claims),
            None => self.key.sign(&json!({ "alg": "ES256", "kid": self.key.id }), &claims),
        };
        ResponseTemplate::new(200).set_body_json(json!({
            "access_token": access, "refresh_token": format!("refresh-{}", self.made), "token_type": "bearer", "id_token": id_token,
        }))
    }
}

impl Respond for Responder {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let path = request.url.path().to_owned();
        state.asked.push(path.clone());
        if let Some((status, location)) = state.answers.get(&path) {
            let answer = ResponseTemplate::new(*status);
            return match location {
                Some(location) => answer.insert_header("location", location.as_str()),
                None => answer.set_body_json(json!({ "error": "server_error" })),
            };
        }
        match path.as_str() {
            "/.well-known/openid-configuration" => {
                let at = |path: &str| format!("{}{path}", state.url);
                let mut document = json!({
                    "issuer": state.url, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
                    "jwks_uri": at("/jwks"), "userinfo_endpoint": at("/userinfo"),
                    "id_token_signing_alg_values_supported": ["ES256"], "code_challenge_methods_supported": ["S256"],
                });
                lay(&mut document, &state.document);
                ResponseTemplate::new(200).set_body_json(document)
            }
            "/jwks" => {
                let keys: Vec<Value> = [state.key.public()].into_iter().chain(state.keys.clone()).collect();
                ResponseTemplate::new(200).set_body_json(json!({ "keys": keys }))
            }
            "/token" => {
                let form: HashMap<String, String> = url::form_urlencoded::parse(&request.body).into_owned().collect();
                state.redeemed.push(form.clone());
                state.token(&form)
            }
            "/userinfo" => {
                let header = request.headers.get("authorization").and_then(|h| h.to_str().ok()).unwrap_or_default();
                match state.tokens.get(header.trim_start_matches("Bearer ")) {
                    Some(person) => ResponseTemplate::new(200).set_body_json(person),
                    None => ResponseTemplate::new(401),
                }
            }
            _ => ResponseTemplate::new(404),
        }
    }
}

/// A token that says how it is signed, with any signature.
pub(crate) fn unsigned(head: &Value, claims: &Value, signature: impl FnOnce(&str) -> Vec<u8>) -> String {
    let message = message(head, claims);
    let signature = signature(&message);
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The members of an object, for tests that compare sets of names.
pub(crate) fn names(object: &HashMap<String, String>) -> Vec<&str> {
    let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Settings laid on each other.
pub(crate) fn with(mut settings: Value, more: &Value) -> Value {
    fn join(value: &mut Map<String, Value>, more: &Map<String, Value>) {
        for (name, more) in more {
            match (value.get_mut(name), more) {
                (Some(Value::Object(value)), Value::Object(more)) => join(value, more),
                _ => {
                    value.insert(name.clone(), more.clone());
                }
            }
        }
    }
    join(settings.as_object_mut().unwrap(), more.as_object().unwrap());
    settings
}
