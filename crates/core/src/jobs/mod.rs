//! What runs beside requests: the janitor, and how work that waits in a table is taken up.

pub(crate) mod rounds;

use std::sync::Arc;
use std::time::Duration;

use portcullis_store::StoreError;
use portcullis_store::jobs::{Retention, Swept, sweep};
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// The pause between two sweeps.
const PAUSE: Duration = Duration::from_secs(5 * 60);

/// How many rows of a table a batch removes at most; slow databases get smaller ones by themselves.
const BATCH: u32 = 500;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long messages stay that were sent or given up, after they were asked for.
pub(crate) const MESSAGES_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long things stay after their time. Flows stay a day, so that whoever comes late is told that their flow expired;
/// sessions that ended stay a month, for administrators who look into something.
const KEPT: Retention = Retention {
    flows: Some(DAY),
    sessions: Some(Duration::from_secs(30 * 24 * 60 * 60)),
    errors: Some(Duration::from_secs(7 * 24 * 60 * 60)),
    codes: Some(DAY),
    parked: Some(Duration::ZERO),
    messages: Some(MESSAGES_KEPT),
    hook_calls: Some(Duration::from_secs(30 * 24 * 60 * 60)),
};

/// Removes what is past its time, now and then, until the server stops. Several servers on one database may do so at once.
pub async fn janitor(app: Arc<App>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        // Each batch is a commit of its own, so a sweep may end between any two.
        match stop.run_until_cancelled(tidy(&app)).await {
            None => return,
            Some(Ok(swept)) => tracing::debug!(?swept, "removed what was past its time"),
            Some(Err(error)) => tracing::warn!(%error, "what is past its time was not removed"),
        }
    }
}

/// Removes what is past its time now, and gives the room that it took back to the disk.
///
/// # Errors
/// What the database says. What was removed before stays removed.
pub async fn tidy(app: &App) -> Result<Swept, StoreError> {
    let swept = sweep(&app.store, app.clock.now(), &KEPT, BATCH).await?;
    app.store.give_back().await?;
    Ok(swept)
}
