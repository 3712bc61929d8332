//! An application of a test's own: a database in memory, a clock that stands still, chance that repeats itself.

use std::path::Path;
use std::sync::{Arc, Once};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use portcullis::app::{Surroundings, compose, prepare};
use portcullis::http::client::{Peer, Proxies};
use portcullis::http::edge::Edge;
use portcullis::http::ports::Port;
use portcullis::http::table::{Row, Table};
use portcullis_core::app::App;
use portcullis_core::config::{self, first_run};
use portcullis_core::crypto::random::{FixedClock, SeededRng};
use portcullis_core::jsonnet;
use portcullis_core::outbound::World;
use portcullis_model::time::Timestamp;
use portcullis_store::{OpenOptions, Store};
use serde_json::{Value, json};

use super::Answer;

/// Where pages live that the product does not serve itself.
pub(crate) const UI: &str = "http://127.0.0.1:4455";

/// An application and its edge.
pub(crate) struct TestApp {
    pub(crate) edge: Arc<Edge>,
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<FixedClock>,
}

impl TestApp {
    /// With the base configuration.
    pub(crate) async fn new() -> Self {
        Self::with(json!({})).await
    }

    /// With a change laid over the base configuration: mappings join, anything else replaces, `null` removes.
    pub(crate) async fn with(change: Value) -> Self {
        Self::behind(change, Proxies::default()).await
    }

    /// As [`TestApp::with`], with proxies of its own.
    pub(crate) async fn behind(change: Value, proxies: Proxies) -> Self {
        Self::open("memory", change, proxies).await
    }

    /// As [`TestApp::with`], with a database in a file.
    pub(crate) async fn stored_at(path: &Path, change: Value) -> Self {
        Self::open(&format!("sqlite://{}", path.display()), change, Proxies::default()).await
    }

    /// Over a database of this name, which is made ready.
    pub(crate) async fn at(dsn: &str, change: Value) -> Self {
        Self::open(dsn, change, Proxies::default()).await
    }

    /// A server that is started over a database file that another one left behind, with that one's clock. `start` is the
    /// number of the start: each has chance of its own.
    pub(crate) async fn started_again(path: &Path, clock: Arc<FixedClock>, change: Value, start: u64) -> Self {
        Self::started_again_at(&format!("sqlite://{}", path.display()), clock, change, start).await
    }

    /// As [`TestApp::started_again`], over a database of this name.
    pub(crate) async fn started_again_at(dsn: &str, clock: Arc<FixedClock>, change: Value, start: u64) -> Self {
        let store = Store::open(dsn, OpenOptions::default()).await.unwrap();
        prepare(&store, dsn).await.unwrap();
        Self::over(store, clock, change, Proxies::default(), 2 + start).await
    }

    /// As [`TestApp::with`], in a world where names lead elsewhere.
    pub(crate) async fn within(world: World, change: Value) -> Self {
        let store = ready("memory").await;
        Self::over_in(world, store, beginning(), change, Proxies::default(), 1).await
    }

    async fn open(dsn: &str, change: Value, proxies: Proxies) -> Self {
        Self::over(ready(dsn).await, beginning(), change, proxies, 1).await
    }

    /// The same server after a restart with another configuration: its database and its clock.
    pub(crate) async fn reconfigured(&self, change: Value) -> Self {
        Self::over(self.app.store.clone(), Arc::clone(&self.clock), change, Proxies::default(), 2).await
    }

    async fn over(store: Store, clock: Arc<FixedClock>, change: Value, proxies: Proxies, seed: u64) -> Self {
        Self::over_in(World::default(), store, clock, change, proxies, seed).await
    }

    async fn over_in(world: World, store: Store, clock: Arc<FixedClock>, change: Value, proxies: Proxies, seed: u64) -> Self {
        let mut value = base();
        lay(&mut value, change);
        let config = config::from_value(value).unwrap_or_else(|e| panic!("{e}")).config;
        let around = Surroundings {
            clock: clock.clone(),
            rng: Arc::new(SeededRng::new(seed)),
            jsonnet: jsonnet::Settings {
                program: env!("CARGO_BIN_EXE_portcullis").into(),
                ..jsonnet::Settings::this_program().unwrap()
            },
            relax_native_check: false,
            world,
        };
        let app = compose(config, store, around).await.unwrap();
        Self { edge: Arc::new(Edge::new(Arc::clone(&app), proxies)), app, clock }
    }

    /// The same application behind public routes of a test's own.
    pub(crate) fn with_public(self, rows: Vec<Row>) -> Self {
        let edge = Edge::with_tables(Arc::clone(&self.app), Proxies::default(), Table::new(rows), Table::new([]));
        Self { edge: Arc::new(edge), ..self }
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Sends a request from this machine.
    pub(crate) async fn send(&self, port: Port, request: http::Request<Bytes>) -> Answer {
        self.send_from("127.0.0.1", port, request).await
    }

    /// Sends a request from an address.
    pub(crate) async fn send_from(&self, peer: &str, port: Port, request: http::Request<Bytes>) -> Answer {
        let peer = Peer::new(Some(peer.parse().unwrap()), false);
        let is_head = request.method() == http::Method::HEAD;
        let response = self.edge.answer(port, request.map(Full::new), peer, Duration::from_secs(5)).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        // What the protocol does on a connection.
        let body = if is_head { Bytes::new() } else { body };
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// A request without body, with a few headers.
    pub(crate) async fn ask(&self, port: Port, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = http::Request::builder().method(method).uri(path).header("host", "127.0.0.1:4433");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(port, request.body(Bytes::new()).unwrap()).await
    }
}

/// A database of this name, made ready.
async fn ready(dsn: &str) -> Store {
    install_provider();
    let store = Store::open(dsn, OpenOptions::default()).await.unwrap();
    prepare(&store, dsn).await.unwrap();
    store
}

/// The cryptography of TLS, once for the process.
pub(crate) fn install_provider() {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}

/// Where tests' clocks stand at first.
fn beginning() -> Arc<FixedClock> {
    Arc::new(FixedClock::new(Timestamp::from_seconds(1_800_000_000)))
}

/// The configuration that tests start from.
fn base() -> Value {
    let schema = format!("base64://{}", STANDARD.encode(first_run::IDENTITY_SCHEMA));
    json!({
        "dsn": "memory",
        "dev": true,
        "serve": {
            "public": { "base_url": "http://127.0.0.1:4433/", "host": "127.0.0.1", "port": 4433 },
            "admin": { "base_url": "http://127.0.0.1:4434/", "host": "127.0.0.1", "port": 4434 },
        },
        "selfservice": {
            "default_browser_return_url": format!("{UI}/"),
            "allowed_return_urls": [UI],
            "methods": { "password": { "config": { "haveibeenpwned_enabled": false } } },
            "flows": {
                "error": { "ui_url": format!("{UI}/error") },
                "login": { "ui_url": format!("{UI}/login") },
                "registration": {
                    "ui_url": format!("{UI}/registration"),
                    "style": "unified",
                    "after": { "password": { "hooks": [{ "hook": "session" }] } },
                },
                "settings": { "ui_url": format!("{UI}/settings") },
            },
        },
        "secrets": { "cookie": ["a-cookie-secret-of-tests"], "cipher": ["a-cipher-secret-of-32-characters"] },
        "hashers": { "algorithm": "bcrypt", "bcrypt": { "cost": 4 } },
        "identity": { "default_schema_id": "default", "schemas": [{ "id": "default", "url": schema }] },
    })
}

/// Lays `over` on `value`.
fn lay(value: &mut Value, over: Value) {
    match (value, over) {
        (Value::Object(value), Value::Object(over)) => {
            for (key, over) in over {
                if over.is_null() {
                    value.remove(&key);
                } else {
                    lay(value.entry(key).or_insert(Value::Null), over);
                }
            }
        }
        (value, over) => *value = over,
    }
}
