//! The PostgreSQL driver: a pool of connections, pipelined transactions, and bounded retries.
//!
//! A commit is two round trips: `BEGIN` and all statements go out at once, then `COMMIT` once their counts were checked.
//! What the server undid by itself (serialisation, deadlock) and what was lost before `COMMIT` went out is tried again;
//! a connection that is lost during `COMMIT` leaves the outcome open, which is said and never tried again.

mod connect;
mod error;
mod pipeline;
mod tls;

use std::time::{Duration, Instant};

use deadpool_postgres::{Object, Pool, PoolError};
use tokio_postgres::Client;

use crate::changes::{Changes, Committed, Durability};
use crate::dialect::{Dialect, Kind, Query};
use crate::dsn::PostgresDsn;
use crate::failure::StoreError;
use crate::migrations::Step;
use crate::value::{Row, Value};
pub(crate) use connect::pool;
use error::{Trouble, trouble};
use pipeline::Sent;

/// How often something is tried that the server undid or the network lost.
const TRIES: u32 = 5;
/// How many changes of a batch share a transaction.
const BATCH: usize = 100;
/// The key of the lock that migrating processes take: the letters "portcull".
const MIGRATION_LOCK: i64 = 0x706f_7274_6375_6c6c;

/// What an error of the driver means to a caller who only reads.
pub(crate) fn failure(error: &tokio_postgres::Error) -> StoreError {
    trouble(error).error
}

/// A PostgreSQL server.
#[derive(Clone)]
pub(crate) struct Postgres {
    pool: Pool,
    dialect: std::sync::Arc<Dialect>,
    opened: Instant,
}

impl Postgres {
    /// Makes the pool, and reaches the server once to know that it can.
    pub(crate) async fn open(dsn: &PostgresDsn, max_connections: usize, wait: Duration) -> Result<Self, StoreError> {
        let pool = connect::pool(dsn, max_connections, wait)?;
        let dialect = std::sync::Arc::new(Dialect::new(Kind::Postgres));
        let out = Self { pool, dialect, opened: Instant::now() };
        drop(out.client().await?);
        Ok(out)
    }

    async fn client(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|e| match e {
            PoolError::Timeout(_) => StoreError::Busy,
            PoolError::Backend(e) => trouble(&e).error,
            PoolError::Closed => StoreError::Unavailable("the database was closed".into()),
            other => StoreError::Unavailable(other.to_string()),
        })
    }

    /// Runs the queries, on one snapshot if they are more than one.
    pub(crate) async fn read(&self, queries: &[Query]) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut tried = 0;
        loop {
            tried += 1;
            let client = self.client().await?;
            let trouble = match self.attempt_read(&client, queries).await {
                Ok(rows) => return Ok(rows),
                Err(trouble) => trouble,
            };
            if trouble.stale_plan {
                client.statement_cache.clear();
            }
            drop(client);
            if !trouble.again || tried >= TRIES {
                return Err(trouble.error);
            }
            self.pause(tried).await;
        }
    }

    async fn attempt_read(&self, client: &Object, queries: &[Query]) -> Result<Vec<Vec<Row>>, Trouble> {
        let mut prepared = Vec::with_capacity(queries.len());
        for query in queries.iter().filter(|q| !q.matches_nothing()) {
            let text = self.dialect.text(&query.sql);
            let statement = client.prepare_cached(&text).await.map_err(|e| trouble(&e))?;
            prepared.push((statement, query.args.as_slice(), true));
        }
        // Everything goes out in one piece, so that a caller who goes away leaves no transaction open.
        let around = (prepared.len() > 1).then_some(("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "COMMIT"));
        let sent = pipeline::send(client, around.map(|(begin, _)| begin), &prepared, around.map(|(_, end)| end)).await;
        let mut rows = sent.into_iter().map(|answer| answer.map(Sent::into_rows));
        let mut out = Vec::with_capacity(queries.len());
        for query in queries {
            out.push(if query.matches_nothing() {
                Vec::new()
            } else {
                rows.next().transpose().map_err(|e| trouble(&e))?.unwrap_or_default()
            });
        }
        out.into_iter().map(|rows| rows.iter().map(pipeline::row).collect()).collect::<Result<_, _>>().map_err(Trouble::from)
    }

    /// Commits each of the changes by itself: in one transaction as long as all of them hold, else in halves.
    pub(crate) async fn commit(&self, changes: Vec<Changes>) -> Vec<Result<Committed, StoreError>> {
        let count = changes.len();
        let this = self.clone();
        // A task of its own: a caller who goes away must not leave a transaction open.
        let task = tokio::spawn(async move {
            let mut answers = Vec::with_capacity(changes.len());
            for batch in changes.chunks(BATCH) {
                this.commit_or_split(batch, &mut answers).await;
            }
            answers
        });
        match task.await {
            Ok(answers) => answers,
            Err(_) => vec![Err(StoreError::Unavailable("a commit was broken off; its outcome is not known".into())); count],
        }
    }

    async fn commit_or_split(&self, batch: &[Changes], answers: &mut Vec<Result<Committed, StoreError>>) {
        // The halves that are still to be done, the first on top.
        let mut waiting = vec![batch];
        while let Some(part) = waiting.pop() {
            match self.commit_together(part).await {
                Ok(done) => answers.extend(done.into_iter().map(Ok)),
                Err(error) if part.len() == 1 || error.is_trouble() => {
                    answers.extend(std::iter::repeat_n(Err(error), part.len()));
                }
                Err(_) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    waiting.push(second);
                    waiting.push(first);
                }
            }
        }
    }

    /// Commits the changes in one transaction, and tries again what may be tried again.
    async fn commit_together(&self, part: &[Changes]) -> Result<Vec<Committed>, StoreError> {
        let mut tried = 0;
        loop {
            tried += 1;
            let client = self.client().await?;
            let trouble = match self.attempt_commit(&client, part).await {
                Ok(done) => return Ok(done),
                Err(trouble) => trouble,
            };
            if trouble.stale_plan {
                client.statement_cache.clear();
            }
            if trouble.open && client.batch_execute("ROLLBACK").await.is_err() {
                drop(Object::take(client));
            }
            if !trouble.again || tried >= TRIES {
                return Err(trouble.error);
            }
            self.pause(tried).await;
        }
    }

    async fn attempt_commit(&self, client: &Object, part: &[Changes]) -> Result<Vec<Committed>, Trouble> {
        let mut prepared = Vec::new();
        for statement in part.iter().flat_map(Changes::statements) {
            let text = self.dialect.text(statement.sql);
            let handle = client.prepare_cached(&text).await.map_err(|e| trouble(&e))?;
            prepared.push((handle, statement.args.as_slice(), statement.returning));
        }
        let class = part.iter().map(Changes::class).max().unwrap_or(Durability::Relaxed);
        let begin = match class {
            Durability::Full => "BEGIN",
            Durability::Relaxed => "BEGIN; SET LOCAL synchronous_commit TO OFF",
        };
        let mut sent = pipeline::send(client, Some(begin), &prepared, None).await.into_iter();
        let mut out = Vec::with_capacity(part.len());
        for changes in part {
            let mut done = Committed::default();
            for statement in changes.statements() {
                // After the first error the server refuses the rest; the first one tells why.
                let answer = sent.next().unwrap_or_else(|| Ok(Sent::Count(0)));
                let count = match answer.map_err(|e| trouble(&e).inside())? {
                    Sent::Count(count) => count,
                    Sent::Rows(rows) => {
                        let count = rows.len() as u64;
                        let rows = rows.iter().map(pipeline::row).collect::<Result<_, _>>();
                        done.rows.push(rows.map_err(|e| Trouble::from(e).inside())?);
                        count
                    }
                };
                done.counts.push(count);
                statement.check(count).map_err(|e| Trouble::from(e).inside())?;
            }
            out.push(done);
        }
        client.batch_execute("COMMIT").await.map_err(|e| trouble(&e).while_committing())?;
        Ok(out)
    }

    /// Waits a little longer each time, by an amount that differs from caller to caller.
    async fn pause(&self, tried: u32) {
        let spread = 1 << tried.min(6);
        let jitter = u64::from(self.opened.elapsed().subsec_nanos()) / 100 % (spread * 1000);
        tokio::time::sleep(Duration::from_micros(spread * 1000 + jitter)).await;
    }

    /// Takes a step of a migration in a transaction, under a lock that other migrating processes wait for. Tells whether
    /// there was anything to do.
    pub(crate) async fn migrate(&self, step: &Step) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let outcome = self.attempt_migration(&client, step).await;
        if outcome.is_err() && client.batch_execute("ROLLBACK").await.is_err() {
            drop(Object::take(client));
        }
        outcome.map_err(|e| trouble(&e).error)
    }

    async fn attempt_migration(&self, client: &Client, step: &Step) -> Result<bool, tokio_postgres::Error> {
        client.batch_execute("BEGIN").await?;
        client.execute_raw("SELECT pg_advisory_xact_lock($1)", [Value::Int(MIGRATION_LOCK)]).await?;
        client.batch_execute(&self.dialect.text(Step::TABLE)).await?;
        let applied = client.query_opt(Step::APPLIED, &[&Value::Int(step.version)]).await?.is_some();
        if applied == step.up {
            client.batch_execute("COMMIT").await?;
            return Ok(false);
        }
        client.batch_execute(&self.dialect.text(step.script)).await?;
        client.execute_raw(step.record(), step.record_args()).await?;
        client.batch_execute("COMMIT").await?;
        Ok(true)
    }

    /// Lets the connections go.
    pub(crate) fn close(&self) {
        self.pool.close();
    }

    /// Callers that wait for a connection.
    pub(crate) fn waiting(&self) -> usize {
        self.pool.status().waiting
    }
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("pool", &self.pool.status()).finish_non_exhaustive()
    }
}
