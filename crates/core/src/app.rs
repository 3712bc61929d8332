//! What every operation works with: the application (store, clock, chance, lists of methods and hooks) and, for one
//! request, [`Cx`]: the application as configured at this moment, the time, and the facts of the request.

use std::sync::Arc;

use arc_swap::ArcSwap;
use portcullis_model::clock::{self, Clock, Rng};
use portcullis_model::time::Timestamp;
use portcullis_store::Store;
use uuid::Uuid;

use crate::config::{Config, Live};
use crate::courier;
use crate::crypto::Keyring;
use crate::crypto::password::{Client, HashSettings, Pool};
use crate::crypto::tokens::CsrfSecret;
use crate::flow::engine::Request;
use crate::hook::Hooks;
use crate::identity::Schemas;
use crate::jsonnet::Jsonnet;
use crate::method::Methods;
use crate::oidc;
use crate::outbound;

/// What changes at a reload of the configuration, as one value, so that no request sees half of it.
pub struct Snapshot {
    /// The configuration.
    pub config: Config,
    /// The keys made from its secrets.
    pub keys: Keyring,
    /// The identity schemas it names, read and compiled.
    pub schemas: Schemas,
    /// Makes outgoing HTTP requests under its rules. It outlives the snapshot, so that connections are kept.
    pub outbound: Arc<outbound::Client>,
}

/// The application. One exists for each server; the composition root builds it.
pub struct App {
    /// What the configuration says now.
    pub snapshot: ArcSwap<Snapshot>,
    /// The configuration as its files are followed, and whether they are in force.
    pub live: Arc<Live>,
    /// The database.
    pub store: Store,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives random bytes.
    pub rng: Arc<dyn Rng>,
    /// Hashes passwords on threads of its own.
    pub passwords: Pool,
    /// Evaluates Jsonnet in worker processes.
    pub jsonnet: Jsonnet,
    /// What is known of social sign-in providers.
    pub oidc: oidc::Known,
    /// All methods, in the order in which they are asked.
    pub methods: Methods,
    /// All hooks.
    pub hooks: Hooks,
    /// Whether native flows may be submitted with cookies and `Origin` (development only).
    pub relax_native_check: bool,
    /// Rung when a mail was put into the outbox, so that a courier in this process need not wait for its next round.
    pub outbox_bell: Arc<tokio::sync::Notify>,
    /// Rung when a call of a hook came to be owed that nobody waits for.
    pub hook_bell: Arc<tokio::sync::Notify>,
    /// What the courier of this process did.
    pub courier_counts: Arc<courier::Counts>,
}

/// The circumstances of one operation. It is the only thing passed down.
pub struct Cx {
    /// The application.
    pub app: Arc<App>,
    /// The configuration as it was when the operation began.
    pub snapshot: Arc<Snapshot>,
    /// When the operation began.
    pub now: Timestamp,
    /// The facts of the request.
    pub request: Request,
}

impl Cx {
    /// The circumstances of an operation that begins now.
    #[must_use]
    pub fn new(app: &Arc<App>, request: Request) -> Self {
        Self { snapshot: app.snapshot.load_full(), now: app.clock.now(), app: Arc::clone(app), request }
    }

    /// The same circumstances with the anti-CSRF secret that the browser has after this answer, for forms that go with it.
    #[must_use]
    pub fn renewed(&self, secret: CsrfSecret) -> Self {
        let request = Request { csrf_secret: Some(secret), ..self.request.clone() };
        Self { app: Arc::clone(&self.app), snapshot: Arc::clone(&self.snapshot), now: self.now, request }
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.snapshot.config
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &Keyring {
        &self.snapshot.keys
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.app.store
    }

    /// Random bytes.
    #[must_use]
    pub fn rng(&self) -> &dyn Rng {
        &*self.app.rng
    }

    /// A new id.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        clock::new_id(&*self.app.clock, &*self.app.rng)
    }

    /// How new passwords are hashed.
    #[must_use]
    pub fn hash_settings(&self) -> HashSettings {
        self.config().hash_settings()
    }

    /// For whom a password is hashed in this request: by this the queue is shared out.
    #[must_use]
    pub fn hashing_client(&self) -> Client {
        self.request.client_ip.parse().map_or(Client::Operator, Client::Address)
    }

    /// An address on the public base URL: `path` begins with a slash; the base URL's own path is kept.
    #[must_use]
    pub fn public_url(&self, path: &str) -> String {
        let base = self.config().public_base_url().as_str();
        format!("{}{path}", base.strip_suffix('/').unwrap_or(base))
    }
}
