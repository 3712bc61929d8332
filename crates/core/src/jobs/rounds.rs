//! Work that waits in a table: taken up in rounds, several pieces at once, beside requests.
//!
//! A piece is claimed for a limited time, so several processes on one database never do it at once, and one that dies only
//! delays its pieces. Each stands for itself: none waits for or fails with another.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use portcullis_store::{Changes, Store, StoreError};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The pause after the database failed, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long pieces on their way may take when the process is to end.
const FAREWELL: Duration = Duration::from_secs(10);
/// How often writing down an outcome is tried.
const REPORTS: u32 = 6;

/// Work that waits in a table.
pub(crate) trait Work: Send + Sync + 'static {
    /// A piece of it, claimed.
    type Piece: Send + 'static;
    /// What a piece is called in the log, such as `message`.
    const NAME: &'static str;
    /// How many pieces are done at once.
    const AT_ONCE: u32;

    /// How many pieces are wanted at most, and how long to wait when there are none. Asked before each round.
    fn next_round(&self) -> (u32, Duration);

    /// Takes up to so many pieces that are due.
    fn claim(&self, wanted: u32) -> impl Future<Output = Result<Vec<Self::Piece>, StoreError>> + Send;

    /// Begins a piece. It is called in the order in which they were claimed; what it gives is waited for beside the others.
    fn begin(self: Arc<Self>, piece: Self::Piece) -> impl Future<Output = ()> + Send + 'static;

    /// Called when nothing is on its way.
    fn rest(&self) {}
}

/// Works until `shutdown` is cancelled; then what is on its way is finished, within ten seconds. The bell begins a round at
/// once.
pub(crate) async fn work<W: Work>(work: Arc<W>, bell: &Notify, shutdown: CancellationToken) {
    let mut on_their_way = JoinSet::new();
    let mut pause_after_failure = Duration::ZERO;
    while !shutdown.is_cancelled() {
        while on_their_way.try_join_next().is_some() {}
        if on_their_way.is_empty() {
            work.rest();
        }
        let free = W::AT_ONCE.saturating_sub(u32::try_from(on_their_way.len()).unwrap_or(W::AT_ONCE));
        let (most, pause) = work.next_round();
        let wanted = free.min(most);
        let mut wait = pause.max(Duration::from_millis(10));
        let claimed = if wanted == 0 { Ok(Vec::new()) } else { work.claim(wanted).await };
        match claimed {
            Ok(claimed) => {
                pause_after_failure = Duration::ZERO;
                let may_be_more = wanted > 0 && claimed.len() >= usize::try_from(wanted).unwrap_or(usize::MAX);
                for piece in claimed {
                    on_their_way.spawn(Arc::clone(&work).begin(piece));
                }
                if may_be_more && wanted < free {
                    continue;
                }
            }
            Err(error) => {
                pause_after_failure = (pause_after_failure * 2).clamp(wait, LONGEST_PAUSE.max(wait));
                wait = pause_after_failure;
                tracing::error!(%error, what = W::NAME, "the outbox cannot be read");
            }
        }
        let is_full = on_their_way.len() >= usize::try_from(W::AT_ONCE).unwrap_or(usize::MAX);
        tokio::select! {
            () = shutdown.cancelled() => {}
            // With all hands full the bell and the clock change nothing; a free hand does.
            _ = on_their_way.join_next(), if is_full => {}
            () = bell.notified(), if !is_full => {}
            () = tokio::time::sleep(wait), if !is_full => {}
        }
    }
    let finished = async { while on_their_way.join_next().await.is_some() {} };
    if tokio::time::timeout(FAREWELL, finished).await.is_err() {
        tracing::warn!(what = W::NAME, "some were left on their way: they will be taken up again once their lease is over");
    }
}

/// Writes down an outcome. It is worth some patience: what is not written down is done again.
pub(crate) async fn write_down<W: Work>(store: &Store, id: Uuid, changes: Changes) {
    let mut pause = Duration::from_millis(100);
    for _ in 0..REPORTS {
        match store.commit(changes.clone()).await {
            Ok(_) => return,
            Err(error) if error.is_conflict() => {
                tracing::warn!(%id, what = W::NAME, "another worker took it over meanwhile");
                return;
            }
            Err(error) => tracing::error!(%id, what = W::NAME, %error, "what came of it cannot be written down"),
        }
        tokio::time::sleep(pause).await;
        pause *= 3;
    }
}
