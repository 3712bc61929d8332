//! Sending many statements at once, and values in PostgreSQL's types.

use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::BytesMut;
use futures_util::TryStreamExt;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Error, Statement};

use crate::failure::StoreError;
use crate::value::{Row, Value};

/// The answer to a statement.
pub(super) enum Sent {
    /// How many rows it touched.
    Count(u64),
    /// The rows that it gave.
    Rows(Vec<tokio_postgres::Row>),
}

impl Sent {
    pub(super) fn into_rows(self) -> Vec<tokio_postgres::Row> {
        match self {
            Self::Rows(rows) => rows,
            Self::Count(_) => Vec::new(),
        }
    }
}

/// A prepared statement, its arguments, and whether it gives rows.
pub(super) type Prepared<'a> = (Statement, &'a [Value], bool);

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Sent, Error>> + Send + 'a>>;

/// Sends everything without waiting in between, and gives the answers in order. If `begin` or `end` fails, that is the
/// answer to the first statement.
pub(super) async fn send(
    client: &Client,
    begin: Option<&'static str>,
    statements: &[Prepared<'_>],
    end: Option<&'static str>,
) -> Vec<Result<Sent, Error>> {
    let simple =
        |text: &'static str| -> Answer<'_> { Box::pin(async move { client.batch_execute(text).await.map(|()| Sent::Count(0)) }) };
    let mut waiting: Vec<Answer<'_>> = Vec::with_capacity(statements.len() + 2);
    waiting.extend(begin.map(simple));
    for (statement, args, returning) in statements {
        waiting.push(Box::pin(async move {
            if *returning {
                let rows = pin!(client.query_raw(statement, args.iter()).await?);
                rows.try_collect().await.map(Sent::Rows)
            } else {
                client.execute_raw(statement, args.iter()).await.map(Sent::Count)
            }
        }));
    }
    waiting.extend(end.map(simple));

    // A request goes out when its future is first polled.
    let mut early: Vec<Option<Result<Sent, Error>>> = Vec::with_capacity(waiting.len());
    poll_fn(|cx| {
        for future in &mut waiting {
            early.push(match future.as_mut().poll(cx) {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => None,
            });
        }
        Poll::Ready(())
    })
    .await;
    let mut answers = Vec::with_capacity(waiting.len());
    for (future, answer) in waiting.into_iter().zip(early) {
        answers.push(match answer {
            Some(answer) => answer,
            None => future.await,
        });
    }

    let ended = if end.is_some() { answers.pop() } else { None };
    let begun = if begin.is_some() && !answers.is_empty() { Some(answers.remove(0)) } else { None };
    for around in [ended, begun].into_iter().flatten() {
        if let Err(error) = around
            && answers.iter().all(Result::is_ok)
        {
            answers.insert(0, Err(error));
        }
    }
    answers
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match (self, ty) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Int(value), &Type::INT8) => value.to_sql(ty, out),
            (Self::Int(value), &Type::INT4) => i32::try_from(*value)?.to_sql(ty, out),
            (Self::Text(value), &Type::TEXT | &Type::VARCHAR | &Type::NAME) => value.to_sql(ty, out),
            (Self::Bytes(value), &Type::BYTEA) => value.to_sql(ty, out),
            (Self::Uuid(value), &Type::UUID) => value.to_sql(ty, out),
            _ => Err(format!("{self:?} was given for {ty}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Takes a row's values out.
pub(super) fn row(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    let mut values = Vec::with_capacity(row.len());
    for (place, column) in row.columns().iter().enumerate() {
        let value = match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(place).map(Value::from),
            Type::INT4 => row.try_get::<_, Option<i32>>(place).map(|v| v.map(i64::from).into()),
            Type::BOOL => row.try_get::<_, Option<bool>>(place).map(Value::from),
            Type::TEXT | Type::VARCHAR | Type::NAME => row.try_get::<_, Option<String>>(place).map(Value::from),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(place).map(|v| v.map_or(Value::Null, Value::Bytes)),
            Type::UUID => row.try_get::<_, Option<uuid::Uuid>>(place).map(Value::from),
            ref other => return Err(StoreError::Corrupt(format!("a column of the type {other}"))),
        };
        values.push(value.map_err(|_| StoreError::Corrupt("a column could not be read".into()))?);
    }
    Ok(Row::new(values))
}
