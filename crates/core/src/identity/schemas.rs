//! The identity schemas that the configuration names: read, checked and compiled once for each configuration.
//!
//! A schema that cannot be read or does not say what an identity schema must say stops the start, so that no request
//! meets it. The schemas API reads the sources again, because operators watch there whether a source is still good.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_model::schema::IdentitySchema;
use serde_json::Value;

use crate::config::Config;
use crate::outbound::{Client as Outbound, SourceError};

/// How many documents one schema may refer to, directly or through each other.
const MAX_REFERENCES: usize = 64;

/// Why the identity schemas of a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemasError {
    /// A source cannot be read.
    #[error("the identity schema {id:?} cannot be read: {reason}")]
    Source {
        /// The schema's id.
        id: String,
        /// What went wrong.
        reason: String,
    },
    /// A source is not JSON.
    #[error("the identity schema {id:?} is not JSON: {reason}")]
    Json {
        /// The schema's id.
        id: String,
        /// What went wrong.
        reason: String,
    },
    /// A document is not an identity schema.
    #[error("the identity schema {id:?} is not usable: {reason}")]
    Invalid {
        /// The schema's id.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A schema refers to another document although the configuration forbids it, or to too many.
    #[error("the identity schema {id:?} refers to {url}: {reason}")]
    Reference {
        /// The schema's id.
        id: String,
        /// What it refers to.
        url: String,
        /// Why that is refused.
        reason: String,
    },
    /// The default schema is not among the configured ones.
    #[error("identity.default_schema_id is {0:?}, but no schema of that id is configured")]
    NoDefault(String),
}

/// One configured schema.
struct Entry {
    id: String,
    source: String,
    selectable: bool,
    document: Arc<Value>,
    schema: Arc<IdentitySchema>,
}

/// The identity schemas of a configuration, in configured order.
pub struct Schemas {
    entries: Vec<Entry>,
    default: Arc<IdentitySchema>,
}

impl Schemas {
    /// Reads, checks and compiles all configured schemas. Each source is at most 1 MiB.
    ///
    /// # Errors
    /// The first schema that cannot be used, by its id.
    pub async fn load(config: &Config, outbound: &Outbound) -> Result<Self, SchemasError> {
        let mut entries = Vec::with_capacity(config.identity.schemas.len());
        let mut ids = BTreeSet::new();
        for configured in &config.identity.schemas {
            // The first of an id counts.
            if !ids.insert(configured.id.as_str()) {
                continue;
            }
            let document = read(&configured.id, &configured.url, outbound).await?;
            let forbidden = config.security.disallow_ref_in_identity_schemas;
            let resources = references(&configured.id, &document, forbidden, outbound).await?;
            let schema = IdentitySchema::parse_with(&configured.id, &document, &resources)
                .map_err(|e| SchemasError::Invalid { id: configured.id.clone(), reason: e.to_string() })?;
            entries.push(Entry {
                id: configured.id.clone(),
                source: configured.url.clone(),
                selectable: configured.selfservice_selectable,
                document: Arc::new(document),
                schema: Arc::new(schema),
            });
        }
        let wanted = &config.identity.default_schema_id;
        let default = entries
            .iter()
            .find(|e| e.id == *wanted)
            .map(|e| Arc::clone(&e.schema))
            .ok_or_else(|| SchemasError::NoDefault(wanted.clone()))?;
        Ok(Self { entries, default })
    }

    fn entry(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.id == id)
    }

    /// The schema of an id as it is stored with identities.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<IdentitySchema>> {
        self.entry(id).map(|e| Arc::clone(&e.schema))
    }

    /// The schema that a client names: by its plain id, else by its id in unpadded base64url.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<Arc<IdentitySchema>> {
        self.named(name).map(|e| Arc::clone(&e.schema))
    }

    fn named(&self, name: &str) -> Option<&Entry> {
        self.entry(name).or_else(|| {
            let plain = URL_SAFE_NO_PAD.decode(name).ok()?;
            self.entry(std::str::from_utf8(&plain).ok()?)
        })
    }

    /// The schema of identities for which none is named.
    #[must_use]
    pub fn default_schema(&self) -> Arc<IdentitySchema> {
        Arc::clone(&self.default)
    }

    /// The schema that a person may choose for signing in or up: the default one always, others if they are marked so.
    #[must_use]
    pub fn selectable(&self, id: &str) -> Option<Arc<IdentitySchema>> {
        self.entry(id).filter(|e| e.selectable || e.id == self.default.id()).map(|e| Arc::clone(&e.schema))
    }

    /// The ids, in configured order.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = &str> {
        self.entries.iter().map(|e| e.id.as_str())
    }

    /// The text of a schema as it was when the configuration was loaded.
    #[must_use]
    pub fn document(&self, id: &str) -> Option<Arc<Value>> {
        self.entry(id).map(|e| Arc::clone(&e.document))
    }

    /// Reads a schema's source again. `name` is as for [`resolve`](Self::resolve); `None` if no schema is meant by it.
    ///
    /// # Errors
    /// If the source is gone or is no JSON any more. Identities keep following the schema as it was loaded.
    pub async fn read_again(&self, name: &str, outbound: &Outbound) -> Result<Option<Value>, SchemasError> {
        match self.named(name) {
            None => Ok(None),
            // What lies in the configuration cannot have changed.
            Some(entry) if entry.source.starts_with("base64://") => Ok(Some((*entry.document).clone())),
            Some(entry) => read(&entry.id, &entry.source, outbound).await.map(Some),
        }
    }
}

async fn read(id: &str, source: &str, outbound: &Outbound) -> Result<Value, SchemasError> {
    // An address is worth naming; a document inside the configuration is too long to.
    let named = |e: SourceError| if source.starts_with("base64://") { e.to_string() } else { format!("{source}: {e}") };
    let text = outbound.load(source).await.map_err(|e| SchemasError::Source { id: id.to_owned(), reason: named(e) })?;
    serde_json::from_slice(&text).map_err(|e| SchemasError::Json { id: id.to_owned(), reason: e.to_string() })
}

/// Loads the other documents that a schema refers to, and those that they refer to. References into the document itself
/// need nothing.
async fn references(
    id: &str,
    document: &Value,
    forbidden: bool,
    outbound: &Outbound,
) -> Result<Vec<(String, Value)>, SchemasError> {
    let mut found = BTreeMap::new();
    let mut open: Vec<String> = remote_references(document);
    while let Some(url) = open.pop() {
        if found.contains_key(&url) {
            continue;
        }
        let refuse = |reason: &str| SchemasError::Reference { id: id.to_owned(), url: url.clone(), reason: reason.to_owned() };
        if forbidden {
            return Err(refuse("security.disallow_ref_in_identity_schemas forbids references to other documents"));
        }
        if found.len() >= MAX_REFERENCES {
            return Err(refuse("a schema may not refer to more than 64 documents"));
        }
        let bytes = outbound.load(&url).await.map_err(|e| refuse(&e.to_string()))?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|e| refuse(&e.to_string()))?;
        open.extend(remote_references(&value));
        found.insert(url, value);
    }
    Ok(found.into_iter().collect())
}

/// The absolute URLs, without fragments, that stand under `$ref` anywhere in a document, but not the document's own `$id`.
fn remote_references(document: &Value) -> Vec<String> {
    let own = document.get("$id").and_then(Value::as_str).unwrap_or_default();
    let own = own.split('#').next().unwrap_or_default();
    let mut urls = BTreeSet::new();
    let mut open = vec![document];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                    let url = reference.split('#').next().unwrap_or_default();
                    if url.contains("://") && url != own && !url.starts_with("http://json-schema.org/") {
                        urls.insert(url.to_owned());
                    }
                }
                open.extend(map.values());
            }
            Value::Array(list) => open.extend(list),
            _ => {}
        }
    }
    urls.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_references_to_other_documents_are_loaded() {
        let document = json!({
            "$id": "https://example.org/a.json",
            "properties": {
                "traits": {
                    "properties": {
                        "a": { "$ref": "#/definitions/a" },
                        "b": { "$ref": "https://example.org/a.json#/definitions/a" },
                        "c": { "allOf": [{ "$ref": "https://example.org/b.json#/definitions/b" }] },
                        "d": { "$ref": "https://example.org/b.json" }
                    }
                }
            }
        });
        assert_eq!(remote_references(&document), ["https://example.org/b.json"]);
    }
}
