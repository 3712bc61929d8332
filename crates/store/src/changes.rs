//! Changes as values: statements with their arguments and guards, to be done together or not at all.

use crate::failure::StoreError;
use crate::value::{Row, Value};

/// How many rows a statement must touch for its [`Changes`] to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Any number.
    Any,
    /// Exactly one.
    One,
    /// This many or more.
    AtLeast(u64),
    /// None at all.
    Nothing,
}

impl Expect {
    /// Whether a number of rows is what was expected.
    pub(crate) fn holds(self, rows: u64) -> bool {
        match self {
            Self::Any => true,
            Self::One => rows == 1,
            Self::AtLeast(least) => rows >= least,
            Self::Nothing => rows == 0,
        }
    }
}

/// What may be lost when the power fails. Neither is lost when the process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// The last moments may be lost: fit for what anybody can start anew, such as the start of a flow.
    Relaxed,
    /// Nothing that was answered is lost.
    Full,
}

/// A statement with its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sql: &'static str,
    pub(crate) args: Vec<Value>,
    pub(crate) expect: Expect,
    /// Whether it gives rows (`RETURNING`).
    pub(crate) returning: bool,
}

impl Statement {
    /// Checks the number of rows that it touched.
    pub(crate) fn check(&self, rows: u64) -> Result<(), StoreError> {
        if self.expect.holds(rows) { Ok(()) } else { Err(StoreError::Conflict { what: table_of(self.sql) }) }
    }
}

/// Everything that a decision wants to change. Given to [`crate::Store::commit`], all of it happens, or nothing.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    statements: Vec<Statement>,
    /// What the caller asked for.
    asked: Option<Durability>,
    /// Whether a statement wants full durability by itself.
    full: bool,
    /// The size of the arguments in bytes, roughly.
    size: usize,
    /// Whether one of them is text that one of the databases could not hold.
    has_nul: bool,
}

impl Changes {
    /// No changes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a durability, for what is here and what will be added. Without it each change decides by itself: all are
    /// [`Durability::Full`] but the start of a flow.
    pub fn durability(&mut self, durability: Durability) -> &mut Self {
        self.asked = Some(durability);
        self
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// How many statements there are: the next one's place in [`Committed::counts`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Adds the changes of another; the stronger durability counts for all.
    pub fn merge(&mut self, other: Self) {
        let theirs = other.class();
        match self.asked {
            Some(ours) => self.asked = Some(ours.max(theirs)),
            None => self.full |= theirs == Durability::Full && !other.is_empty(),
        }
        self.size += other.size;
        self.has_nul |= other.has_nul;
        self.statements.extend(other.statements);
    }

    /// Adds a statement that is to survive a power cut.
    pub(crate) fn push(&mut self, sql: &'static str, args: Vec<Value>, expect: Expect) {
        self.full = true;
        self.add(Statement { sql, args, expect, returning: false });
    }

    /// Adds a statement that may be lost in a power cut.
    pub(crate) fn push_relaxed(&mut self, sql: &'static str, args: Vec<Value>, expect: Expect) {
        self.add(Statement { sql, args, expect, returning: false });
    }

    /// Adds a statement that gives rows.
    pub(crate) fn push_returning(&mut self, sql: &'static str, args: Vec<Value>, expect: Expect) {
        self.full = true;
        self.add(Statement { sql, args, expect, returning: true });
    }

    /// Adds a statement, and notes of its arguments what is asked later, while they are at hand.
    fn add(&mut self, statement: Statement) {
        for arg in &statement.args {
            self.size += arg.size();
            self.has_nul |= arg.has_nul();
        }
        self.statements.push(statement);
    }

    /// The durability that it needs.
    pub(crate) fn class(&self) -> Durability {
        self.asked.unwrap_or(if self.full { Durability::Full } else { Durability::Relaxed })
    }

    /// The size of its arguments in bytes, roughly.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Refuses what one of the databases could not hold, so that both behave alike.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.has_nul {
            return Err(StoreError::Unsupported("text with a NUL character".into()));
        }
        Ok(())
    }
}

/// What a commit did.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// The number of rows that each statement touched, in order.
    pub counts: Vec<u64>,
    /// The rows of statements that give some, in order.
    pub(crate) rows: Vec<Vec<Row>>,
}

/// The table that a statement is about: the word after `INSERT INTO`, `UPDATE` or `DELETE FROM`.
fn table_of(sql: &'static str) -> &'static str {
    let mut words = sql.split([' ', '\n', '(']).filter(|w| !w.is_empty());
    match words.next() {
        Some("UPDATE") => words.next(),
        Some("INSERT" | "DELETE") => words.nth(1),
        _ => None,
    }
    .unwrap_or("a row")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_durability_wins() {
        let mut relaxed = Changes::new();
        relaxed.push_relaxed("DELETE FROM a", vec![], Expect::Any);
        assert_eq!(relaxed.class(), Durability::Relaxed);
        let mut full = Changes::new();
        full.push("DELETE FROM a", vec![], Expect::Any);
        assert_eq!(full.class(), Durability::Full);

        let mut both = relaxed.clone();
        both.merge(full.clone());
        assert_eq!(both.class(), Durability::Full);
        let mut asked = Changes::new();
        asked.durability(Durability::Relaxed).push("DELETE FROM a", vec![], Expect::Any);
        assert_eq!(asked.class(), Durability::Relaxed, "what was asked for counts");
        asked.merge(full);
        assert_eq!(asked.class(), Durability::Full);
        both.merge(Changes::new());
        assert_eq!((both.len(), both.is_empty()), (2, false));
        let mut empty = Changes::new();
        empty.merge(relaxed);
        assert_eq!(empty.class(), Durability::Relaxed);
    }

    #[test]
    fn conflicts_name_the_table() {
        for (sql, table) in [
            ("UPDATE sessions SET a = 1", "sessions"),
            ("INSERT INTO guesses (a) VALUES (1)", "guesses"),
            ("DELETE FROM parked\nWHERE x", "parked"),
            ("SELECT 1", "a row"),
        ] {
            assert_eq!(table_of(sql), table);
        }
    }

    #[test]
    fn nul_is_refused_for_both_databases() {
        let mut c = Changes::new();
        c.push("DELETE FROM a WHERE b = $1", vec!["a\0b".into()], Expect::Any);
        assert!(matches!(c.check(), Err(StoreError::Unsupported(_))));
        let mut both = Changes::new();
        both.push("DELETE FROM a WHERE b = $1", vec!["a".into()], Expect::Any);
        assert_eq!((both.check(), both.size()), (Ok(()), 1));
        both.merge(c);
        assert!(matches!(both.check(), Err(StoreError::Unsupported(_))));
        assert_eq!(both.size(), 4);
    }
}
