//! `database`: the pace of cleaning up.

use std::time::Duration;

use serde::Deserialize;

use super::value::duration;

/// `database`.
#[derive(Clone, Debug, Deserialize)]
pub struct Database {
    /// Deleting what has expired.
    pub cleanup: Cleanup,
}

/// `database.cleanup`.
#[derive(Clone, Debug, Deserialize)]
pub struct Cleanup {
    /// Rows deleted per table at once.
    pub batch_size: u32,
    /// Pauses.
    pub sleep: CleanupSleep,
    /// Younger rows are kept.
    #[serde(deserialize_with = "duration")]
    pub older_than: Duration,
}

/// `database.cleanup.sleep`.
#[derive(Clone, Debug, Deserialize)]
pub struct CleanupSleep {
    /// The pause between tables.
    #[serde(deserialize_with = "duration")]
    pub tables: Duration,
}
