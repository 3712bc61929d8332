//! The threads that hash passwords.
//!
//! They are few, run at a lower priority than those that answer requests, and have a bounded queue: whoami stays fast
//! while people sign in, and a flood of sign-ins is refused at once instead of piling up. Clients are served in turn,
//! and none may hold more than a share of the queue. What nobody waits for any more is not computed.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portcullis_model::clock::Rng;
use tokio::sync::oneshot;

use super::{HashError, HashSettings, StoredHash, hash};
use crate::crypto::secrets::Secret;

/// For whom a password is hashed: what the queue is shared out by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// A person's address. Of IPv6 the first 64 bits count, which is what one household gets.
    Address(IpAddr),
    /// Somebody at the admin API, or the server itself.
    Operator,
}

impl Client {
    fn key(self) -> u128 {
        match self {
            Self::Address(IpAddr::V4(v4)) => v4.to_ipv6_mapped().to_bits(),
            Self::Address(IpAddr::V6(v6)) => {
                v6.to_ipv4_mapped().map_or(v6.to_bits() >> 64 << 64, |v4| v4.to_ipv6_mapped().to_bits())
            }
            // The unspecified address is nobody's.
            Self::Operator => 0,
        }
    }
}

/// How much a pool takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Threads that hash; at least one.
    pub threads: usize,
    /// Passwords that may wait.
    pub queue: usize,
    /// How many of them may be of one client.
    pub share: usize,
    /// The longest expected wait; beyond it newcomers are refused.
    pub wait: Duration,
}

impl Default for Limits {
    /// All processors but one, 256 waiting, half of them one client's, half a minute.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads: processors.saturating_sub(1).max(1), queue: 256, share: 128, wait: Duration::from_secs(30) }
    }
}

/// Why the pool gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// Too much is waiting already. HTTP: 503 with `Retry-After`.
    #[error("too many passwords are waiting to be hashed")]
    Busy {
        /// When another attempt makes sense.
        retry_after: Duration,
    },
    /// The password cannot be hashed.
    #[error(transparent)]
    Hash(HashError),
    /// The server is stopping, or hashing failed in a way that should not exist.
    #[error("the password was not hashed")]
    Stopped,
}

/// The outcome of checking a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whether it fits.
    pub ok: bool,
    /// Whether it fits and its hash should be replaced, since the configured hasher does not make such hashes.
    pub needs_rehash: bool,
}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    /// Who waits, in the order of their turns; nobody is in it without a job.
    turns: VecDeque<(u128, VecDeque<Job>)>,
    waiting: usize,
    running: usize,
    /// Jobs that were taken in since the start.
    taken_in: u64,
    /// A moving average of what a job takes, in microseconds.
    usual: u64,
    closed: bool,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    limits: Limits,
}

/// A pool of hashing threads; they end when it is dropped.
pub struct Pool {
    shared: Arc<Shared>,
    rng: Arc<dyn Rng>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}

impl Pool {
    /// Starts the threads. `rng` makes the salts.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn new(limits: Limits, rng: Arc<dyn Rng>) -> std::io::Result<Self> {
        let pool = Self { shared: Arc::new(Shared { state: Mutex::default(), wake: Condvar::new(), limits }), rng };
        for number in 0..limits.threads.max(1) {
            let shared = Arc::clone(&pool.shared);
            std::thread::Builder::new().name(format!("hash-{number}")).spawn(move || shared.work())?;
        }
        Ok(pool)
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// If the pool is busy or the password cannot be hashed.
    pub async fn hash(&self, settings: &HashSettings, password: Secret, client: Client) -> Result<String, PoolError> {
        let (settings, rng) = (*settings, Arc::clone(&self.rng));
        self.run(client, move || hash(&settings, &*rng, &password)).await?.map_err(PoolError::Hash)
    }

    /// Checks a password against a stored hash. A hash that cannot be read fits no password, but takes its time.
    ///
    /// # Errors
    /// If the pool is busy.
    pub async fn verify(
        &self,
        settings: &HashSettings,
        stored: String,
        password: Secret,
        client: Client,
    ) -> Result<Verified, PoolError> {
        let settings = *settings;
        self.run(client, move || match StoredHash::parse(&stored, &settings) {
            Ok(stored) => {
                let ok = stored.verify(password.expose().as_bytes());
                Verified { ok, needs_rehash: ok && !stored.is_of(&settings) }
            }
            Err(error) => {
                tracing::warn!(%error, "a stored password hash cannot be checked: whoever has it needs another password");
                waste(&settings);
                Verified { ok: false, needs_rehash: false }
            }
        })
        .await
    }

    /// Hashes something for nothing, so that somebody unknown waits as long as somebody known, in the same queue.
    ///
    /// # Errors
    /// If the pool is busy.
    pub async fn dummy(&self, settings: &HashSettings, client: Client) -> Result<(), PoolError> {
        let settings = *settings;
        self.run(client, move || waste(&settings)).await
    }

    /// How many passwords are waiting or being hashed now.
    #[must_use]
    pub fn load(&self) -> usize {
        let state = self.shared.lock();
        state.waiting + state.running
    }

    /// How many hashes were asked for since the start: those that were refused for want of room do not count.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.shared.lock().taken_in
    }

    async fn run<T: Send + 'static>(&self, client: Client, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PoolError> {
        let (answer, wait) = oneshot::channel();
        let job = Box::new(move || {
            // Whoever asked may have hung up.
            if !answer.is_closed() {
                let _ = answer.send(work());
            }
        });
        self.shared.enqueue(client.key(), job)?;
        wait.await.map_err(|_| PoolError::Stopped)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        state.turns.clear();
        state.waiting = 0;
        drop(state);
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Jobs run outside the lock, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, client: u128, job: Job) -> Result<(), PoolError> {
        let mut state = self.lock();
        if state.closed {
            return Err(PoolError::Stopped);
        }
        let threads = u32::try_from(self.limits.threads.max(1)).unwrap_or(u32::MAX);
        let ahead = u32::try_from(state.waiting + state.running).unwrap_or(u32::MAX);
        let expected = Duration::from_micros(state.usual).saturating_mul(ahead) / threads;
        let turn = state.turns.iter().position(|(key, _)| *key == client);
        let own = turn.and_then(|t| state.turns.get(t)).map_or(0, |(_, jobs)| jobs.len());
        if state.waiting >= self.limits.queue || own >= self.limits.share || expected > self.limits.wait {
            return Err(PoolError::Busy { retry_after: expected.max(Duration::from_secs(1)) });
        }
        match turn.and_then(|t| state.turns.get_mut(t)) {
            Some((_, jobs)) => jobs.push_back(job),
            None => state.turns.push_back((client, VecDeque::from([job]))),
        }
        state.waiting += 1;
        state.taken_in += 1;
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// What a thread does until the pool is dropped.
    fn work(&self) {
        lower_priority();
        let mut state = self.lock();
        while !state.closed {
            let Some(job) = state.next() else {
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.running += 1;
            drop(state);
            let start = Instant::now();
            // A panic in a hash function must not take a thread away; the waiting side sees that no answer comes.
            let outcome = catch_unwind(AssertUnwindSafe(job));
            let took = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
            if outcome.is_err() {
                tracing::error!("hashing a password panicked");
            }
            state = self.lock();
            state.running -= 1;
            state.usual = if state.usual == 0 { took } else { (state.usual / 8).saturating_mul(7).saturating_add(took / 8) };
        }
    }
}

impl State {
    /// The job whose turn it is.
    fn next(&mut self) -> Option<Job> {
        let (client, mut jobs) = self.turns.pop_front()?;
        let job = jobs.pop_front();
        if !jobs.is_empty() {
            self.turns.push_back((client, jobs));
        }
        self.waiting = self.waiting.saturating_sub(usize::from(job.is_some()));
        job
    }
}

/// A salt for hashes that nobody keeps.
struct NoChance;

impl Rng for NoChance {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0x5a);
    }
}

fn waste(settings: &HashSettings) {
    let _ = std::hint::black_box(hash(settings, &NoChance, &Secret::from("a password that nobody has")));
}

/// On Linux a thread has a priority of its own; elsewhere the whole process would be slowed down.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(10) {
        tracing::debug!(%error, "the hashing threads run at normal priority");
    }
}

#[cfg(test)]
mod tests;
