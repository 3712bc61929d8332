//! The writer: one thread that takes all changes that wait, commits them together, and only then answers.
//!
//! Each member of a group runs in a savepoint of its own, so that one that fails leaves the others alone. What hits the
//! database as a whole (busy, full, broken) undoes the group and is everybody's answer. A group is as durable as its
//! most demanding member. With many writers waiting, one synced commit serves all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::{self, MOVE_FROM, checkpoint};
use super::connection::{Place, execute, failure, query};
use crate::changes::{Changes, Committed, Durability};
use crate::dialect::Dialect;
use crate::failure::StoreError;

/// The most changes in a group.
const GROUP_CHANGES: usize = 256;
/// The most bytes of arguments in a group.
const GROUP_BYTES: usize = 4 << 20;

/// How long the writer waits for readers that keep the log from starting over.
const START_OVER_WAIT: Duration = Duration::from_millis(20);

type Work = Box<dyn FnOnce(&mut Connection) + Send>;
type Answers = Vec<Result<Committed, StoreError>>;

/// Changes to be committed, each by itself.
pub(super) struct Commit {
    pub(super) changes: Vec<Changes>,
    pub(super) reply: oneshot::Sender<Answers>,
}

/// Something for the writer to do.
pub(super) enum Job {
    Commit(Commit),
    /// Work of the crate itself.
    Run(Work),
    /// Finish a checkpoint, so that the log starts over.
    StartLogOver,
    /// Finish and stop.
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// What the writer tells others without being asked.
pub(super) struct Told {
    /// Pages in the write-ahead log after the last commit.
    pub(super) wal_pages: Arc<AtomicU32>,
    /// Whether the last group found no room on the disk.
    pub(super) full: Arc<AtomicBool>,
}

/// Notes that something could be written, and logs it if that was not so before.
pub(super) fn tell_room(full: &AtomicBool) {
    if full.swap(false, Ordering::Relaxed) {
        tracing::info!("the disk of the database has room again: changes are saved");
    }
}

/// The thread's own things.
pub(super) struct Writer {
    connection: Connection,
    dialect: Arc<Dialect>,
    jobs: mpsc::Receiver<Job>,
    lasting: bool,
    busy_timeout: Duration,
    /// What `PRAGMA synchronous` is set to.
    synced: Durability,
    told: Told,
    checkpoint: Option<(SyncSender<()>, JoinHandle<()>)>,
}

impl Writer {
    /// Opens the database and starts the writer's and the checkpointer's threads. They end after [`Job::Close`], or when
    /// nobody can send jobs any more.
    pub(super) fn start(
        place: &Place,
        dialect: Arc<Dialect>,
        jobs: mpsc::Receiver<Job>,
        own: mpsc::WeakSender<Job>,
        told: Told,
    ) -> Result<(), StoreError> {
        let mut connection = place.open_writing()?;
        let pages = Arc::clone(&told.wal_pages);
        connection
            .wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count| {
                pages.store(u32::try_from(count).unwrap_or(0), Ordering::Relaxed);
                Ok(())
            }))
            .map_err(failure)?;
        let mover = place.open_writing()?;
        let (wanted, wishes) = sync_channel(1);
        let started = |e: std::io::Error| StoreError::Unavailable(format!("no thread could be started: {e}"));
        let handle = thread::Builder::new()
            .name("checkpointer".into())
            .stack_size(256 << 10)
            .spawn(move || checkpoint::run(&mover, &wishes, &own))
            .map_err(started)?;
        let writer = Self {
            connection,
            dialect,
            jobs,
            lasting: place.lasting,
            busy_timeout: place.busy_timeout,
            synced: Durability::Full,
            told,
            checkpoint: Some((wanted, handle)),
        };
        thread::Builder::new().name("writer".into()).spawn(move || writer.run()).map_err(started)?;
        Ok(())
    }

    fn run(mut self) {
        let mut put_back = None;
        let mut asked_to_close = None;
        while let Some(job) = put_back.take().or_else(|| self.jobs.blocking_recv()) {
            match job {
                Job::Commit(first) => {
                    let (group, other) = self.gather(first);
                    put_back = other;
                    self.commit(group);
                    self.ask_for_checkpoint();
                }
                Job::Run(work) => {
                    work(&mut self.connection);
                    self.ask_for_checkpoint();
                }
                Job::StartLogOver => self.start_log_over(),
                Job::Close(reply) => {
                    asked_to_close = Some(reply);
                    break;
                }
            }
        }
        self.jobs.close();
        let outcome = self.finish();
        drop(self);
        if let Some(reply) = asked_to_close {
            // Whoever asked may have gone away.
            let _ = reply.send(outcome);
        } else if let Err(error) = outcome {
            tracing::warn!(%error, "the database was not closed cleanly");
        }
    }

    /// Takes what waits, up to a group's limits, and the first job that cannot be part of a group.
    fn gather(&mut self, first: Commit) -> (Vec<Commit>, Option<Job>) {
        let size = |c: &Commit| c.changes.iter().map(Changes::size).sum::<usize>();
        let mut count = first.changes.len();
        let mut bytes = size(&first);
        let mut group = vec![first];
        while count < GROUP_CHANGES && bytes < GROUP_BYTES {
            match self.jobs.try_recv() {
                Ok(Job::Commit(next)) => {
                    count += next.changes.len();
                    bytes += size(&next);
                    group.push(next);
                }
                Ok(other) => return (group, Some(other)),
                Err(_) => break,
            }
        }
        (group, None)
    }

    /// Commits a group and answers everyone.
    fn commit(&mut self, group: Vec<Commit>) {
        match self.attempt(&group) {
            Ok(answers) => {
                tell_room(&self.told.full);
                for (commit, answer) in group.into_iter().zip(answers) {
                    // Whoever asked may have gone away; it happened all the same.
                    let _ = commit.reply.send(answer);
                }
            }
            Err(error) => {
                if error == StoreError::Full && !self.told.full.swap(true, Ordering::Relaxed) {
                    tracing::error!("the disk of the database is full: changes are refused until there is room");
                }
                if !self.connection.is_autocommit()
                    && let Err(error) = query(&self.connection, "ROLLBACK", &[])
                {
                    tracing::error!(%error, "a group of changes could not be undone");
                }
                for commit in group {
                    let answer = vec![Err(error.clone()); commit.changes.len()];
                    let _ = commit.reply.send(answer);
                }
            }
        }
    }

    /// Runs a group up to its commit. An error means that nothing of it was committed.
    fn attempt(&mut self, group: &[Commit]) -> Result<Vec<Answers>, StoreError> {
        let all = || group.iter().flat_map(|c| &c.changes);
        self.sync_as(all().map(Changes::class).max().unwrap_or(Durability::Relaxed))?;
        query(&self.connection, "BEGIN IMMEDIATE", &[]).map_err(failure)?;
        let alone = all().nth(1).is_none();
        let mut answers = Vec::with_capacity(group.len());
        for commit in group {
            let each = commit.changes.iter().map(|changes| self.member(changes, alone)).collect::<Result<Answers, _>>()?;
            answers.push(each);
        }
        if alone && answers.iter().flatten().any(Result::is_err) {
            query(&self.connection, "ROLLBACK", &[]).map_err(failure)?;
        } else {
            query(&self.connection, "COMMIT", &[]).map_err(failure)?;
        }
        Ok(answers)
    }

    /// Runs one member of a group. The outer error is the group's, the inner one the member's own.
    fn member(&self, changes: &Changes, alone: bool) -> Result<Result<Committed, StoreError>, StoreError> {
        if !alone {
            query(&self.connection, "SAVEPOINT member", &[]).map_err(failure)?;
        }
        let outcome = self.statements(changes)?;
        if !alone {
            if outcome.is_err() {
                query(&self.connection, "ROLLBACK TO member", &[]).map_err(failure)?;
            }
            query(&self.connection, "RELEASE member", &[]).map_err(failure)?;
        }
        Ok(outcome)
    }

    fn statements(&self, changes: &Changes) -> Result<Result<Committed, StoreError>, StoreError> {
        let mut done = Committed::default();
        for statement in changes.statements() {
            let sql = self.dialect.text(statement.sql);
            let outcome = if statement.returning {
                query(&self.connection, &sql, &statement.args).map(|rows| {
                    let count = rows.len() as u64;
                    done.rows.push(rows);
                    count
                })
            } else {
                execute(&self.connection, &sql, &statement.args)
            };
            let checked = match outcome {
                Ok(count) => {
                    done.counts.push(count);
                    statement.check(count)
                }
                Err(error) => {
                    let broken = matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase));
                    let error = failure(error);
                    // SQLite gives up the whole transaction over some errors.
                    if broken || error.is_trouble() || self.connection.is_autocommit() {
                        return Err(error);
                    }
                    Err(error)
                }
            };
            if let Err(error) = checked {
                return Ok(Err(error));
            }
        }
        Ok(Ok(done))
    }

    /// Sets how hard the next commit is pressed onto the disk.
    fn sync_as(&mut self, class: Durability) -> Result<(), StoreError> {
        if self.lasting && self.synced != class {
            let word = if class == Durability::Full { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", word).map_err(failure)?;
            self.synced = class;
        }
        Ok(())
    }

    fn ask_for_checkpoint(&self) {
        if self.told.wal_pages.load(Ordering::Relaxed) >= MOVE_FROM
            && let Some((wanted, _)) = &self.checkpoint
        {
            // A wish that waits already is as good.
            let _ = wanted.try_send(());
        }
    }

    /// Does what is left of a checkpoint. Waits only a moment for readers: requests wait meanwhile.
    fn start_log_over(&self) {
        let outcome = self
            .connection
            .busy_timeout(START_OVER_WAIT)
            .map_err(failure)
            .and_then(|()| checkpoint(&self.connection, "RESTART"))
            .and_then(|_| self.connection.busy_timeout(self.busy_timeout).map_err(failure));
        if let Err(error) = outcome {
            tracing::warn!(%error, "the write-ahead log could not start over");
        }
    }

    /// Stops the checkpointer and leaves everything in the file.
    fn finish(&mut self) -> Result<(), StoreError> {
        if let Some((wanted, handle)) = self.checkpoint.take() {
            drop(wanted);
            if handle.join().is_err() {
                tracing::error!("the checkpointer had panicked");
            }
        }
        if !self.lasting {
            return Ok(());
        }
        // No statistics are gathered: those of a small database make SQLite scan tables that have grown since, and every
        // read of this program is by an index.
        checkpoint(&self.connection, "TRUNCATE").map(drop)
    }
}
