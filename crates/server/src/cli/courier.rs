//! `courier watch`: a process that only sends messages, beside servers that share its database.

use std::sync::Arc;

use clap::Subcommand;
use portcullis_core::config::serve::Serve;
use portcullis_core::config::{self, Config, Flags, Live, Loaded, Sources};
use portcullis_core::{courier, jsonnet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::process::{self, Signals};
use super::source::Files;
use super::{Failure, print_help};
use crate::app;
use crate::http::admin;
use crate::http::client::Proxies;
use crate::http::edge::Edge;
use crate::http::listen::Bound;
use crate::http::ports::Port;
use crate::http::table::Table;
use crate::logging;

/// Its arguments.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Send messages until told to stop
    Watch(Watch),
}

#[derive(clap::Args)]
struct Watch {
    #[command(flatten)]
    files: Files,
    /// Serve /metrics/prometheus on this port of serve.admin.host; 0: not at all
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    expose_metrics_port: u16,
}

/// Runs the subcommand.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Some(Command::Watch(watch)) => run_watch(watch),
        None => print_help(&["courier"]),
    }
}

fn run_watch(args: &Watch) -> Result<(), Failure> {
    super::install_tls();
    let mut sources = args.files.sources(Flags::default());
    if sources.is_first_run() {
        sources.secrets = Some(process::secrets(&sources)?);
    }
    let loaded = config::load(&sources).map_err(Failure::of)?;
    may_read_messages(&loaded.config)?;
    logging::start(&loaded.config.log);
    for warning in &loaded.warnings {
        tracing::warn!("configuration: {warning}");
    }
    if loaded.config.dsn.expose() == "memory" {
        tracing::warn!("dsn is memory: this process has a database of its own, and no server puts messages into it");
    }
    process::block_on(watch(loaded, sources, args.expose_metrics_port))
}

/// Messages are encrypted. Secrets that a server made up for itself cannot open them here, and every message would be tried
/// and given up.
fn may_read_messages(config: &Config) -> Result<(), Failure> {
    if config.secrets.default.is_empty() && config.secrets.cookie.is_empty() {
        return Err(Failure::Said(
            "secrets.default is not set: messages are encrypted by it, and a courier of its own must have the servers' secrets"
                .to_owned(),
        ));
    }
    Ok(())
}

async fn watch(loaded: Loaded, sources: Sources, metrics_port: u16) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let config = loaded.config;
    let store = tokio::select! {
        store = process::open(config.dsn.expose()) => store?,
        () = signals.first() => return Ok(()),
    };
    process::prepare(&store, config.dsn.expose()).await?;
    let around = process::surroundings(jsonnet::Settings::this_program().map_err(Failure::of)?, false);
    let app = app::compose(config.clone(), store.clone(), around).await.map_err(Failure::of)?;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    if metrics_port != 0 {
        let edge = Edge::with_tables(Arc::clone(&app), Proxies::default(), Table::new([]), Table::new(admin::process_rows()));
        let port = metrics(&config.serve, metrics_port).await?;
        tracing::info!(metrics = ?port.address(), "serving metrics");
        tasks.spawn(port.run(Arc::new(edge), tasks.clone(), stop.clone()));
    }
    tasks.spawn(courier::run(Arc::clone(&app), stop.clone()));
    let following = app::follow(&app, Arc::new(Live::new(config)), sources).map_err(Failure::of)?;
    tracing::info!("sending messages");

    signals.first().await;
    tracing::info!("ending: messages on their way are finished first");
    drop(following);
    stop.cancel();
    tasks.close();
    tokio::select! {
        () = tasks.wait() => {}
        () = signals.first() => {}
    }
    if let Err(error) = store.close().await {
        tracing::error!(%error, "the database was not closed in order");
    }
    Ok(())
}

/// The port for metrics: at the admin port's interface, with its certificate.
async fn metrics(serve: &Serve, port: u16) -> Result<Bound, Failure> {
    let mut listener = serve.admin.clone();
    listener.port = port;
    if listener.socket_path().is_some() {
        return Err(Failure::Said("serve.admin.host is a socket file: there is no interface for a metrics port".to_owned()));
    }
    Bound::open(Port::Admin, &listener).await.map_err(Failure::of)
}
