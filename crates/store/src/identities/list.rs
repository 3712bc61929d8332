//! Lists of identities, sorted by id.

use portcullis_model::identity::IdentityWithCredentials;
use uuid::Uuid;

use super::{from_row, identity_columns};
use crate::credentials;
use crate::dialect::{LIST_MAX, Query, arg, list as in_list};
use crate::failure::StoreError;
use crate::store::{Store, two};
use crate::value::Value;

/// Which identities are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityFilter {
    /// All.
    All,
    /// Those of these ids; unknown and repeated ones do not matter.
    Ids(Vec<Uuid>),
    /// Those of an organization.
    Organization(Uuid),
    /// Those that have an identifier. Password, code and WebAuthn are searched for the normal form, social sign-in and SAML
    /// for the text as it was asked for; other types are not searched.
    Identifier {
        /// In normal form.
        normal: String,
        /// As it was asked for.
        exact: String,
    },
    /// Those that have an identifier, in one of those types, which begins with this text.
    IdentifierPrefix(String),
}

/// A part of a list that is sorted by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The last id of the page before; `None` for the first page.
    pub after: Option<Uuid>,
    /// The most entries.
    pub limit: u32,
}

/// A page of identities, sorted by id. Without `with_credentials` their lists of credentials are empty.
///
/// # Errors
/// What the database says.
pub async fn list(
    store: &Store,
    filter: &IdentityFilter,
    page: Page,
    with_credentials: bool,
) -> Result<Vec<IdentityWithCredentials>, StoreError> {
    let (mut condition, mut args) = selection(filter);
    if let Some(after) = page.after {
        condition = format!("({condition}) AND i.id > {}", arg(&mut args, after));
    }
    let rest = format!("WHERE {condition} ORDER BY i.id LIMIT {}", arg(&mut args, page.limit));
    load(store, &rest, args, with_credentials).await
}

/// A part of the list of identities by its place, sorted by id; for numbered pages.
///
/// # Errors
/// What the database says.
pub async fn list_offset(
    store: &Store,
    filter: &IdentityFilter,
    offset: u32,
    limit: u32,
    with_credentials: bool,
) -> Result<Vec<IdentityWithCredentials>, StoreError> {
    let (condition, mut args) = selection(filter);
    let rest = format!("WHERE {condition} ORDER BY i.id LIMIT {} OFFSET {}", arg(&mut args, limit), arg(&mut args, offset));
    load(store, &rest, args, with_credentials).await
}

/// Whether there is nobody yet.
///
/// # Errors
/// What the database says.
pub async fn is_empty(store: &Store) -> Result<bool, StoreError> {
    Ok(store.read_one(Query::new("SELECT 1 FROM identities LIMIT 1", vec![])).await?.is_empty())
}

/// The number of identities.
///
/// # Errors
/// What the database says.
pub async fn count(store: &Store, filter: &IdentityFilter) -> Result<u64, StoreError> {
    let (condition, args) = selection(filter);
    let query = Query::new(format!("SELECT COUNT(*) FROM identities i WHERE {condition}"), args);
    let rows = store.read_long(vec![query]).await?.into_iter().flatten().next();
    rows.map_or(Ok(0), |mut row| row.count())
}

async fn load(
    store: &Store,
    rest: &str,
    args: Vec<Value>,
    with_credentials: bool,
) -> Result<Vec<IdentityWithCredentials>, StoreError> {
    let identities = format!("SELECT {} FROM identities i {rest}", identity_columns!());
    let mut queries = vec![Query::new(identities, args.clone())];
    if with_credentials {
        let theirs = format!(
            "SELECT {} FROM credentials c WHERE c.identity_id IN (SELECT i.id FROM identities i {rest})",
            credentials::COLUMNS
        );
        queries.push(Query::new(theirs, args));
    }
    let (identities, theirs) = two(store.read_long(queries).await?);
    let mut theirs = credentials::sorted(theirs)?;
    let one = |mut row| {
        let identity = from_row(&mut row)?;
        let credentials = theirs.remove(&identity.id).unwrap_or_default();
        Ok(IdentityWithCredentials { identity, credentials })
    };
    identities.into_iter().map(one).collect()
}

/// A condition on `i`, and its arguments.
fn selection(filter: &IdentityFilter) -> (String, Vec<Value>) {
    let mut args = Vec::new();
    let condition = match filter {
        IdentityFilter::All => "TRUE".to_owned(),
        IdentityFilter::Ids(ids) => {
            let ids: Vec<Value> = ids.iter().copied().map(Value::Uuid).collect();
            let parts: Vec<String> = ids.chunks(LIST_MAX).map(|part| format!("i.id IN ({})", in_list(&mut args, part))).collect();
            if parts.is_empty() { "FALSE".to_owned() } else { format!("({})", parts.join(" OR ")) }
        }
        IdentityFilter::Organization(id) => format!("i.organization_id = {}", arg(&mut args, *id)),
        IdentityFilter::Identifier { normal, exact } => format!(
            "i.id IN (SELECT n.identity_id FROM credential_identifiers n WHERE \
             (n.kind IN ('password', 'code', 'webauthn') AND n.identifier = {}) OR \
             (n.kind IN ('oidc', 'saml') AND n.identifier = {}))",
            arg(&mut args, normal.as_str()),
            arg(&mut args, exact.as_str())
        ),
        IdentityFilter::IdentifierPrefix(prefix) => format!(
            "i.id IN (SELECT n.identity_id FROM credential_identifiers n WHERE \
             n.kind IN ('password', 'oidc', 'saml', 'code', 'webauthn') AND n.identifier >= {} AND n.identifier < {})",
            arg(&mut args, prefix.as_str()),
            arg(&mut args, after_prefix(prefix))
        ),
    };
    (condition, args)
}

/// The smallest text that is greater than all that begin with the prefix, byte by byte. If there is none (all characters
/// are the greatest one), a text greater than any that occurs.
fn after_prefix(prefix: &str) -> String {
    let mut out = prefix.to_owned();
    while let Some(last) = out.pop() {
        if let Some(next) = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32) {
            out.push(next);
            return out;
        }
    }
    format!("{prefix}{}", char::MAX.to_string().repeat(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_before_the_next_character() {
        for (prefix, after) in [("ab", "ac"), ("a\u{d7ff}", "a\u{e000}"), ("a\u{10ffff}", "b"), ("é", "ê")] {
            assert_eq!(after_prefix(prefix), after);
            assert!(format!("{prefix}{}", char::MAX).as_str() < after);
        }
        assert!(after_prefix("").as_str() > "zzz");
    }

    #[test]
    fn long_lists_of_ids_are_split() {
        let ids = (0..600).map(Uuid::from_u128).collect();
        let (condition, args) = selection(&IdentityFilter::Ids(ids));
        assert_eq!(condition.matches(" IN ").count(), 2);
        assert!(args.contains(&Value::Uuid(Uuid::from_u128(599))));
        assert_eq!(selection(&IdentityFilter::Ids(vec![])).0, "FALSE");
    }
}
