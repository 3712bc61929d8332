//! `identity`: which identity schemas there are. What they say is loaded elsewhere.

use serde::Deserialize;

/// `identity`.
#[derive(Clone, Debug, Deserialize)]
pub struct Identity {
    /// The schema of people who sign up by themselves; it is one of `schemas`.
    pub default_schema_id: String,
    /// The schemas, at least one. If two have the same id, the first one counts.
    pub schemas: Vec<SchemaSource>,
}

impl Identity {
    /// Where the schema of that id is.
    #[must_use]
    pub fn schema(&self, id: &str) -> Option<&SchemaSource> {
        self.schemas.iter().find(|s| s.id == id)
    }
}

/// `identity.schemas[]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SchemaSource {
    /// Its name.
    pub id: String,
    /// Where it is: `file://`, `http(s)://` or `base64://`.
    pub url: String,
    /// Whether a sign-up may ask for it by `?identity_schema=`.
    pub selfservice_selectable: bool,
}
