//! Large groups of new rows, such as a batch of identities: written table by table, many rows by one statement.
//!
//! Row by row, half of the work is beginning and ending a statement and finding the way from the top of a tree anew.

use rusqlite::Connection;

use super::connection::bind;
use crate::changes::{Changes, Expect, Statement};
use crate::dialect::Dialect;
use crate::value::Value;

/// How many rows one statement writes, as long as there are as many: few different texts, which are kept ready.
const ROWS: [usize; 3] = [50, 5, 1];

/// The new rows of a group, by statement. Statements come in the order in which they are first met, so that a row comes after
/// the row that it refers to.
pub(super) struct Inserts<'g> {
    by_statement: Vec<(&'static str, Vec<&'g [Value]>)>,
}

impl<'g> Inserts<'g> {
    /// The rows of changes that do nothing but add rows; `None` if any does something else.
    pub(super) fn of(all: impl Iterator<Item = &'g Changes>) -> Option<Self> {
        let mut by_statement: Vec<(&'static str, Vec<&'g [Value]>)> = Vec::new();
        for statement in all.flat_map(Changes::statements) {
            match by_statement.iter_mut().find(|(sql, _)| std::ptr::eq(*sql, statement.sql)) {
                Some((_, rows)) if is_one_row(statement) => rows.push(&statement.args),
                None if is_one_row(statement) && tuple(statement).is_some() => {
                    by_statement.push((statement.sql, vec![&statement.args]));
                }
                _ => return None,
            }
        }
        Some(Self { by_statement })
    }

    /// Writes all. If any row cannot be written, the transaction is to be undone.
    pub(super) fn run(&self, connection: &Connection, dialect: &Dialect) -> rusqlite::Result<()> {
        for (sql, rows) in &self.by_statement {
            let text = dialect.text(sql);
            let mut left = rows.as_slice();
            for count in ROWS {
                if left.len() < count {
                    continue;
                }
                let columns = left.first().map_or(0, |row| row.len());
                let mut statement = connection.prepare_cached(&for_rows(&text, columns, count))?;
                while let Some((now, later)) = left.split_at_checked(count) {
                    bind(&mut statement, now.iter().copied().flatten())?;
                    statement.raw_execute()?;
                    left = later;
                }
            }
        }
        Ok(())
    }
}

fn is_one_row(statement: &Statement) -> bool {
    statement.expect == Expect::One && !statement.returning
}

/// Where the values begin in a statement that adds the row of its arguments, in their order, and does nothing else.
fn tuple(statement: &Statement) -> Option<usize> {
    let values: Vec<String> = (1..=statement.args.len()).map(|n| format!("${n}")).collect();
    let tuple = format!("({})", values.join(", "));
    let before = statement.sql.strip_suffix(&tuple)?;
    (before.starts_with("INSERT INTO ") && before.ends_with(" VALUES ")).then_some(before.len())
}

/// The text of a statement that adds one row, for more of them.
fn for_rows(text: &str, columns: usize, rows: usize) -> String {
    let before = text.rfind('(').map_or(text, |place| &text[..place]);
    let mut out = String::from(before);
    for row in 0..rows {
        let values: Vec<String> = (1..=columns).map(|column| format!("?{}", row * columns + column)).collect();
        out.push_str(if row == 0 { "(" } else { ", (" });
        out.push_str(&values.join(", "));
        out.push(')');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(sql: &'static str, args: Vec<Value>, expect: Expect) -> Changes {
        let mut c = Changes::new();
        c.push(sql, args, expect);
        c
    }

    #[test]
    fn only_plain_new_rows_are_taken() {
        let two = || vec![Value::Int(1), Value::Int(2)];
        for (sql, expect, taken) in [
            ("INSERT INTO a (b, c) VALUES ($1, $2)", Expect::One, true),
            ("INSERT INTO a (b, c) VALUES ($1, $2)", Expect::Any, false),
            ("INSERT INTO a (b, c) VALUES ($2, $1)", Expect::One, false),
            ("INSERT INTO a (b, c, d) VALUES (0, $1, $2)", Expect::One, false),
            ("INSERT INTO a (b, c) VALUES ($1, $2) ON CONFLICT (b) DO NOTHING", Expect::One, false),
            ("INSERT INTO a (b) SELECT c FROM d WHERE c IN ($1, $2)", Expect::One, false),
            ("UPDATE a SET b = $1 WHERE c = $2", Expect::One, false),
        ] {
            let one = changes(sql, two(), expect);
            assert_eq!(Inserts::of([&one].into_iter()).is_some(), taken, "{sql}");
        }
        let mut returning = Changes::new();
        returning.push_returning("INSERT INTO a (b, c) VALUES ($1, $2)", two(), Expect::One);
        assert!(Inserts::of([&returning].into_iter()).is_none());
    }

    #[test]
    fn one_text_serves_many_rows() {
        let text = "INSERT INTO a (b, c) VALUES (?1, ?2)";
        assert_eq!(for_rows(text, 2, 1), text);
        assert_eq!(for_rows(text, 2, 3), "INSERT INTO a (b, c) VALUES (?1, ?2), (?3, ?4), (?5, ?6)");
    }

    #[test]
    fn all_rows_are_written_in_their_order() {
        let connection = Connection::open_in_memory().expect("a database");
        connection
            .execute_batch("CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT; CREATE TABLE b (n INTEGER, a INTEGER REFERENCES a) STRICT; PRAGMA foreign_keys = ON")
            .expect("tables");
        let all: Vec<Changes> = (0..237_i64)
            .map(|n| {
                let mut c = changes("INSERT INTO a (id) VALUES ($1)", vec![n.into()], Expect::One);
                c.push("INSERT INTO b (n, a) VALUES ($1, $2)", vec![(2 * n).into(), n.into()], Expect::One);
                c
            })
            .collect();
        let dialect = Dialect::new(crate::dialect::Kind::Sqlite);
        Inserts::of(all.iter()).expect("new rows").run(&connection, &dialect).expect("written");
        let found: (i64, i64, i64) = connection
            .query_row("SELECT count(*), sum(n), sum(rowid = a + 1) FROM b", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .expect("a row");
        assert_eq!(found, (237, 237 * 236, 237));
        assert!(Inserts::of(all.iter()).expect("new rows").run(&connection, &dialect).is_err(), "they are there");
    }
}
