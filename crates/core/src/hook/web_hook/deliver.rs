//! The worker that makes calls for which nobody waits, and those that a process owed when it ended.
//!
//! A call is made at least once: it is removed only when its answer is there. A hook that answers with an error, or not at
//! all, is called again after growing pauses, and given up after [`TRIES`] tries; administrators may ask for it again. While a
//! service is left alone its calls wait without spending a try.

use std::sync::Arc;
use std::time::Duration;

use portcullis_model::clock;
use portcullis_store::hook_calls::{self, Call};
use portcullis_store::{Changes, Durability, StoreError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::outbox::Job;
use crate::app::{App, Snapshot};
use crate::courier::{pause, postponed};
use crate::jobs::rounds::{self, Work};
use crate::outbound::{Caller, Occasion, ServiceError};

/// How often a call is tried: with the pauses between, for about an hour and a half.
const TRIES: u64 = 10;
/// How often it may be begun besides, by workers that died over it.
const DEATHS: u64 = 5;
/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Makes calls until `shutdown` is cancelled; then those on their way are finished, within ten seconds.
pub async fn deliver(app: Arc<App>, shutdown: CancellationToken) {
    let worker = Arc::new(Worker::new(app));
    let bell = Arc::clone(&worker.app.hook_bell);
    rounds::work(worker, &bell, shutdown).await;
}

/// Makes all calls that are due, one after the other; gives their number. Those that fail wait for their next time.
///
/// # Errors
/// What the database says.
pub async fn deliver_due(app: &Arc<App>) -> Result<u64, StoreError> {
    let worker = Arc::new(Worker::new(Arc::clone(app)));
    let mut number = 0;
    loop {
        let claimed = worker.claim(Worker::AT_ONCE).await?;
        if claimed.is_empty() {
            return Ok(number);
        }
        for call in claimed {
            Arc::clone(&worker).begin(call).await;
            number += 1;
        }
    }
}

/// Tells the worker of this process that a call waits. To be called after the commit.
pub fn ring(app: &App) {
    app.hook_bell.notify_one();
}

struct Worker {
    app: Arc<App>,
    id: Uuid,
}

impl Worker {
    fn new(app: Arc<App>) -> Self {
        let id = clock::new_id(&*app.clock, &*app.rng);
        Self { app, id }
    }

    /// Makes one call and writes down what came of it.
    async fn handle(&self, call: &Call) {
        let snapshot = self.app.snapshot.load_full();
        let outcome = if call.send_count > TRIES + DEATHS {
            Err(Failure {
                reason: "making it was begun too often without an end".to_owned(),
                whole: None,
                is_last: true,
                later: None,
            })
        } else {
            self.make(&snapshot, call).await
        };
        let now = self.app.clock.now();
        let (place, hook, attempt) = (&call.place, &call.name, call.send_count);
        let mut changes = Changes::new();
        match outcome {
            Ok(()) => {
                hook_calls::made(&mut changes, call.id, self.id);
                tracing::info!(call = %call.id, place, hook, attempt, "web hook called");
            }
            Err(Failure { later: Some(wait), reason, .. }) => {
                hook_calls::postponed(changes.durability(Durability::Relaxed), call.id, self.id, now.plus(wait));
                tracing::debug!(call = %call.id, place, hook, reason, "web hook waits");
            }
            Err(failure) => {
                let is_last = failure.is_last || attempt >= TRIES;
                let next = (!is_last).then(|| now.plus(pause(attempt, &*self.app.rng)));
                let whole = failure.whole.as_deref().unwrap_or(&failure.reason);
                hook_calls::failed(&mut changes, call.id, self.id, next, whole, now);
                let reason = if snapshot.config.log.leak_sensitive_values { whole } else { &failure.reason };
                let then = if is_last { "given up" } else { "to be tried again" };
                tracing::warn!(call = %call.id, place, hook, attempt, reason, "web hook not called, {then}");
            }
        }
        rounds::write_down::<Self>(&self.app.store, call.id, changes).await;
    }

    async fn make(&self, snapshot: &Snapshot, call: &Call) -> Result<(), Failure> {
        let cannot = |reason: &str| Failure { reason: reason.to_owned(), whole: None, is_last: false, later: None };
        let job = Job::open(&snapshot.keys, call).ok_or_else(|| cannot("it cannot be opened with the configured secrets"))?;
        let hook = job.hook(&snapshot.config).ok_or_else(|| cannot("its configuration cannot be read"))?;
        let occasion = Occasion { id: call.id, ctx: &job.ctx, tries: 1 };
        match Caller::new(&self.app, snapshot).call(&hook.service(), &occasion).await {
            Ok(Some(answer)) if answer.status >= 400 => {
                Err(cannot(&format!("the service answered with status {}", answer.status)))
            }
            Ok(_) => Ok(()),
            Err(error) => {
                let later = match &error {
                    ServiceError::LeftAlone(why) => {
                        let age = self.app.clock.now().since(call.created_at);
                        postponed(age, why.retry_in(), &*self.app.rng)
                    }
                    _ => None,
                };
                Err(Failure { reason: error.to_string(), whole: Some(error.whole()), is_last: false, later })
            }
        }
    }
}

struct Failure {
    /// Without anything of what was to be told.
    reason: String,
    /// What administrators see, if it is more.
    whole: Option<String>,
    /// Whether trying again is of no use.
    is_last: bool,
    /// For how long it waits without having been tried.
    later: Option<Duration>,
}

impl Work for Worker {
    type Piece = Call;
    const NAME: &'static str = "web hook";
    const AT_ONCE: u32 = 8;

    fn next_round(&self) -> (u32, Duration) {
        (Self::AT_ONCE, PAUSE)
    }

    async fn claim(&self, wanted: u32) -> Result<Vec<Call>, StoreError> {
        let lease = Caller::new(&self.app, &self.app.snapshot.load()).longest();
        hook_calls::claim(&self.app.store, self.id, self.app.clock.now(), lease, wanted).await
    }

    async fn begin(self: Arc<Self>, call: Call) {
        self.handle(&call).await;
    }
}
