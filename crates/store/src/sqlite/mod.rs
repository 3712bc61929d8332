//! The SQLite driver: one thread writes, any thread reads.
//!
//! All changes go through one writer thread that commits many of them at once (see [`writer`]); short reads run at once
//! on the caller's thread (see [`readers`]); a thread of its own moves the write-ahead log into the file (see
//! [`checkpoint`]). Invariant: nothing is answered before it is committed, and no read holds a snapshot while it waits.

pub(crate) mod backup;
mod checkpoint;
mod connection;
pub(crate) mod damage;
mod folder;
#[cfg(test)]
mod full_tests;
mod inserts;
mod readers;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::changes::{Changes, Committed};
use crate::dialect::{Dialect, Kind, Query};
use crate::failure::StoreError;
use crate::migrations::Step;
use crate::value::{Row, Value};
pub(crate) use connection::failure;
use connection::{Place, query};
use folder::PrivateFolder;
use readers::Readers;
use writer::{Job, Writer};

/// How many requests wait for the writer before new ones wait to be let in.
const QUEUE: usize = 1024;
/// How many long reads run at once.
const LONG_READS: usize = 3;
/// Free pages (4 KiB each) that a file keeps at least, for what is written next.
const FREE_KEPT: i64 = 256;
/// Pages that are given back in one step: a few milliseconds of the writer's time.
const GIVEN_AT_ONCE: i64 = 256;
/// How much of the file short reads map into memory, in bytes: enough for small databases, and little enough to be idle
/// with.
const MAPPED: i64 = 8 << 20;

/// A SQLite database.
#[derive(Debug)]
pub(crate) struct Sqlite {
    jobs: mpsc::Sender<Job>,
    short: Readers,
    long: Arc<Readers>,
    long_reads: Semaphore,
    wal_pages: Arc<AtomicU32>,
    /// Whether the last group of changes found no room on the disk.
    full: Arc<AtomicBool>,
    /// The last field: removed after everything else is dropped.
    folder: Option<PrivateFolder>,
}

impl Sqlite {
    /// Opens the file, and makes it if `create` says so; `None` is a private database in memory.
    pub(crate) fn open(path: Option<PathBuf>, busy_timeout: Duration, create: bool) -> Result<Self, StoreError> {
        if let Some(path) = path.as_ref().filter(|path| !create && !path.exists()) {
            return Err(StoreError::Unavailable(format!("there is no file {}", path.display())));
        }
        let folder = if path.is_none() { Some(PrivateFolder::make()?) } else { None };
        let path = match (path, &folder) {
            (Some(path), _) => path,
            (None, Some(folder)) => folder.path().join("db.sqlite"),
            (None, None) => return Err(StoreError::Unavailable("no place for the database".into())),
        };
        let dialect = Arc::new(Dialect::new(Kind::Sqlite));
        let place = Place { path, lasting: folder.is_none(), busy_timeout };
        let wal_pages = Arc::new(AtomicU32::new(0));
        let (jobs, queue) = mpsc::channel(QUEUE);
        let full = Arc::new(AtomicBool::new(false));
        let told = writer::Told { wal_pages: Arc::clone(&wal_pages), full: Arc::clone(&full) };
        Writer::start(&place, Arc::clone(&dialect), queue, jobs.downgrade(), told)?;
        let cores = std::thread::available_parallelism().map_or(4, std::num::NonZero::get);
        let short = Readers::new(place.clone(), Arc::clone(&dialect), cores.clamp(2, 16), MAPPED);
        let long = Arc::new(Readers::new(place, dialect, LONG_READS, 0));
        Ok(Self { jobs, short, long, long_reads: Semaphore::new(LONG_READS), wal_pages, full, folder })
    }

    /// Commits each of the changes by itself, all in one group.
    pub(crate) async fn commit(&self, changes: Vec<Changes>) -> Vec<Result<Committed, StoreError>> {
        let count = changes.len();
        let (reply, answer) = oneshot::channel();
        let sent = self.jobs.send(Job::Commit(writer::Commit { changes, reply })).await;
        let answered = if sent.is_ok() { answer.await.ok() } else { None };
        answered.unwrap_or_else(|| vec![Err(closed()); count])
    }

    /// Reads on this thread: for short, indexed reads.
    pub(crate) fn read(&self, queries: &[Query]) -> Result<Vec<Vec<Row>>, StoreError> {
        self.short.read(queries)
    }

    /// Reads on a thread of its own: for lists.
    pub(crate) async fn read_long(&self, queries: Vec<Query>) -> Result<Vec<Vec<Row>>, StoreError> {
        let _permit = self.long_reads.acquire().await.map_err(|_| closed())?;
        let readers = Arc::clone(&self.long);
        match tokio::task::spawn_blocking(move || readers.read(&queries)).await {
            Ok(rows) => rows,
            Err(_) => Err(StoreError::Unavailable("a read was broken off".into())),
        }
    }

    /// If the disk was full when last something was to be committed: whether there is room again. It is found out by writing,
    /// since a server that is not ready may get no other writes.
    pub(crate) async fn has_room(&self) -> Result<(), StoreError> {
        if !self.full.load(Ordering::Relaxed) {
            return Ok(());
        }
        let full = Arc::clone(&self.full);
        self.run(move |connection| {
            // A number that nobody uses is set to what it is: that rewrites a page all the same.
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failure)?;
            let number: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failure)?;
            transaction.pragma_update(None, "user_version", number).map_err(failure)?;
            transaction.commit().map_err(failure)?;
            writer::tell_room(&full);
            Ok(())
        })
        .await
    }

    /// Takes a step of a migration in a transaction. Tells whether there was anything to do.
    pub(crate) async fn migrate(&self, step: &Step) -> Result<bool, StoreError> {
        let step = *step;
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failure)?;
            transaction.execute_batch(&Kind::Sqlite.translate(Step::TABLE)).map_err(failure)?;
            let query = |sql, args: &[Value]| query(&transaction, &Kind::Sqlite.translate(sql), args).map_err(failure);
            let applied = !query(Step::APPLIED, &[Value::Int(step.version)])?.is_empty();
            if applied == step.up {
                return Ok(false);
            }
            transaction.execute_batch(&Kind::Sqlite.translate(step.script)).map_err(failure)?;
            query(step.record(), &step.record_args())?;
            transaction.commit().map_err(failure)?;
            Ok(true)
        })
        .await
    }

    /// Gives room that nothing is stored in any more back to the disk, in steps between which others get their turn. As
    /// much as a quarter of the file may stay free: what is written next needs it.
    pub(crate) async fn give_back(&self) -> Result<(), StoreError> {
        let mut shrunk = false;
        while self.run(give_back_some).await? {
            shrunk = true;
        }
        if shrunk {
            self.run(|connection| checkpoint::checkpoint(connection, "PASSIVE").map(drop)).await?;
        }
        Ok(())
    }

    /// Runs work of the crate itself on the writer, between groups.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Run(Box::new(move |connection| {
            // Nobody waits any more: the work is done all the same.
            let _ = reply.send(work(connection));
        }));
        self.jobs.send(job).await.map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Commits what waits, moves the log into the file, and closes all connections. Later calls fail.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        self.short.close();
        self.long.close();
        let (reply, answer) = oneshot::channel();
        if self.jobs.send(Job::Close(reply)).await.is_err() {
            return Ok(());
        }
        let outcome = answer.await.unwrap_or(Ok(()));
        if let Some(folder) = &self.folder {
            folder.remove();
        }
        outcome
    }

    /// Pages in the write-ahead log after the last commit.
    pub(crate) fn wal_pages(&self) -> u32 {
        self.wal_pages.load(Ordering::Relaxed)
    }

    /// Changes that wait for the writer.
    pub(crate) fn waiting(&self) -> usize {
        self.jobs.max_capacity().saturating_sub(self.jobs.capacity())
    }
}

/// One step of giving room back. Tells whether there may be more to give.
fn give_back_some(connection: &mut Connection) -> Result<bool, StoreError> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(failure);
    let (all, free) = (number("page_count")?, number("freelist_count")?);
    if free <= (all / 4).max(FREE_KEPT) {
        return Ok(false);
    }
    query(connection, &format!("PRAGMA incremental_vacuum({GIVEN_AT_ONCE})"), &[]).map_err(failure)?;
    // A file that was made without this ability gives nothing back, however often it is asked.
    Ok(number("freelist_count")? < free)
}

fn closed() -> StoreError {
    StoreError::Unavailable("the database was closed".into())
}
