//! Anything at all, to every public route: no answer is a server error, every error has its documented shape and id.
//!
//! The requests are generated from a seed. `PORTCULLIS_HOSTILE_SEED` and `PORTCULLIS_HOSTILE_REQUESTS` ask for others and for
//! more of them; from 100,000 on the process must not have grown either, so such a run is to be the only test of the process.

use std::fmt::Write as _;

use bytes::Bytes;
use portcullis::http::ports::Port;
use portcullis::http::public;
use portcullis::http::table::Action;
use serde_json::{Value, json};

use crate::support::{Answer, Native, Person, Spa, TestApp, UI};

/// What clients are told about errors.
const DOCUMENTED: &str = include_str!("../../../../docs/errors.md");

/// From how many requests on the memory is looked at.
const MANY: u64 = 100_000;

/// How much more memory the second half of many requests may take, in KiB: caches fill up to their bounds.
const GROWTH: u64 = 16 * 1024;

/// Numbers that look like chance and repeat themselves (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Whether one of `n` cases is met.
    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    /// A short text: harmless, or not at all.
    fn text(&mut self) -> String {
        const TEXTS: [&str; 24] = [
            "",
            " ",
            "a",
            "ada@example.org",
            "ADA@EXAMPLE.ORG ",
            "nobody@example.org",
            "+49 151 23456789",
            "kestrel-Zw4-91-mortar",
            "null",
            "true",
            "-1",
            "1e999",
            "99999999999999999999",
            "' OR 1=1 --",
            "<script>alert(1)</script>",
            "../../etc/passwd",
            "\u{0}",
            "a\u{0}b",
            "\u{202e}evil\u{feff}",
            "ﬁ\u{0301}\u{1f9d1}\u{200d}\u{1f680}",
            "%00%ff%zz",
            "{{7*7}}${7*7}",
            "\r\nX-Evil: 1",
            "000000",
        ];
        match self.below(12) {
            0 => "x".repeat(1 << self.below(17)),
            1 => (0..self.below(40)).filter_map(|_| char::from_u32((self.next() % 0x11_0000) as u32)).collect(),
            _ => TEXTS[self.below(TEXTS.len())].to_owned(),
        }
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 7 } else { 9 }) {
            0 => Value::Null,
            1 => json!(self.one_in(2)),
            2 => json!(self.next() as i64),
            3 => json!(f64::from_bits(self.next())),
            7 => (0..self.below(5)).map(|_| self.value(depth - 1)).collect(),
            8 => Value::Object((0..self.below(5)).map(|_| (self.text(), self.value(depth - 1))).collect()),
            _ => json!(self.text()),
        }
    }
}

/// What a stranger may have got hold of.
struct Loot {
    flows: Vec<String>,
    cookies: Vec<String>,
    tokens: Vec<String>,
    csrf: Vec<String>,
}

impl Loot {
    async fn of(app: &TestApp) -> Self {
        let ada = Person::named("ada");
        let mut loot = Self { flows: Vec::new(), cookies: Vec::new(), tokens: Vec::new(), csrf: Vec::new() };
        let mut stranger = Spa::new(app);
        let mut known = Spa::new(app);
        known.sign_up(&ada).await;
        let mut native = Native::new(app);
        native.sign_in(&ada).await;
        for kind in ["login", "registration", "verification"] {
            let form = stranger.open(kind).await;
            loot.flows.push(form.id);
            loot.csrf.push(form.csrf);
            loot.flows.push(Native::new(app).open(kind).await.id);
        }
        let form = known.open("settings").await;
        loot.flows.push(form.id);
        loot.csrf.push(form.csrf);
        loot.flows.push(native.open("settings").await.id);
        for jar in [&stranger.jar, &known.jar] {
            let lines: Vec<_> = ["csrf_token", "ory_kratos_session"].iter().filter_map(|name| jar.line(name)).collect();
            loot.cookies.push(lines.join("; "));
        }
        loot.tokens.extend(native.token);
        loot
    }
}

/// A request, as text that says all of it.
struct Request {
    method: String,
    uri: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Bytes,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} {}", self.method, self.uri)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", value.escape_ascii())?;
        }
        write!(f, "{} bytes: {}", self.body.len(), self.body[..self.body.len().min(2000)].escape_ascii())
    }
}

fn request(chance: &mut Chance, paths: &[&str], loot: &Loot) -> Request {
    const METHODS: [&str; 9] = ["GET", "GET", "GET", "POST", "POST", "PUT", "DELETE", "OPTIONS", "BREW"];
    let mut headers: Vec<(String, Vec<u8>)> = vec![("host".into(), b"127.0.0.1:4433".to_vec())];
    let mut header = |name: &str, value: Vec<u8>| headers.push((name.to_owned(), value));
    let choose = |chance: &mut Chance, list: &[String]| list[chance.below(list.len())].clone();

    header(
        "accept",
        chance.of(&["application/json", "text/html", "*/*", "application/json;q=nan", ";;;,,", ""]).as_bytes().to_vec(),
    );
    match chance.below(5) {
        0 | 1 => header("cookie", choose(chance, &loot.cookies).into_bytes()),
        2 => header("cookie", format!("ory_kratos_session={}; csrf_token_=x; =;;", escaped(&chance.text())).into_bytes()),
        3 => header("x-session-token", choose(chance, &loot.tokens).into_bytes()),
        _ => {}
    }
    if chance.one_in(8) {
        header("authorization", format!("Bearer {}", escaped(&chance.text())).into_bytes());
    }
    for name in [
        "origin",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-prefix",
        "x-request-id",
        "referer",
        "x-csrf-token",
        "user-agent",
        "range",
    ] {
        if chance.one_in(16) {
            let value: Vec<u8> =
                (0..chance.below(40)).map(|_| chance.next() as u8).filter(|b| *b >= 0x20 && *b != 0x7f).collect();
            header(name, value);
        }
    }

    let kind = chance.of(&[
        "application/json",
        "application/json; charset=utf-8",
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data",
        "a/b/c",
    ]);
    let body = body(chance, kind, loot);
    if !chance.one_in(20) {
        header("content-type", kind.as_bytes().to_vec());
    }
    Request { method: METHODS[chance.below(METHODS.len())].to_owned(), uri: uri(chance, paths, loot), headers, body }
}

/// Percent-encoded, whatever it is.
fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn uri(chance: &mut Chance, paths: &[&str], loot: &Loot) -> String {
    const NAMES: [&str; 14] = [
        "flow",
        "id",
        "return_to",
        "refresh",
        "aal",
        "token",
        "code",
        "identity_schema",
        "page",
        "per_page",
        "page_token",
        "tokenize_as",
        "return_session_token_exchange_code",
        "organization",
    ];
    let part = escaped(&chance.text());
    let part = part.get(..part.len().min(200)).unwrap_or_default();
    let mut uri = chance.of(paths).replace("{}", if part.is_empty() { "x" } else { part });
    if chance.one_in(30) {
        uri.push_str(chance.of(&["/", "//", "/..", "/%2e%2e/x", ";x", "%00"]));
    }
    let mut joint = '?';
    for _ in 0..chance.below(4) {
        let value = match chance.below(5) {
            0 | 1 => loot.flows[chance.below(loot.flows.len())].clone(),
            2 => format!("{UI}/{}", chance.text()),
            _ => chance.text(),
        };
        let value = escaped(&value);
        let _ = write!(uri, "{joint}{}={}", chance.of(&NAMES), &value[..value.len().min(3000)]);
        joint = '&';
    }
    uri
}

fn body(chance: &mut Chance, kind: &str, loot: &Loot) -> Bytes {
    let csrf = loot.csrf[chance.below(loot.csrf.len())].clone();
    let method = chance.of(&[
        "password",
        "profile",
        "code",
        "link",
        "totp",
        "lookup_secret",
        "oidc",
        "webauthn",
        "passkey",
        "identifier_first",
        "",
        "PASSWORD",
    ]);
    let mut fields = json!({ "csrf_token": csrf, "method": method, "password": "kestrel-Zw4-91-mortar", "identifier": "ada@example.org",
        "traits": { "email": "new@example.org", "name": { "first": "N" } } });
    for name in [
        "password",
        "traits",
        "transient_payload",
        "code",
        "email",
        "identifier",
        "screen",
        "session_token",
        "webauthn_login",
        "passkey_login",
        "passkey_register",
        "csrf_token",
        "method",
    ] {
        if chance.one_in(8) {
            fields[name] = chance.value(3);
        }
    }
    if kind.starts_with("application/x-www-form") {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields.as_object().unwrap() {
            form.append_pair(name, value.as_str().unwrap_or("1"));
        }
        for _ in 0..chance.below(4) {
            let name = format!("traits.{}", chance.of(&["email", "name.first", "name", "a.b.c.d", "..", "0.1", "email.x", ""]));
            form.append_pair(&name, &chance.text());
        }
        let mut out = form.finish();
        if chance.one_in(10) {
            out.push_str("&%zz=%&=&&&[]=1");
        }
        return out.into();
    }
    let mut bytes = match chance.below(24) {
        0 => "[".repeat(1 << chance.below(16)),
        1 => format!("{{\"traits\":{}1{}}}", "{\"a\":".repeat(2000), "}".repeat(2000)),
        2 => format!("{{\"method\":\"password\",\"method\":\"{method}\",\"traits\":1,\"traits\":{{}}}}"),
        3 => format!("{{\"password\":\"{}\"}}", "p".repeat(1 << chance.below(20))),
        4 => chance.value(5).to_string(),
        5 => String::new(),
        6 => format!("{fields} trailing"),
        _ => fields.to_string(),
    }
    .into_bytes();
    if chance.one_in(12) {
        bytes.truncate(chance.below(bytes.len() + 1));
    }
    if chance.one_in(12) && !bytes.is_empty() {
        let at = chance.below(bytes.len());
        bytes[at] = 0xff;
    }
    if chance.one_in(600) {
        bytes.resize(6 << 20, b' ');
    }
    bytes.into()
}

/// Says what is wrong with an answer.
fn fault(answer: &Answer) -> Option<String> {
    let text = String::from_utf8_lossy(&answer.body);
    let is_json = answer.headers.get("content-type").is_some_and(|t| t.as_bytes().starts_with(b"application/json"));
    let body: Value = match (is_json, serde_json::from_slice(&answer.body)) {
        (true, Ok(body)) => body,
        (true, Err(_)) if answer.body.is_empty() => Value::Null,
        (true, Err(error)) => return Some(format!("broken JSON: {error}")),
        (false, _) => Value::Null,
    };
    let error = &body["error"];
    if answer.status >= 500 {
        return Some(format!("status {}: {text}", answer.status));
    }
    if !error.is_object() {
        return None;
    }
    if let Some(id) = error["id"].as_str()
        && !DOCUMENTED.contains(&format!("`{id}`"))
    {
        return Some(format!("an id that is not documented: {id}"));
    }
    let told = error["code"].as_u64().unwrap_or_default();
    (told != u64::from(answer.status)).then(|| format!("status {} but code {told}: {text}", answer.status))
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The memory that this process holds, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}

#[tokio::test]
async fn nothing_that_is_sent_is_a_fault_of_the_server() {
    let seed = from_environment("PORTCULLIS_HOSTILE_SEED").unwrap_or(1);
    let count = from_environment("PORTCULLIS_HOSTILE_REQUESTS").unwrap_or(4_000);
    let rp = json!({ "rp": { "id": "localhost", "display_name": "Site" } });
    let methods = json!({ "webauthn": { "enabled": true, "config": rp }, "passkey": { "enabled": true, "config": rp } });
    let flows = json!({ "verification": { "enabled": true } });
    let app = TestApp::with(json!({ "selfservice": { "flows": flows, "methods": methods } })).await;
    let loot = Loot::of(&app).await;
    let rows = public::rows();
    // What is only sent on to the other port has little to go wrong.
    let own = rows.iter().filter(|(_, _, action)| !matches!(action, Action::OtherPort));
    let mut paths: Vec<&str> = own.map(|(_, path, _)| *path).collect();
    paths.extend(["/identities", "/admin/identities/{}"]);
    let mut chance = Chance(seed);
    let mut statuses = std::collections::BTreeMap::<u16, u64>::new();
    let mut half_way = 0;
    for number in 0..count {
        if number == count / 2 {
            half_way = resident();
        }
        let request = request(&mut chance, &paths, &loot);
        let mut sent = http::Request::builder().method(request.method.as_str()).uri(&request.uri);
        for (name, value) in &request.headers {
            sent = sent.header(name, value.as_slice());
        }
        let Ok(sent) = sent.body(request.body.clone()) else { continue };
        let answer = app.send(Port::Public, sent).await;
        *statuses.entry(answer.status).or_default() += 1;
        if let Some(fault) = fault(&answer) {
            panic!("seed {seed}, request {number}: {fault}\n{request:?}");
        }
    }
    // The generator is worth something only while requests get past the first checks.
    for status in [200, 303, 400, 401, 403, 404, 405] {
        assert!(statuses.contains_key(&status), "no answer had status {status}: {statuses:?}");
    }
    if count >= MANY {
        let grown = resident().saturating_sub(half_way);
        assert!(grown < GROWTH, "the second half of {count} requests took {grown} KiB");
    }
}
