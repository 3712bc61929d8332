//! Statement text is written once, in the subset that both databases accept. The few differences are words in braces,
//! and SQLite's numbering of arguments; each text is translated once and remembered.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::value::Value;

/// A read: a statement with its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) sql: Cow<'static, str>,
    pub(crate) args: Vec<Value>,
}

impl Query {
    pub(crate) fn new(sql: impl Into<Cow<'static, str>>, args: Vec<Value>) -> Self {
        Self { sql: sql.into(), args }
    }

    /// No stored text has a NUL character, so a question with one has no answer.
    pub(crate) fn matches_nothing(&self) -> bool {
        self.args.iter().any(Value::has_nul)
    }
}

/// Which database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// The words in braces, and what they become in SQLite and in PostgreSQL.
const WORDS: [(&str, &str, &str); 9] = [
    ("{uuid}", "BLOB", "UUID"),
    ("{bytes}", "BLOB", "BYTEA"),
    ("{int}", "INTEGER", "BIGINT"),
    // Text that is compared and sorted byte by byte, whatever the locale of the server is.
    ("{exact}", "TEXT", "TEXT COLLATE \"C\""),
    // Tables whose rows live in their primary key's tree; and columns that only take their own type.
    ("{clustered}", "WITHOUT ROWID, STRICT", ""),
    ("{strict}", "STRICT", ""),
    // The members of a list in a column of JSON text, as rows with a `value`: `{members}(t.list{json}) m`.
    ("{members}", "json_each", "jsonb_array_elements"),
    ("{text_members}", "json_each", "jsonb_array_elements_text"),
    ("{json}", "", "::jsonb"),
];

/// Rows that another transaction holds are passed over: only PostgreSQL has more than one writer.
const SKIP_LOCKED: &str = "{skip_locked}";

impl Kind {
    /// Translates a text.
    pub(crate) fn translate(self, sql: &str) -> String {
        let mut out = sql.to_owned();
        for (word, sqlite, postgres) in WORDS {
            if out.contains(word) {
                out = out.replace(word, if self == Self::Sqlite { sqlite } else { postgres });
            }
        }
        match self {
            Self::Postgres => out.replace(SKIP_LOCKED, "FOR UPDATE SKIP LOCKED"),
            // SQLite takes `$1` for a name and numbers names by order of appearance; `?1` is a number.
            Self::Sqlite => out.replace(SKIP_LOCKED, "").replace('$', "?"),
        }
    }
}

/// Translated texts. Bounded, since all texts come from this crate: literal ones, and lists in a few fixed lengths.
#[derive(Debug)]
pub(crate) struct Dialect {
    kind: Kind,
    texts: RwLock<HashMap<Box<str>, Arc<str>>>,
}

impl Dialect {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, texts: RwLock::default() }
    }

    /// The text as the database reads it.
    pub(crate) fn text(&self, sql: &str) -> Arc<str> {
        if let Some(text) = self.texts.read().unwrap_or_else(PoisonError::into_inner).get(sql) {
            return Arc::clone(text);
        }
        let text: Arc<str> = self.kind.translate(sql).into();
        self.texts.write().unwrap_or_else(PoisonError::into_inner).insert(sql.into(), Arc::clone(&text));
        text
    }
}

/// Adds a value to the arguments and gives the placeholder for it, such as `$2`.
pub(crate) fn arg(args: &mut Vec<Value>, value: impl Into<Value>) -> String {
    args.push(value.into());
    format!("${}", args.len())
}

/// The lengths in which lists of arguments are written, so that there are few different texts.
const LENGTHS: [usize; 5] = [1, 4, 16, 64, 512];

/// The most values that one list takes.
pub(crate) const LIST_MAX: usize = 512;

/// Adds values to the arguments and gives the placeholders for them, such as `$2, $3, $4, $5`. Lists are filled up with
/// their last value to one of a few lengths; values beyond [`LIST_MAX`] are left out. No values: `NULL`, which no
/// column equals.
pub(crate) fn list(args: &mut Vec<Value>, values: &[Value]) -> String {
    use std::fmt::Write as _;

    let Some(last) = values.last() else { return "NULL".to_owned() };
    let values = values.get(..LIST_MAX).unwrap_or(values);
    let length = LENGTHS.into_iter().find(|l| *l >= values.len()).unwrap_or(LIST_MAX);
    let mut out = String::with_capacity(length * 6);
    for place in 0..length {
        args.push(values.get(place).unwrap_or(last).clone());
        let comma = if place == 0 { "" } else { ", " };
        // Writing into a String does not fail.
        let _ = write!(out, "{comma}${}", args.len());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_translated() {
        let sql = "CREATE TABLE a (id {uuid}, b {bytes}, n {int}, t {exact}) {clustered}";
        assert_eq!(Kind::Sqlite.translate(sql), "CREATE TABLE a (id BLOB, b BLOB, n INTEGER, t TEXT) WITHOUT ROWID, STRICT");
        assert_eq!(Kind::Postgres.translate(sql), "CREATE TABLE a (id UUID, b BYTEA, n BIGINT, t TEXT COLLATE \"C\") ");
        let sql = "SELECT a FROM b WHERE c = $2 AND d = $1 {skip_locked}";
        assert_eq!(Kind::Sqlite.translate(sql), "SELECT a FROM b WHERE c = ?2 AND d = ?1 ");
        assert_eq!(Kind::Postgres.translate(sql), "SELECT a FROM b WHERE c = $2 AND d = $1 FOR UPDATE SKIP LOCKED");
        let sql = "SELECT m.value FROM a, {members}(a.list{json}) m";
        assert_eq!(Kind::Sqlite.translate(sql), "SELECT m.value FROM a, json_each(a.list) m");
        assert_eq!(Kind::Postgres.translate(sql), "SELECT m.value FROM a, jsonb_array_elements(a.list::jsonb) m");
    }

    #[test]
    fn lists_have_few_lengths() {
        let mut args = vec![Value::Int(7)];
        assert_eq!(list(&mut args, &[Value::Int(1), Value::Int(2)]), "$2, $3, $4, $5");
        assert_eq!(args, [7, 1, 2, 2, 2].map(Value::Int));
        assert_eq!(list(&mut args, &[]), "NULL");
        let many: Vec<Value> = (0..600).map(Value::Int).collect();
        let mut args = Vec::new();
        assert_eq!(list(&mut args, &many).matches('$').count(), LIST_MAX);
        assert_eq!(args.len(), LIST_MAX);
    }
}
