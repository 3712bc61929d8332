//! Databases to test on, and samples.

use std::future::Future;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::identity::{AddressStatus, Factors, Identity, RecoveryAddress, State, VerifiableAddress, Via};
use portcullis_model::session::{Aal, AuthenticationMethod, Device, Session};
use portcullis_model::time::Timestamp;
use portcullis_store::{Changes, Committed, Constraint, OpenOptions, Store, StoreError, credentials, identities};
use serde_json::json;
use uuid::Uuid;

/// A number that nobody else in this process has.
fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// An id that is greater than all that were given before.
pub(crate) fn id() -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(number()))
}

/// Some seconds after a fixed moment.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_123_456 + seconds * 1_000_000)
}

/// A folder that is removed when dropped.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("portcullis-contract-{}-{}", std::process::id(), number()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn dsn(&self) -> String {
        format!("sqlite://{}/db.sqlite?_fk=true", self.0.display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) async fn open(dsn: &str) -> Store {
    Store::open(dsn, OpenOptions::default()).await.expect("the database opens")
}

/// Runs a body on every database, each with nothing in it.
pub(crate) async fn everywhere_empty<F: Future<Output = ()>>(body: impl Fn(Store) -> F) {
    let store = open("memory").await;
    body(store.clone()).await;
    store.close().await.expect("memory closes");

    let folder = Folder::new();
    let store = open(&folder.dsn()).await;
    body(store.clone()).await;
    store.close().await.expect("the file closes");

    on_postgres(|store, _| body(store)).await;
}

/// Runs a body on PostgreSQL if a server is named, with nothing in the database. The body is also given the name by which
/// the server knows the store's connections. Without a server it is left out, which is said, or fails where it is required.
pub(crate) async fn on_postgres<F: Future<Output = ()>>(body: impl Fn(Store, String) -> F) {
    static SAID: Once = Once::new();
    let Ok(server) = std::env::var("PORTCULLIS_TEST_POSTGRES") else {
        let required = std::env::var_os("PORTCULLIS_TEST_POSTGRES_REQUIRED").is_some();
        assert!(!required, "PORTCULLIS_TEST_POSTGRES must name a PostgreSQL database here");
        // Past the test runner, which keeps back what tests print that succeed.
        SAID.call_once(|| {
            let told: &[u8] =
                b"\nNot run on PostgreSQL: set PORTCULLIS_TEST_POSTGRES=postgres://postgres@127.0.0.1/postgres or the like.\n";
            let _ = std::io::stderr().write_all(told);
        });
        return;
    };
    let name = format!("contract_{}_{}", std::process::id(), number());
    on_server(&format!("CREATE SCHEMA {name}")).await;
    let separator = if server.contains('?') { '&' } else { '?' };
    let options = format!("options=-csearch_path%3D{name}&application_name={name}&max_conns=8");
    let store = open(&format!("{server}{separator}{options}")).await;
    body(store.clone(), name.clone()).await;
    store.close().await.expect("the server's connections close");
    on_server(&format!("DROP SCHEMA {name} CASCADE")).await;
}

/// Runs a body on every database, each with all tables.
pub(crate) async fn everywhere<F: Future<Output = ()>>(body: impl Fn(Store) -> F) {
    everywhere_empty(|store| async {
        store.migrate().await.expect("the migrations run");
        body(store).await;
    })
    .await;
}

/// Runs a statement on the PostgreSQL server.
pub(crate) async fn on_server(sql: &str) {
    let server = std::env::var("PORTCULLIS_TEST_POSTGRES").expect("a server is named");
    let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls).await.expect("the server answers");
    let task = tokio::spawn(connection);
    client.batch_execute(sql).await.expect("the server obeys");
    drop(client);
    let _ = task.await;
}

/// Commits changes that a function collects.
pub(crate) async fn commit(store: &Store, collect: impl FnOnce(&mut Changes)) -> Result<Committed, StoreError> {
    let mut c = Changes::new();
    collect(&mut c);
    store.commit(c).await
}

pub(crate) fn is_conflict(outcome: &Result<Committed, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Conflict { .. }))
}

pub(crate) fn unique(outcome: Result<Committed, StoreError>) -> Option<Constraint> {
    match outcome {
        Err(StoreError::Unique(constraint)) => Some(constraint),
        _ => None,
    }
}

pub(crate) fn verifiable(value: &str) -> VerifiableAddress {
    VerifiableAddress {
        id: id(),
        value: value.to_owned(),
        verified: true,
        via: Via::Email,
        status: AddressStatus::Completed,
        verified_at: Some(at(3)),
        created_at: at(1),
        updated_at: at(2),
    }
}

/// An empty list of ids.
pub(crate) const NOBODY: [Uuid; 0] = [];

pub(crate) fn recovery(value: &str) -> RecoveryAddress {
    RecoveryAddress { id: id(), value: value.to_owned(), via: Via::Email, created_at: at(1), updated_at: at(2) }
}

/// An identity without addresses.
pub(crate) fn identity() -> Identity {
    Identity {
        id: id(),
        schema_id: "default".into(),
        traits: json!({"zeta": 1, "alpha": {"b": [1, 2.5, null, "x"], "a": 9_007_199_254_740_993_u64}}),
        state: State::Active,
        state_changed_at: at(0),
        metadata_public: json!(null),
        metadata_admin: json!(0.25),
        external_id: None,
        organization_id: None,
        verifiable_addresses: vec![],
        recovery_addresses: vec![],
        factors: Factors { first: vec![CredentialType::Password], second: vec![CredentialType::Totp] },
        credentials_version: 1,
        version: 1,
        created_at: at(0),
        updated_at: at(1),
    }
}

/// An identity that is in the database.
pub(crate) async fn stored_identity(store: &Store) -> Identity {
    let identity = identity();
    commit(store, |c| identities::insert(c, &identity)).await.expect("inserted");
    identity
}

pub(crate) fn credential(kind: CredentialType, identifiers: &[&str]) -> Credential {
    Credential {
        id: id(),
        kind,
        identifiers: identifiers.iter().map(|i| (*i).to_owned()).collect(),
        config: json!({"hashed_password": "$argon2id$1"}),
        version: 2,
        created_at: at(4),
        updated_at: at(5),
    }
}

/// An identity in the database that has one password credential.
pub(crate) async fn with_password(store: &Store, identifier: &str) -> Identity {
    let identity = identity();
    commit(store, |c| {
        identities::insert(c, &identity);
        credentials::insert(c, identity.id, &credential(CredentialType::Password, &[identifier]));
    })
    .await
    .expect("inserted");
    identity
}

pub(crate) fn session(identity_id: Uuid) -> Session {
    Session {
        id: id(),
        identity_id,
        active: true,
        aal: Aal::Aal1,
        methods: vec![AuthenticationMethod::new("password", Aal::Aal1, at(0))],
        authenticated_at: at(0),
        issued_at: at(0),
        expires_at: at(3600),
        devices: vec![Device { id: id(), ip_address: "::1".into(), user_agent: "test".into(), location: String::new() }],
        created_at: at(0),
        updated_at: at(0),
    }
}

/// Runs a task this many times at once, and gives the outcomes.
pub(crate) async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    times: usize,
    task: impl Fn(usize) -> F,
) -> Vec<T> {
    let tasks: Vec<_> = (0..times).map(|n| tokio::spawn(task(n))).collect();
    let mut out = Vec::with_capacity(times);
    for task in tasks {
        out.push(task.await.expect("the task ends"));
    }
    out
}
