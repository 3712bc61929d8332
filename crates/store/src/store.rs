//! The store: one handle for both databases.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::changes::{Changes, Committed};
use crate::dialect::{Kind, Query};
use crate::dsn::Dsn;
use crate::failure::StoreError;
use crate::migrations::{self, MigrationStatus, Step};
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::value::Row;

/// How a database is to be opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// How long to wait for a database that others hold, or for a free connection, before the answer is
    /// [`StoreError::Busy`].
    pub busy_timeout: Duration,
    /// The most connections to PostgreSQL, unless the data source name says `max_conns`.
    pub max_connections: usize,
    /// Whether a SQLite file that is missing is made.
    pub create: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5), max_connections: 16, create: true }
    }
}

/// What there is to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// SQLite: pages (4 KiB) in the write-ahead log after the last commit. PostgreSQL: none.
    pub wal_pages: Option<u32>,
    /// Commits (SQLite) or callers (PostgreSQL) that wait for their turn.
    pub waiting: usize,
    /// Queries since the store was opened.
    pub queries: u64,
    /// Commits that were asked for since the store was opened.
    pub commits: u64,
}

#[derive(Debug)]
enum Driver {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// A database. Cloning is cheap and gives another handle to the same one.
#[derive(Clone, Debug)]
pub struct Store {
    driver: Arc<Driver>,
    calls: Arc<Calls>,
}

/// How often the store was asked.
#[derive(Debug, Default)]
struct Calls {
    queries: AtomicU64,
    commits: AtomicU64,
}

impl Calls {
    fn add(counter: &AtomicU64, calls: usize) {
        counter.fetch_add(u64::try_from(calls).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Store {
    /// Opens a database by its data source name:
    /// - `memory`: a private SQLite database that goes away with the last handle,
    /// - `sqlite://PATH` or `sqlite:PATH`: a SQLite file, made if it is missing; options after `?` are accepted,
    /// - `postgres://...` or `postgresql://...`: a PostgreSQL server, with `sslmode`, `sslrootcert` and `max_conns`.
    ///
    /// Migrations are not run: see [`Self::migrate`].
    ///
    /// # Errors
    /// `Unsupported` for other names, `Unavailable` if the file or the server cannot be reached.
    pub async fn open(dsn: &str, options: OpenOptions) -> Result<Self, StoreError> {
        let OpenOptions { busy_timeout, max_connections, create } = options;
        let open_file = |path| async move {
            tokio::task::spawn_blocking(move || Sqlite::open(path, busy_timeout, create))
                .await
                .map_err(|_| StoreError::Unavailable("opening was broken off".into()))?
                .map(Driver::Sqlite)
        };
        let driver = match Dsn::parse(dsn)? {
            Dsn::Memory => open_file(None).await?,
            Dsn::File(path) => open_file(Some(path)).await?,
            Dsn::Postgres(dsn) => Driver::Postgres(Postgres::open(&dsn, max_connections, busy_timeout).await?),
        };
        Ok(Self { driver: Arc::new(driver), calls: Arc::default() })
    }

    /// Applies all migrations that the database has not; gives their number. Safe to run from many processes at once.
    ///
    /// # Errors
    /// `Unsupported` if the tables are another program's; what the database says otherwise. Those applied stay applied.
    pub async fn migrate(&self) -> Result<usize, StoreError> {
        migrations::migrate(self).await
    }

    /// Takes the latest migrations back, and loses the data that they made room for; gives the number taken back.
    ///
    /// # Errors
    /// What the database says. Those taken back stay so.
    pub async fn rollback(&self, steps: usize) -> Result<usize, StoreError> {
        migrations::rollback(self, steps).await
    }

    /// All migrations, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn migration_status(&self) -> Result<Vec<MigrationStatus>, StoreError> {
        migrations::status(self).await
    }

    /// Whether the store can serve: the database answers, no migration is missing, and there is room to write if there was
    /// none the last time.
    ///
    /// # Errors
    /// `Unavailable` if a migration is missing; `Full`; what the database says otherwise.
    pub async fn ready(&self) -> Result<(), StoreError> {
        let missing = self.migration_status().await?.iter().filter(|m| !m.applied).count();
        if missing > 0 {
            return Err(StoreError::Unavailable(format!("{missing} migrations are not applied")));
        }
        match &*self.driver {
            Driver::Sqlite(sqlite) => sqlite.has_room().await,
            Driver::Postgres(_) => Ok(()),
        }
    }

    /// Does all of the changes, or nothing. An empty one does nothing.
    ///
    /// # Errors
    /// `Conflict` if a guard did not hold, `Unique` if a value is taken (nothing was changed, decide again); `Full`,
    /// `Busy`, `Unavailable` if the database is in trouble; `Unsupported` for text with NUL characters.
    pub async fn commit(&self, changes: Changes) -> Result<Committed, StoreError> {
        let mut answers = self.commit_each(vec![changes]).await;
        answers.pop().unwrap_or_else(|| Err(StoreError::Unavailable("no answer".into())))
    }

    /// Does each of the changes by itself: one that fails leaves the others alone. The answers are in order. Much faster
    /// than one commit after another.
    pub async fn commit_each(&self, all: Vec<Changes>) -> Vec<Result<Committed, StoreError>> {
        Calls::add(&self.calls.commits, all.len());
        // What needs no database is answered here; the rest goes on, and its answers are put between.
        let mut answers = Vec::with_capacity(all.len());
        let mut sent = Vec::with_capacity(all.len());
        for changes in all {
            match changes.check() {
                Err(error) => answers.push(Some(Err(error))),
                Ok(()) if changes.is_empty() => answers.push(Some(Ok(Committed::default()))),
                Ok(()) => {
                    answers.push(None);
                    sent.push(changes);
                }
            }
        }
        let mut done = if sent.is_empty() {
            Vec::new()
        } else {
            match &*self.driver {
                Driver::Sqlite(sqlite) => sqlite.commit(sent).await,
                Driver::Postgres(postgres) => postgres.commit(sent).await,
            }
        }
        .into_iter();
        let lost = || Err(StoreError::Unavailable("no answer".into()));
        answers.into_iter().map(|answer| answer.or_else(|| done.next()).unwrap_or_else(lost)).collect()
    }

    /// Gives room on the disk back that was taken by what is removed now. For a server that is its own business.
    ///
    /// # Errors
    /// What the database says. Nothing is lost by that.
    pub async fn give_back(&self) -> Result<(), StoreError> {
        match &*self.driver {
            Driver::Sqlite(sqlite) => sqlite.give_back().await,
            Driver::Postgres(_) => Ok(()),
        }
    }

    /// What there is to watch.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (wal_pages, waiting) = match &*self.driver {
            Driver::Sqlite(sqlite) => (Some(sqlite.wal_pages()), sqlite.waiting()),
            Driver::Postgres(postgres) => (None, postgres.waiting()),
        };
        let Calls { queries, commits } = &*self.calls;
        Stats { wal_pages, waiting, queries: queries.load(Ordering::Relaxed), commits: commits.load(Ordering::Relaxed) }
    }

    /// Commits what waits, leaves everything in the database's file, and closes it. Every later call on any handle fails
    /// with `Unavailable`.
    ///
    /// # Errors
    /// If the last checkpoint failed; nothing is lost by that.
    pub async fn close(&self) -> Result<(), StoreError> {
        match &*self.driver {
            Driver::Sqlite(sqlite) => sqlite.close().await,
            Driver::Postgres(postgres) => {
                postgres.close();
                Ok(())
            }
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match &*self.driver {
            Driver::Sqlite(_) => Kind::Sqlite,
            Driver::Postgres(_) => Kind::Postgres,
        }
    }

    /// Runs short, indexed queries, on one snapshot if they are more than one. On SQLite they run at once, on the
    /// caller's thread.
    pub(crate) async fn read(&self, queries: &[Query]) -> Result<Vec<Vec<Row>>, StoreError> {
        Calls::add(&self.calls.queries, queries.len());
        match &*self.driver {
            Driver::Sqlite(sqlite) => sqlite.read(queries),
            Driver::Postgres(postgres) => postgres.read(queries).await,
        }
    }

    /// Like [`Self::read`], for queries that may read many rows: on SQLite they run on a thread of their own.
    pub(crate) async fn read_long(&self, queries: Vec<Query>) -> Result<Vec<Vec<Row>>, StoreError> {
        Calls::add(&self.calls.queries, queries.len());
        match &*self.driver {
            Driver::Sqlite(sqlite) => sqlite.read_long(queries).await,
            Driver::Postgres(postgres) => postgres.read(&queries).await,
        }
    }

    /// Runs one short, indexed query.
    pub(crate) async fn read_one(&self, query: Query) -> Result<Vec<Row>, StoreError> {
        Ok(self.read(&[query]).await?.pop().unwrap_or_default())
    }

    pub(crate) async fn take_step(&self, step: &Step) -> Result<bool, StoreError> {
        match &*self.driver {
            Driver::Sqlite(sqlite) => sqlite.migrate(step).await,
            Driver::Postgres(postgres) => postgres.migrate(step).await,
        }
    }
}

/// Takes the answers to two queries that were read together.
pub(crate) fn two(answers: Vec<Vec<Row>>) -> (Vec<Row>, Vec<Row>) {
    let mut answers = answers.into_iter();
    (answers.next().unwrap_or_default(), answers.next().unwrap_or_default())
}
