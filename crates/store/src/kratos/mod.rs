//! Reading the database of an Ory Kratos server (v1.3 to v26.2), whose people are to be taken over.
//!
//! Nothing is ever written there. Columns that a release does not have yet are read as absent, and everything is read as
//! text, so that both databases give the same. A row that cannot be understood is told by its id and stops nothing else.
//! With several networks in one database the oldest one counts, as it does for that server.

pub mod again;
mod driver;
mod messages;
mod rows;

use std::collections::{HashMap, HashSet};

use portcullis_model::credential::Credential;
use portcullis_model::identity::{RecoveryAddress, VerifiableAddress};
use portcullis_model::session::Session;
use portcullis_model::time::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::failure::StoreError;
use driver::Driver;
pub use messages::{MessagePart, OldMessage};
use rows::{Columns, Texts};

/// An identity as that database has it.
#[derive(Clone, Debug)]
pub struct OldIdentity {
    /// Its id.
    pub id: Uuid,
    /// The id of its schema.
    pub schema_id: String,
    /// Its traits.
    pub traits: Value,
    /// `active` or `inactive`.
    pub state: String,
    /// When the state last changed.
    pub state_changed_at: Option<Timestamp>,
    /// Public metadata; null if none.
    pub metadata_public: Value,
    /// Metadata for administrators; null if none.
    pub metadata_admin: Value,
    /// The external id (since v25.4).
    pub external_id: Option<String>,
    /// The organization.
    pub organization_id: Option<Uuid>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Its credentials. Their data is that server's: parts of it may be encrypted.
    pub credentials: Vec<Credential>,
    /// Its verifiable addresses.
    pub verifiable_addresses: Vec<VerifiableAddress>,
    /// Its recovery addresses.
    pub recovery_addresses: Vec<RecoveryAddress>,
    /// Its sessions.
    pub sessions: Vec<OldSession>,
    /// What of it could not be understood, in words that hold no values.
    pub unreadable: Vec<String>,
}

/// A session as that database has it.
#[derive(Clone)]
pub struct OldSession {
    /// The session.
    pub session: Session,
    /// Its token, in clear.
    pub token: String,
}

impl std::fmt::Debug for OldSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OldSession").field("session", &self.session).finish_non_exhaustive()
    }
}

/// An identity that could not be read at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its id, as it stands there.
    pub id: String,
    /// What is wrong, in words that hold no values.
    pub reason: String,
}

/// A part of the identities, sorted by id.
#[derive(Debug, Default)]
pub struct Part {
    /// Those that could be read, or why not.
    pub identities: Vec<Result<OldIdentity, Unreadable>>,
    /// Where the next part begins; `None` if this is the last.
    pub next: Option<String>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Identities of the network.
    pub identities: u64,
    /// Its sessions, also those that are over.
    pub sessions: u64,
    /// Messages that wait to be sent.
    pub queued_messages: u64,
    /// Identities of other networks.
    pub foreign_identities: u64,
}

/// The database of a Kratos server, opened for reading.
#[derive(Debug)]
pub struct Source {
    driver: Driver,
    network: Uuid,
    columns: Columns,
    kinds: HashMap<String, String>,
}

/// The tables that are read.
const TABLES: [&str; 9] = [
    "networks",
    "identities",
    "identity_credentials",
    "identity_credential_types",
    "identity_credential_identifiers",
    "identity_verifiable_addresses",
    "identity_recovery_addresses",
    "sessions",
    "session_devices",
];

/// The states of messages that are still to be sent: queued, and being sent.
const WAITING: &str = "(1, 3)";

/// The condition for rows beyond a place.
fn beyond(after: Option<&str>) -> String {
    // Places are ids that were read before: letters, digits and hyphens, or nothing.
    let after = after.filter(|place| place.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'));
    after.map_or_else(String::new, |place| format!(" AND t.id > '{place}'"))
}

impl Source {
    /// Opens a database by its data source name (`sqlite://PATH`, `postgres://...`).
    ///
    /// # Errors
    /// `Unsupported` for other names and for databases that are not those of a Kratos server of v1.3 or later,
    /// `Unavailable` if it cannot be reached.
    pub async fn open(dsn: &str) -> Result<Self, StoreError> {
        let driver = Driver::open(dsn).await?;
        let mut columns = Columns::default();
        for table in TABLES.into_iter().chain(["courier_messages"]) {
            columns.add(table, driver.columns(table).await?);
        }
        let lacks = TABLES.into_iter().find(|table| !columns.has(table, "id"));
        // These came with the oldest release that is understood.
        let lacks = lacks.or_else(|| (!columns.has("identities", "organization_id")).then_some("identities"));
        if let Some(table) = lacks {
            return Err(StoreError::Unsupported(format!(
                "a database that is not of Ory Kratos v1.3 or later: its table {table} is missing or too old"
            )));
        }
        let found = driver.read(&["SELECT CAST(id AS TEXT) FROM networks ORDER BY created_at, id LIMIT 1".to_owned()]).await?;
        let network = found.into_iter().flatten().next().and_then(|row| Texts::new(row).uuid().ok().flatten());
        let network = network.ok_or_else(|| StoreError::Unsupported("a database of Ory Kratos that never served".to_owned()))?;
        let kinds = driver.read(&["SELECT CAST(id AS TEXT), name FROM identity_credential_types".to_owned()]).await?;
        let kinds = kinds.into_iter().flatten().filter_map(|row| {
            let mut row = Texts::new(row);
            Some((row.next()?, row.next()?))
        });
        Ok(Self { driver, network, columns, kinds: kinds.collect() })
    }

    /// Counts what there is.
    ///
    /// # Errors
    /// What the database says.
    pub async fn contents(&self) -> Result<Contents, StoreError> {
        let network = self.network;
        let mut queries = vec![
            format!("SELECT CAST(COUNT(*) AS TEXT) FROM identities WHERE nid = '{network}'"),
            format!("SELECT CAST(COUNT(*) AS TEXT) FROM sessions WHERE nid = '{network}'"),
            format!("SELECT CAST(COUNT(*) AS TEXT) FROM identities WHERE nid <> '{network}'"),
        ];
        if self.columns.has("courier_messages", "status") {
            queries.push(format!(
                "SELECT CAST(COUNT(*) AS TEXT) FROM courier_messages WHERE nid = '{network}' AND status IN {WAITING}"
            ));
        }
        let counts = self.driver.read(&queries).await?;
        let count = |place: usize| {
            let row = counts.get(place).and_then(|rows| rows.first()).cloned();
            row.and_then(|row| Texts::new(row).next()?.parse().ok()).unwrap_or(0)
        };
        Ok(Contents { identities: count(0), sessions: count(1), foreign_identities: count(2), queued_messages: count(3) })
    }

    /// The next identities after a place, with everything of them, read on one snapshot. `limit` is the most that are read.
    ///
    /// # Errors
    /// What the database says.
    pub async fn part(&self, after: Option<&str>, limit: u32) -> Result<Part, StoreError> {
        let beyond = beyond(after);
        let network = self.network;
        let chosen = format!("SELECT t.id FROM identities t WHERE t.nid = '{network}'{beyond} ORDER BY t.id LIMIT {limit}");
        let of = |table: &str, columns: &[&str], order: &str| {
            let list = self.columns.list(table, columns);
            format!("SELECT {list} FROM {table} t WHERE t.identity_id IN ({chosen}) ORDER BY t.identity_id, {order}")
        };
        let queries = [
            format!(
                "SELECT {} FROM identities t WHERE t.nid = '{network}'{beyond} ORDER BY t.id LIMIT {limit}",
                self.columns.list("identities", &rows::IDENTITY)
            ),
            of("identity_credentials", &rows::CREDENTIAL, "t.created_at, t.id"),
            format!(
                "SELECT CAST(c.identity_id AS TEXT), CAST(t.identity_credential_id AS TEXT), t.identifier \
                 FROM identity_credential_identifiers t JOIN identity_credentials c ON c.id = t.identity_credential_id \
                 WHERE c.identity_id IN ({chosen}) ORDER BY c.identity_id, t.created_at, t.id"
            ),
            of("identity_verifiable_addresses", &rows::VERIFIABLE, "t.created_at, t.id"),
            of("identity_recovery_addresses", &rows::RECOVERY, "t.created_at, t.id"),
            of("sessions", &rows::SESSION, "t.created_at, t.id"),
            format!(
                "SELECT CAST(s.identity_id AS TEXT), CAST(t.session_id AS TEXT), {} FROM session_devices t \
                 JOIN sessions s ON s.id = t.session_id WHERE s.identity_id IN ({chosen}) \
                 ORDER BY s.identity_id, t.created_at, t.id",
                self.columns.list("session_devices", &rows::DEVICE)
            ),
        ];
        let answers = self.driver.read(&queries).await?;
        Ok(rows::assemble(answers, &self.kinds, limit))
    }

    /// Which of these ids are those of identities of the network.
    ///
    /// # Errors
    /// What the database says.
    pub async fn known(&self, ids: &[Uuid]) -> Result<HashSet<Uuid>, StoreError> {
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let list: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
        let network = self.network;
        let query =
            format!("SELECT CAST(t.id AS TEXT) FROM identities t WHERE t.nid = '{network}' AND t.id IN ({})", list.join(", "));
        let found = self.driver.read(&[query]).await?;
        Ok(found.into_iter().flatten().filter_map(|row| Texts::new(row).uuid().ok().flatten()).collect())
    }
}
