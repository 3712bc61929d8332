//! Jsonnet: the small programs by which operators shape claims, identities and web hook bodies.
//!
//! They are evaluated in processes of their own, with bounds on memory, processor time and waiting, so that no snippet
//! takes the server down. A [`Jsonnet`] starts such workers when they are needed, replaces those that crash or hang, and
//! ends those that have nothing to do. The worker is the server's own binary: its hidden command calls [`worker_main`].

mod evaluate;
mod format;
mod worker;

pub use evaluate::check;
pub use format::format;
pub use worker::worker_main;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The longest answer of a worker, in bytes.
const MAX_ANSWER_LENGTH: usize = 4 * 1024 * 1024;

/// How workers are started and bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The program that calls [`worker_main`].
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// How many workers there are at most.
    pub workers: usize,
    /// How long one evaluation may take, and how long it may wait for a worker.
    pub limit: Duration,
    /// How long a worker without work is kept.
    pub idle: Duration,
}

impl Settings {
    /// This very program with the hidden command `jsonnet`.
    ///
    /// # Errors
    /// If the system does not tell where the program is.
    pub fn this_program() -> std::io::Result<Self> {
        // On Linux this link leads to the running program even after the file was replaced by a newer version.
        let program = if cfg!(target_os = "linux") { PathBuf::from("/proc/self/exe") } else { std::env::current_exe()? };
        Ok(Self {
            program,
            arguments: vec!["jsonnet".into()],
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            limit: Duration::from_secs(5),
            idle: Duration::from_secs(60),
        })
    }
}

/// What a snippet is told.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Input<'a> {
    /// The values of `std.extVar`.
    pub variables: &'a [(&'a str, &'a Value)],
    /// The argument for a snippet that is a function.
    pub ctx: Option<&'a Value>,
}

/// Why a snippet has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonnetError {
    /// The snippet is wrong, or fails for this input.
    #[error("the Jsonnet snippet failed: {0}")]
    Snippet(String),
    /// It took too long.
    #[error("the Jsonnet snippet took too long")]
    TimedOut,
    /// It used more memory than allowed, or nested too deeply.
    #[error("the Jsonnet snippet used too much memory")]
    Crashed,
    /// Its value is too long or nested too deeply.
    #[error("the value of the Jsonnet snippet is too large")]
    TooLarge,
    /// All workers are busy.
    #[error("too many Jsonnet snippets are being evaluated")]
    Busy,
    /// No worker can be started.
    #[error("no Jsonnet worker can be started: {0}")]
    Start(String),
}

impl JsonnetError {
    /// Whether the snippet ended itself by `error` with just this word.
    #[must_use]
    pub fn says(&self, word: &str) -> bool {
        let Self::Snippet(reason) = self else { return false };
        // The place follows the snippet's own words.
        reason.strip_prefix(word).is_some_and(|rest| {
            rest.is_empty() || rest.strip_prefix(" on line ").is_some_and(|line| line.bytes().all(|b| b.is_ascii_digit()))
        })
    }
}

/// What goes to a worker: 4 bytes of length (big endian), then this as JSON.
#[derive(Serialize)]
struct Question<'a> {
    snippet: &'a str,
    #[serde(flatten)]
    input: Input<'a>,
}

/// What comes back, in the same framing.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Value(Value),
    Error(String),
}

/// Evaluates snippets. Cheap to clone.
#[derive(Clone)]
pub struct Jsonnet {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    permits: Semaphore,
    resting: Mutex<Resting>,
}

#[derive(Default)]
struct Resting {
    workers: Vec<(Worker, Instant)>,
    /// Whether a task is looking after them.
    watched: bool,
}

impl fmt::Debug for Jsonnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jsonnet").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

impl Jsonnet {
    /// Starts nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let permits = Semaphore::new(settings.workers.max(1));
        Self { shared: Arc::new(Shared { settings, permits, resting: Mutex::default() }) }
    }

    /// The value of a snippet. If the snippet is a function it is called with `ctx`.
    ///
    /// # Errors
    /// If the snippet fails, takes too much time or memory, or no worker is to be had.
    pub async fn evaluate(&self, snippet: &str, input: Input<'_>) -> Result<Value, JsonnetError> {
        let question = serde_json::to_vec(&Question { snippet, input }).map_err(|e| JsonnetError::Snippet(e.to_string()))?;
        let limit = self.shared.settings.limit;
        let permit = timeout(limit, self.shared.permits.acquire()).await.map_err(|_| JsonnetError::Busy)?;
        let _permit = permit.map_err(|_| JsonnetError::Busy)?;
        if let Some(worker) = self.shared.rested() {
            match self.ask(worker, &question).await {
                // It may have ended while it rested; a new one will tell.
                Err(JsonnetError::Crashed) => {}
                outcome => return outcome,
            }
        }
        let worker = Worker::start(&self.shared.settings)?;
        self.ask(worker, &question).await
    }

    /// Asks one worker, which rests afterwards if it is sound and is killed otherwise.
    async fn ask(&self, mut worker: Worker, question: &[u8]) -> Result<Value, JsonnetError> {
        let limit = self.shared.settings.limit;
        let answer = timeout(limit, worker.ask(question)).await.map_err(|_| JsonnetError::TimedOut)??;
        // What cannot be read is nested beyond what JSON readers take; the worker is sound.
        let answer = serde_json::from_slice(&answer).map_err(|_| JsonnetError::TooLarge);
        self.rest(worker);
        match answer? {
            Answer::Value(value) => Ok(value),
            Answer::Error(reason) => Err(JsonnetError::Snippet(reason)),
        }
    }

    fn rest(&self, worker: Worker) {
        let mut resting = self.shared.lock();
        resting.workers.push((worker, Instant::now()));
        if resting.watched {
            return;
        }
        resting.watched = true;
        let (shared, idle) = (Arc::downgrade(&self.shared), self.shared.settings.idle);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(idle.max(Duration::from_millis(10)) / 2).await;
                let Some(shared) = shared.upgrade() else { return };
                let mut resting = shared.lock();
                resting.workers.retain(|(_, since)| since.elapsed() < idle);
                if resting.workers.is_empty() {
                    resting.watched = false;
                    return;
                }
            }
        });
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Resting> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker that rested last: the others may then be idle long enough to end.
    fn rested(&self) -> Option<Worker> {
        self.lock().workers.pop().map(|(worker, _)| worker)
    }
}

/// A running process, killed when dropped.
struct Worker {
    _process: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Worker {
    fn start(settings: &Settings) -> Result<Self, JsonnetError> {
        let mut command = Command::new(&settings.program);
        command
            .args(&settings.arguments)
            // The environment may hold passwords, and the terminal's signals are for the server.
            .env_clear()
            // Keeps the allocator of the server's binary from setting aside more than the worker may use.
            .env("MIMALLOC_ARENA_RESERVE", "16384")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let mut process = command.spawn().map_err(|e| JsonnetError::Start(e.to_string()))?;
        match (process.stdin.take(), process.stdout.take()) {
            (Some(input), Some(output)) => Ok(Self { _process: process, input, output }),
            _ => Err(JsonnetError::Start("no pipes".to_owned())),
        }
    }

    async fn ask(&mut self, question: &[u8]) -> Result<Vec<u8>, JsonnetError> {
        let length = u32::try_from(question.len()).map_err(|_| JsonnetError::TooLarge)?;
        let gone = |_| JsonnetError::Crashed;
        self.input.write_all(&length.to_be_bytes()).await.map_err(gone)?;
        self.input.write_all(question).await.map_err(gone)?;
        self.input.flush().await.map_err(gone)?;
        let length = usize::try_from(self.output.read_u32().await.map_err(gone)?).unwrap_or(usize::MAX);
        if length > MAX_ANSWER_LENGTH {
            return Err(JsonnetError::TooLarge);
        }
        let mut answer = vec![0; length];
        self.output.read_exact(&mut answer).await.map_err(gone)?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::settings as test_settings;
