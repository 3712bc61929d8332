//! The writer: one thread that takes all changes that wait, commits them together, and only then answers.
//!
//! One member of a group that fails leaves the others alone: the group is then undone and run again, each member in a
//! savepoint of its own. A large group of new rows is written table by table (see [`Inserts`]). What hits the database as a whole (busy, full, broken) undoes the group and is everybody's answer.
//! A group is as durable as its most demanding member. With many writers waiting, one synced commit serves all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::{self, MOVE_BULK_FROM, MOVE_FROM, checkpoint};
use super::connection::{BULK_CACHE, Place, Statements, WRITER_CACHE, failure, query};
use super::inserts::Inserts;
use crate::changes::{Changes, Committed, Durability};
use crate::dialect::Dialect;
use crate::failure::StoreError;

/// The most changes in a group.
const GROUP_CHANGES: usize = 256;
/// The most bytes of arguments in a group.
const GROUP_BYTES: usize = 4 << 20;

/// From this many changes on a group is part of an import, and the writer takes more room for a while: it touches so many pages
/// that they would be written and read again and again within one group.
const BULK_CHANGES: usize = 100;
/// For how long.
const BULK_REST: Duration = Duration::from_secs(5);

/// How long the writer waits for readers that keep the log from starting over.
const START_OVER_WAIT: Duration = Duration::from_millis(20);

type Work = Box<dyn FnOnce(&mut Connection) + Send>;
type Answer = Result<Committed, StoreError>;
type Answers = Vec<Answer>;

/// Changes to be committed, each by itself.
pub(super) struct Commit {
    pub(super) changes: Vec<Changes>,
    pub(super) reply: oneshot::Sender<Answers>,
}

/// How the members of a group are run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Members {
    /// One after the other: whoever fails spoils the group.
    Plain,
    /// Each in a savepoint: whoever fails is undone alone.
    InSavepoints,
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
    /// When the last large group came, if more room is taken for such.
    bulk: Option<Instant>,
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
            bulk: None,
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
                    self.make_room(group.iter().map(|c| c.changes.len()).sum());
                    self.commit(group);
                    self.ask_for_checkpoint();
                }
                Job::Run(work) => {
                    self.make_room(0);
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

    /// Takes more memory for large groups, and gives it back when none came for a while.
    fn make_room(&mut self, changes: usize) {
        let set = |kib: i64| self.connection.pragma_update(None, "cache_size", -kib);
        let outcome = match self.bulk {
            None if changes >= BULK_CHANGES => {
                self.bulk = Some(Instant::now());
                set(BULK_CACHE)
            }
            Some(_) if changes >= BULK_CHANGES => {
                self.bulk = Some(Instant::now());
                return;
            }
            Some(since) if since.elapsed() > BULK_REST => {
                self.bulk = None;
                set(WRITER_CACHE).and_then(|()| self.connection.release_memory())
            }
            _ => return,
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, "the writer's memory could not be changed");
        }
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
    ///
    /// A group is tried without savepoints first: for each of them SQLite copies every page that its member touches, which
    /// is most of the work of a large import. Only if a member fails is the group undone and run with them.
    fn attempt(&mut self, group: &[Commit]) -> Result<Vec<Answers>, StoreError> {
        let all = || group.iter().flat_map(|c| &c.changes);
        self.sync_as(all().map(Changes::class).max().unwrap_or(Durability::Relaxed))?;
        query(&self.connection, "BEGIN IMMEDIATE", &[]).map_err(failure)?;
        let is_large = all().nth(BULK_CHANGES).is_some();
        let mut answers = match is_large.then(|| Inserts::of(all())).flatten() {
            Some(inserts) => self.inserts(&inserts, group)?,
            None => self.members(group, Members::Plain)?,
        };
        if answers.iter().flatten().any(Result::is_err) {
            query(&self.connection, "ROLLBACK", &[]).map_err(failure)?;
            if all().nth(1).is_none() {
                return Ok(answers);
            }
            query(&self.connection, "BEGIN IMMEDIATE", &[]).map_err(failure)?;
            answers = self.members(group, Members::InSavepoints)?;
        }
        query(&self.connection, "COMMIT", &[]).map_err(failure)?;
        Ok(answers)
    }

    /// Runs a large group of new rows. If one of them fails, the answers tell so, but not whose it is.
    fn inserts(&self, inserts: &Inserts<'_>, group: &[Commit]) -> Result<Vec<Answers>, StoreError> {
        let each = |changes: &Changes| Ok(Committed { counts: vec![1; changes.len()], ..Committed::default() });
        match inserts.run(&self.connection, &self.dialect) {
            Ok(()) => Ok(group.iter().map(|commit| commit.changes.iter().map(each).collect()).collect()),
            Err(error) => Ok(vec![vec![Err(self.own_fault(error)?)]]),
        }
    }

    /// Runs the members of a group; plain ones up to the first that fails.
    fn members(&self, group: &[Commit], how: Members) -> Result<Vec<Answers>, StoreError> {
        let mut statements = Statements::new(&self.connection, &self.dialect);
        let mut answers = Vec::with_capacity(group.len());
        for commit in group {
            let mut each = Vec::with_capacity(commit.changes.len());
            for changes in &commit.changes {
                each.push(self.member(&mut statements, changes, how)?);
                if how == Members::Plain && each.last().is_some_and(Result::is_err) {
                    answers.push(each);
                    return Ok(answers);
                }
            }
            answers.push(each);
        }
        Ok(answers)
    }

    /// Runs one member of a group. The outer error is the group's, the inner one the member's own.
    fn member(&self, statements: &mut Statements<'_>, changes: &Changes, how: Members) -> Result<Answer, StoreError> {
        if how == Members::InSavepoints {
            query(&self.connection, "SAVEPOINT member", &[]).map_err(failure)?;
        }
        let outcome = self.run_all(statements, changes)?;
        if how == Members::InSavepoints {
            if outcome.is_err() {
                query(&self.connection, "ROLLBACK TO member", &[]).map_err(failure)?;
            }
            query(&self.connection, "RELEASE member", &[]).map_err(failure)?;
        }
        Ok(outcome)
    }

    fn run_all(&self, statements: &mut Statements<'_>, changes: &Changes) -> Result<Answer, StoreError> {
        let mut done = Committed::default();
        for statement in changes.statements() {
            let outcome = if statement.returning {
                statements.query(statement.sql, &statement.args).map(|rows| {
                    let count = rows.len() as u64;
                    done.rows.push(rows);
                    count
                })
            } else {
                statements.execute(statement.sql, &statement.args)
            };
            let checked = match outcome {
                Ok(count) => {
                    done.counts.push(count);
                    statement.check(count)
                }
                Err(error) => Err(self.own_fault(error)?),
            };
            if let Err(error) = checked {
                return Ok(Err(error));
            }
        }
        Ok(Ok(done))
    }

    /// What went wrong with a statement, if it is its own fault. An error is the whole group's.
    fn own_fault(&self, error: rusqlite::Error) -> Result<StoreError, StoreError> {
        let broken = matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase));
        let error = failure(error);
        // SQLite gives up the whole transaction over some errors.
        if broken || error.is_trouble() || self.connection.is_autocommit() { Err(error) } else { Ok(error) }
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
        // Pages that an import touches in every group are moved once for many groups.
        let from = if self.bulk.is_some() { MOVE_BULK_FROM } else { MOVE_FROM };
        if self.told.wal_pages.load(Ordering::Relaxed) >= from
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
