//! The composition root: the one place that names concrete things and puts them together to an application.
//!
//! What a reload changes is one [`Snapshot`], made whole before it is put in force; the rest lasts as long as the process.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use portcullis_core::app::{App, Snapshot};
use portcullis_core::config::{self, Config, FileWatch, Live, Secret, Sources};
use portcullis_core::crypto::Keyring;
use portcullis_core::crypto::password::{Limits, Pool};
use portcullis_core::identity::{Schemas, SchemasError};
use portcullis_core::jsonnet::{self, Jsonnet};
use portcullis_core::outbound::{self, OutboundError};
use portcullis_core::{hook, method};
use portcullis_model::clock::{Clock, Rng};
use portcullis_model::flow::FlowKind;
use portcullis_store::{Store, StoreError, identities};

/// Why an application cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An identity schema cannot be used.
    #[error(transparent)]
    Schemas(SchemasError),
    /// The client for outgoing requests cannot be set up.
    #[error("outgoing HTTP cannot be set up: {0}")]
    Outbound(OutboundError),
    /// The system gives no threads.
    #[error("no thread can be started: {0}")]
    Threads(std::io::Error),
    /// The database.
    #[error(transparent)]
    Database(DatabaseError),
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It cannot be opened or read.
    #[error("the database cannot be used: {0}")]
    Store(StoreError),
    /// It is of an older release, and serving it would need changes that are for the operator to start.
    #[error("the database lacks {0} migrations: run `portcullis migrate sql up` first")]
    Pending(usize),
}

/// What an application takes from its surroundings.
pub struct Surroundings {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives random bytes.
    pub rng: Arc<dyn Rng>,
    /// How Jsonnet is evaluated: in processes of this program, by its command `jsonnet`.
    pub jsonnet: jsonnet::Settings,
    /// Whether native flows may be submitted with cookies and `Origin`.
    pub relax_native_check: bool,
    /// Where the names of outgoing requests lead.
    pub world: outbound::World,
}

/// Puts an application together.
///
/// # Errors
/// If identity schemas cannot be loaded, or the system gives no threads.
pub async fn compose(config: Config, store: Store, around: Surroundings) -> Result<Arc<App>, StartError> {
    let outbound = outbound::Client::new(outbound_settings(&config), Arc::clone(&around.clock)).map_err(StartError::Outbound)?;
    let outbound = Arc::new(outbound.within(around.world));
    let live = Arc::new(Live::new(config.clone()));
    let snapshot = snapshot(config, outbound, &*around.rng).await.map_err(StartError::Schemas)?;
    let passwords = Pool::new(Limits::default(), Arc::clone(&around.rng)).map_err(StartError::Threads)?;
    Ok(Arc::new(App {
        snapshot: ArcSwap::from_pointee(snapshot),
        live,
        store,
        clock: around.clock,
        rng: around.rng,
        passwords,
        jsonnet: Jsonnet::new(around.jsonnet),
        oidc: portcullis_core::oidc::Known::default(),
        methods: method::all(),
        hooks: hook::all(),
        relax_native_check: around.relax_native_check,
        outbox_bell: Arc::default(),
        hook_bell: Arc::default(),
        courier_counts: Arc::default(),
    }))
}

/// Everything that follows from a configuration.
async fn snapshot(config: Config, outbound: Arc<outbound::Client>, rng: &dyn Rng) -> Result<Snapshot, SchemasError> {
    for (place, name) in unknown_hooks(&config, &hook::all()) {
        tracing::warn!(hook = name, place, "this release does not run this hook: it is skipped");
    }
    let schemas = Schemas::load(&config, &outbound).await?;
    Ok(Snapshot { keys: keys(&config, rng), schemas, outbound, config })
}

/// Configured hooks that the program does not have, by place. The configuration takes keys of hooks that are still to come;
/// nobody should rely on one that is not run.
pub(crate) fn unknown_hooks<'a>(config: &'a Config, known: &hook::Hooks) -> Vec<(String, &'a str)> {
    let mut unknown = Vec::new();
    for kind in FlowKind::ALL {
        let flow = config.flow(kind);
        let general = [("before", &flow.before.hooks), ("after", &flow.after.hooks)];
        let own = flow.after.methods.iter().map(|(method, after)| (method.as_str(), &after.hooks));
        for (place, hooks) in general.into_iter().chain(own) {
            let skipped = hooks.iter().filter(|h| known.get(&h.name).is_none());
            unknown.extend(skipped.map(|h| (format!("{kind} {place}"), h.name.as_str())));
        }
    }
    unknown
}

fn outbound_settings(config: &Config) -> outbound::Settings {
    let http = &config.clients.http;
    outbound::Settings {
        disallow_private_ip_ranges: http.disallow_private_ip_ranges,
        private_ip_exception_urls: http.private_ip_exception_urls.clone(),
        ..outbound::Settings::default()
    }
}

/// The keys of a configuration. Cookie secrets come after the default ones, and stand in for them where there are none:
/// what is stored must be found again after a restart, and after an operator wrote a second list.
fn keys(config: &Config, rng: &dyn Rng) -> Keyring {
    let plain = |list: &[Secret]| list.iter().map(|s| s.expose().to_owned()).collect::<Vec<_>>();
    let secrets = &config.secrets;
    let default = [plain(&secrets.default), plain(&secrets.cookie)].concat();
    let mut fallback = [0; 32];
    rng.fill(&mut fallback);
    Keyring::new(&default, &plain(&secrets.cookie), &plain(&secrets.cipher), &plain(&secrets.pagination), fallback)
}

/// Keeps an application on the newest configuration that its sources give, until the answer is dropped. Call it on a
/// runtime: schemas are loaded there.
///
/// # Errors
/// If no thread can be started.
pub fn follow(app: &Arc<App>, sources: Sources) -> std::io::Result<FileWatch> {
    // A configuration is accepted with everything that follows from it, so that a broken schema keeps the old one whole.
    let ready: Arc<Mutex<Option<Snapshot>>> = Arc::default();
    let runtime = tokio::runtime::Handle::current();
    let accept = {
        let (app, ready) = (Arc::clone(app), Arc::clone(&ready));
        move |config: &Config| {
            let outbound = Arc::clone(&app.snapshot.load().outbound);
            let made = runtime.block_on(snapshot(config.clone(), outbound, &*app.rng)).map_err(|e| e.to_string())?;
            *ready.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
            Ok(())
        }
    };
    let app = Arc::clone(app);
    config::watch(Arc::clone(&app.live), sources, accept, move |config| {
        let made = ready.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(snapshot) = made {
            snapshot.outbound.reconfigure(outbound_settings(config));
            app.snapshot.store(Arc::new(snapshot));
        }
    })
}

/// Whether a data source name means a database inside this process, rather than a server.
#[must_use]
pub fn is_embedded(dsn: &str) -> bool {
    !dsn.starts_with("postgres://") && !dsn.starts_with("postgresql://")
}

/// Brings a database to the form that this release needs. An embedded one is always migrated; a server's only while nobody is
/// in it, since others may be using it with an older release.
///
/// # Errors
/// If it cannot be read or changed, or the operator has to migrate it.
pub async fn prepare(store: &Store, dsn: &str) -> Result<(), DatabaseError> {
    let migrate = || async { store.migrate().await.map(|_| ()).map_err(DatabaseError::Store) };
    if is_embedded(dsn) {
        return migrate().await;
    }
    let status = store.migration_status().await.map_err(DatabaseError::Store)?;
    match status.iter().filter(|m| !m.applied).count() {
        0 => Ok(()),
        all if all == status.len() => migrate().await,
        // The making of it was broken off.
        _ if identities::is_empty(store).await.map_err(DatabaseError::Store)? => migrate().await,
        some => Err(DatabaseError::Pending(some)),
    }
}

/// Makes a folder for data that is nobody else's business, unless it exists.
///
/// # Errors
/// If it cannot be made.
pub fn make_private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if path.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
