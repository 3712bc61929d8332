//! Moves what is in the write-ahead log into the database file, beside the requests.
//!
//! The writer tells when the log is long. A passive checkpoint gets in nobody's way; it cannot make the log start over
//! while commits go on, so a log that grew too long all the same is handed back to the writer, which does the little
//! that is left between two groups.

use std::sync::mpsc::Receiver;

use rusqlite::Connection;
use tokio::sync::mpsc::WeakSender;

use super::connection::failure;
use super::writer::Job;
use crate::failure::StoreError;

/// From this many pages in the log on (4 KiB each), it is moved.
pub(super) const MOVE_FROM: u32 = 1000;
/// The same while large groups are written.
pub(super) const MOVE_BULK_FROM: u32 = 8000;
/// From this many pages on, the writer makes the log start over.
const TOO_LONG: i64 = 8000;

/// Runs until the writer is gone.
pub(super) fn run(connection: &Connection, wanted: &Receiver<()>, writer: &WeakSender<Job>) {
    while wanted.recv().is_ok() {
        match checkpoint(connection, "PASSIVE") {
            Ok(pages) if pages > TOO_LONG => {
                if let Some(writer) = writer.upgrade() {
                    // A full queue means that the writer has enough to do; the next round asks again.
                    let _ = writer.try_send(Job::StartLogOver);
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "a checkpoint failed"),
        }
    }
}

/// Runs a checkpoint, and tells how many pages the log had.
pub(super) fn checkpoint(connection: &Connection, mode: &'static str) -> Result<i64, StoreError> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(1)).map_err(failure)
}
