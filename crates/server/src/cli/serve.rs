//! `serve`: from the configuration to two open ports, and to an orderly end.

use std::sync::Arc;
use std::time::Duration;

use portcullis_core::config::{self, Flags, Loaded, Sources};
use portcullis_core::{courier, hook, jobs, jsonnet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::process::{self, Signals};
use super::source::Files;
use super::{Failure, output};
use crate::app;
use crate::http::client::{Proxies, TRUSTED_PROXIES};
use crate::http::edge::Edge;
use crate::http::listen::{self, Bound};
use crate::http::ports::Port;
use crate::http::room;
use crate::logging;
use crate::pages;

/// How long running requests may go on after the server was asked to end.
const GRACE: Duration = Duration::from_secs(120);

/// With `--dev` and the value `true`, native flows may be submitted with cookies and `Origin`.
const RELAX_NATIVE: &str = "DEV_DISABLE_API_FLOW_ENFORCEMENT";

/// Its arguments.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    files: Files,
    /// Relax what keeps developers from trying things out: insecure cookies, cheap hashes
    #[arg(long)]
    dev: bool,
    /// Send messages in this process too
    #[arg(long)]
    watch_courier: bool,
    /// Accepted for compatibility; nothing is ever reported
    #[arg(long)]
    sqa_opt_out: bool,
}

/// Serves until a signal says to end.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    super::install_tls();
    let flags = Flags { dev: args.dev, watch_courier: args.watch_courier, sqa_opt_out: args.sqa_opt_out, ..Flags::default() };
    let mut sources = args.files.sources(flags);
    sources.secrets = Some(process::secrets(&sources)?);
    let loaded = config::load(&sources).map_err(Failure::of)?;
    let proxies = Proxies::named(variable(&sources, TRUSTED_PROXIES))
        .map_err(|entry| Failure::Said(format!("{TRUSTED_PROXIES}: {entry:?} is neither an address nor a network")))?;
    logging::start(&loaded.config.log);
    for warning in &loaded.warnings {
        tracing::warn!("configuration: {warning}");
    }
    room::raise_file_limit();
    process::block_on(serve(loaded, sources, proxies))
}

fn variable<'s>(sources: &'s Sources, name: &str) -> Option<&'s str> {
    sources.environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

async fn serve(loaded: Loaded, sources: Sources, proxies: Proxies) -> Result<(), Failure> {
    // From here on a signal must not end the process half way.
    let mut signals = Signals::new()?;
    tokio::select! {
        outcome = start_and_serve(loaded, sources, proxies) => outcome,
        () = signals.second() => Ok(()),
    }
}

async fn start_and_serve(loaded: Loaded, sources: Sources, proxies: Proxies) -> Result<(), Failure> {
    let Loaded { config, first_run, .. } = loaded;
    let relax_native_check = config.dev && variable(&sources, RELAX_NATIVE).is_some_and(|v| v.eq_ignore_ascii_case("true"));
    let around = process::surroundings(jsonnet::Settings::this_program().map_err(Failure::of)?, relax_native_check);
    let mut signals = Signals::new()?;
    let store = tokio::select! {
        store = process::open(config.dsn.expose()) => store?,
        () = signals.first() => return Ok(()),
    };
    process::prepare(&store, config.dsn.expose()).await?;
    let app = app::compose(config.clone(), store.clone(), around).await.map_err(Failure::of)?;
    let edge = Arc::new(Edge::new(Arc::clone(&app), proxies));
    let public = Bound::open(Port::Public, &config.serve.public).await.map_err(Failure::of)?;
    let admin = Bound::open(Port::Admin, &config.serve.admin).await.map_err(Failure::of)?;
    let mailbox = pages::mailbox_address(&config);
    let (base, public_at, admin_at) = (config.public_base_url().to_string(), public.address(), admin.address());

    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    for port in [public, admin] {
        tasks.spawn(port.run(Arc::clone(&edge), tasks.clone(), stop.clone()));
    }
    tasks.spawn(jobs::janitor(Arc::clone(&app), stop.clone()));
    tasks.spawn(hook::deliver(Arc::clone(&app), stop.clone()));
    if config.watch_courier {
        tasks.spawn(courier::run(Arc::clone(&app), stop.clone()));
    }
    let watch = app::follow(&app, sources).map_err(Failure::of)?;
    tracing::info!(public = ?public_at, admin = ?admin_at, base, "serving");
    if first_run {
        output::print(&format!("Open {base} in your browser.\n"))?;
    }
    if let Some(mailbox) = mailbox {
        output::print(&format!("Messages can be read at {mailbox}\n"))?;
    }

    signals.first().await;
    tracing::info!("ending: running requests are finished first");
    drop(watch);
    if !listen::drain(&tasks, &stop, GRACE).await {
        tracing::warn!("ending although requests are still running");
    }
    if let Err(error) = store.close().await {
        tracing::error!(%error, "the database was not closed in order");
    }
    Ok(())
}
