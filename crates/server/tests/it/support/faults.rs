//! A database file that breaks off work at a chosen moment, as if the power had gone.

use std::path::Path;

use rusqlite::Connection;

/// Counts the rows that are written, from when it is put into a file, and can refuse from one of them on. What was begun
/// and is refused is undone as after a crash: as a whole, with the count.
pub(crate) struct Faults {
    connection: Connection,
}

impl Faults {
    /// Puts it into a file. Nothing is refused yet.
    pub(crate) fn put_into(path: &Path) -> Self {
        let connection = Connection::open(path).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        let mut query = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
        let tables: Vec<String> = query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        drop(query);
        let mut script = "CREATE TABLE test_faults (written INTEGER, refused_from INTEGER);\
                          INSERT INTO test_faults VALUES (0, 1000000);"
            .to_owned();
        for table in tables.iter().filter(|name| !name.starts_with("sqlite_")) {
            for deed in ["INSERT", "UPDATE", "DELETE"] {
                script += &format!(
                    "CREATE TRIGGER test_faults_{table}_{deed} BEFORE {deed} ON \"{table}\" BEGIN \
                     UPDATE test_faults SET written = written + 1; \
                     SELECT RAISE(ABORT, 'the power is gone') FROM test_faults WHERE written >= refused_from; END;"
                );
            }
        }
        connection.execute_batch(&script).unwrap();
        Self { connection }
    }

    /// Refuses the row of this number, counted from the beginning, and all after it.
    pub(crate) fn refuse_from(&self, row: i64) {
        self.connection.execute("UPDATE test_faults SET refused_from = ?1", [row]).unwrap();
    }

    /// How many rows were written so far.
    pub(crate) fn written(&self) -> i64 {
        self.connection.query_row("SELECT written FROM test_faults", [], |row| row.get(0)).unwrap()
    }
}
