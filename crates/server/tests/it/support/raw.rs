//! A database file as a thief sees it: every value of every table, and the bytes of its files.

use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

/// A database file and what lies beside it.
pub(crate) struct RawDatabase {
    path: PathBuf,
}

impl RawDatabase {
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    fn open(&self) -> Connection {
        Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
    }

    /// The names of all tables.
    pub(crate) fn tables(&self) -> Vec<String> {
        let connection = self.open();
        let mut query = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// How many rows a table has.
    pub(crate) fn count(&self, table: &str) -> usize {
        self.values(table).len()
    }

    /// How many pages (4 KiB) it has, free or not.
    pub(crate) fn pages(&self) -> i64 {
        self.open().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap()
    }

    /// Every row of a table: its values as bytes, with their columns' names.
    pub(crate) fn values(&self, table: &str) -> Vec<Vec<(String, Vec<u8>)>> {
        let connection = self.open();
        let mut query = connection.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let names: Vec<String> = query.column_names().map(str::to_owned).collect();
        let mut rows = query.query([]).unwrap();
        let mut out = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let value = |(index, name): (usize, &String)| {
                let bytes = match row.get_ref(index).unwrap() {
                    ValueRef::Null => Vec::new(),
                    ValueRef::Integer(number) => number.to_string().into_bytes(),
                    ValueRef::Real(number) => number.to_string().into_bytes(),
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
                };
                (name.clone(), bytes)
            };
            out.push(names.iter().enumerate().map(value).collect());
        }
        out
    }

    /// The places where any of `secrets` stands in clear: in a table, or anywhere in the files.
    pub(crate) fn places_of(&self, secrets: &[(String, Vec<u8>)]) -> Vec<String> {
        let mut places = Vec::new();
        for table in self.tables() {
            for (column, bytes) in self.values(&table).into_iter().flatten() {
                places.extend(found(secrets, &bytes).map(|name| format!("{name} in {table}.{column}")));
            }
        }
        for ending in ["", "-wal", "-shm", "-journal"] {
            let mut path = self.path.clone().into_os_string();
            path.push(ending);
            let Ok(bytes) = std::fs::read(&path) else { continue };
            places.extend(found(secrets, &bytes).map(|name| format!("{name} in {}", path.display())));
        }
        places.sort();
        places.dedup();
        places
    }
}

/// The names of those secrets that stand in a text.
pub(crate) fn found<'a>(secrets: &'a [(String, Vec<u8>)], haystack: &[u8]) -> impl Iterator<Item = &'a str> {
    secrets.iter().filter(|(_, secret)| contains(haystack, secret)).map(|(name, _)| name.as_str()).collect::<Vec<_>>().into_iter()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    assert!(needle.len() >= 6, "too short to be looked for");
    let first = needle[0];
    let mut rest = haystack;
    while let Some(at) = rest.iter().position(|b| *b == first) {
        rest = &rest[at..];
        if rest.starts_with(needle) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}
