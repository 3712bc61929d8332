//! The log: one line for each event on standard error, as text or JSON, as much as `log.level` asks for.

use portcullis_core::config::log::{Log, LogFormat, LogLevel};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

/// Starts logging. Libraries are heard from `warn` on, and wholly at `trace`. A second call changes nothing.
pub fn start(log: &Log) {
    let own = level(log.level);
    let others = if own == LevelFilter::TRACE { own } else { own.min(LevelFilter::WARN) };
    let filter = Targets::new().with_default(others).with_target("portcullis", own);
    let to_stderr = fmt::layer().with_writer(std::io::stderr);
    let layer = match log.format {
        LogFormat::Json => to_stderr.json().flatten_event(true).with_filter(filter).boxed(),
        LogFormat::Text => to_stderr.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).with_filter(filter).boxed(),
    };
    // It fails only where a subscriber is set already, as in tests.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error | LogLevel::Fatal | LogLevel::Panic => LevelFilter::ERROR,
    }
}
