//! The log of this process, as text.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, Once, OnceLock};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Everything that was logged since the first call of [`Log::start`], by any test and thread.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Begins to listen, to everything of our own and to all warnings of libraries.
    pub(crate) fn start() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        static LISTENING: Once = Once::new();
        let log = LOG.get_or_init(Self::default).clone();
        LISTENING.call_once(|| {
            let filter = Targets::new().with_default(LevelFilter::WARN).with_target("portcullis", LevelFilter::TRACE);
            let writer = log.clone();
            let layer = fmt::layer().with_ansi(false).without_time().with_writer(move || writer.clone());
            tracing_subscriber::registry().with(filter).with(layer).init();
        });
        log
    }

    /// What was logged so far, without times and lengths of time: six digits of those may be anybody's code.
    pub(crate) fn text(&self) -> String {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let words = text.split(' ').filter(|word| !word.starts_with("micros="));
        words.collect::<Vec<_>>().join(" ")
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
