//! From rows of texts to identities.

use std::collections::{HashMap, HashSet};

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::identity::{AddressStatus, RecoveryAddress, VerifiableAddress, Via};
use portcullis_model::json;
use portcullis_model::session::{Aal, AuthenticationMethod, Device, Session};
use portcullis_model::time::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::driver::RawRow;
use super::{OldIdentity, OldSession, Part, Unreadable};

/// The columns of an identity, in the order in which they are read; likewise the others.
pub(super) const IDENTITY: [&str; 11] = [
    "id",
    "schema_id",
    "traits",
    "state",
    "state_changed_at",
    "metadata_public",
    "metadata_admin",
    "external_id",
    "organization_id",
    "created_at",
    "updated_at",
];
pub(super) const CREDENTIAL: [&str; 7] =
    ["identity_id", "id", "identity_credential_type_id", "config", "version", "created_at", "updated_at"];
pub(super) const VERIFIABLE: [&str; 9] =
    ["identity_id", "id", "value", "verified", "via", "status", "verified_at", "created_at", "updated_at"];
pub(super) const RECOVERY: [&str; 6] = ["identity_id", "id", "value", "via", "created_at", "updated_at"];
pub(super) const SESSION: [&str; 11] = [
    "identity_id",
    "id",
    "token",
    "active",
    "aal",
    "authentication_methods",
    "authenticated_at",
    "issued_at",
    "expires_at",
    "created_at",
    "updated_at",
];
pub(super) const DEVICE: [&str; 4] = ["id", "ip_address", "user_agent", "location"];

/// Which columns the tables have.
#[derive(Debug, Default)]
pub(super) struct Columns(HashSet<(&'static str, String)>);

impl Columns {
    pub(super) fn add(&mut self, table: &'static str, columns: Vec<String>) {
        self.0.extend(columns.into_iter().map(|column| (table, column)));
    }

    pub(super) fn has(&self, table: &str, column: &str) -> bool {
        self.0.iter().any(|(t, c)| *t == table && c == column)
    }

    /// Columns of the table `t` as texts; those that the release does not have are nothing.
    pub(super) fn list(&self, table: &str, columns: &[&str]) -> String {
        let one = |column: &&str| {
            if self.has(table, column) { format!("CAST(t.{column} AS TEXT)") } else { "NULL".to_owned() }
        };
        columns.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// What is wrong with a column.
type Wrong = String;

/// A row, read from left to right.
pub(super) struct Texts(std::vec::IntoIter<Option<String>>);

impl Texts {
    pub(super) fn new(row: RawRow) -> Self {
        Self(row.into_iter())
    }

    pub(super) fn next(&mut self) -> Option<String> {
        self.0.next().flatten()
    }

    pub(super) fn uuid(&mut self) -> Result<Option<Uuid>, Wrong> {
        match self.next().filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => Uuid::try_parse(&text).map(Some).map_err(|_| "an id is none".to_owned()),
        }
    }

    pub(super) fn id(&mut self) -> Result<Uuid, Wrong> {
        self.uuid()?.ok_or_else(|| "an id is missing".to_owned())
    }

    pub(super) fn text(&mut self) -> String {
        self.next().unwrap_or_default()
    }

    fn json(&mut self, what: &str) -> Result<Value, Wrong> {
        match self.next().filter(|text| !text.is_empty()) {
            None => Ok(Value::Null),
            Some(text) => json::read(text.as_bytes()).map_err(|_| format!("{what} is no JSON")),
        }
    }

    fn opt_time(&mut self) -> Option<Timestamp> {
        self.next().and_then(|text| time_of(&text))
    }

    pub(super) fn time(&mut self, what: &str) -> Result<Timestamp, Wrong> {
        self.opt_time().ok_or_else(|| format!("{what} is no time"))
    }

    fn flag(&mut self) -> bool {
        matches!(self.next().as_deref(), Some("1" | "true" | "t"))
    }
}

/// A point in time as both databases and all drivers of that server write it: date, time of day, a fraction, and an offset
/// from UTC that may be left out. What follows (the name of a zone, a monotonic clock) does not matter.
fn time_of(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let (date, rest) = text.split_at_checked(10)?;
    let (clock, rest) = rest.get(1..)?.split_at_checked(8)?;
    let digits = rest.strip_prefix('.').map_or(0, |f| f.bytes().take_while(u8::is_ascii_digit).count() + 1);
    let (fraction, rest) = rest.split_at_checked(digits)?;
    let fraction = fraction.get(..fraction.len().min(10))?;
    let zone = rest.trim_start();
    let offset = match zone.chars().next() {
        Some(sign @ ('+' | '-')) => {
            let figures: String =
                zone.chars().skip(1).take_while(|c| c.is_ascii_digit() || *c == ':').filter(|c| *c != ':').collect();
            let (hours, minutes) = (figures.get(..2)?, figures.get(2..4).unwrap_or("00"));
            format!("{sign}{hours}:{minutes}")
        }
        _ => "Z".to_owned(),
    };
    let fraction = if fraction == "." { "" } else { fraction };
    Timestamp::parse(&format!("{date}T{clock}{fraction}{offset}")).ok()
}

/// Puts the answers to the queries of a part together.
pub(super) fn assemble(answers: Vec<Vec<RawRow>>, kinds: &HashMap<String, String>, limit: u32) -> Part {
    let mut answers = answers.into_iter();
    let identities = answers.next().unwrap_or_default();
    let mut by_owner: Vec<HashMap<String, Vec<RawRow>>> = answers.map(grouped).collect();
    by_owner.resize_with(6, HashMap::new);
    let whole = identities.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next = identities.last().and_then(|row| row.first()?.clone()).filter(|_| whole);
    let one = |row: RawRow| {
        let id = row.first().cloned().flatten().unwrap_or_default();
        let theirs: Vec<Vec<RawRow>> = by_owner.iter_mut().map(|rows| rows.remove(&id).unwrap_or_default()).collect();
        identity(row, theirs, kinds).map_err(|reason| Unreadable { id, reason })
    };
    Part { identities: identities.into_iter().map(one).collect(), next }
}

/// Rows by their first column.
fn grouped(rows: Vec<RawRow>) -> HashMap<String, Vec<RawRow>> {
    let mut out: HashMap<String, Vec<RawRow>> = HashMap::new();
    for mut row in rows {
        if !row.is_empty() {
            let owner = row.remove(0).unwrap_or_default();
            out.entry(owner).or_default().push(row);
        }
    }
    out
}

fn identity(row: RawRow, theirs: Vec<Vec<RawRow>>, kinds: &HashMap<String, String>) -> Result<OldIdentity, Wrong> {
    let mut row = Texts::new(row);
    let mut theirs = theirs.into_iter();
    let mut rows = || theirs.next().unwrap_or_default();
    let mut unreadable = Vec::new();
    let mut out = OldIdentity {
        id: row.id()?,
        schema_id: row.text(),
        traits: row.json("traits")?,
        state: row.text(),
        state_changed_at: row.opt_time(),
        metadata_public: row.json("metadata_public")?,
        metadata_admin: row.json("metadata_admin")?,
        external_id: row.next().filter(|id| !id.is_empty()),
        organization_id: row.uuid()?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        credentials: Vec::new(),
        verifiable_addresses: Vec::new(),
        recovery_addresses: Vec::new(),
        sessions: Vec::new(),
        unreadable: Vec::new(),
    };
    let credentials = rows();
    let mut identifiers = grouped(rows());
    for row in credentials {
        let names = row.first().cloned().flatten().and_then(|id| identifiers.remove(&id)).unwrap_or_default();
        let names = names.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect();
        match credential(row, names, kinds) {
            Ok(credential) => out.credentials.push(credential),
            Err(wrong) => unreadable.push(format!("a credential: {wrong}")),
        }
    }
    out.verifiable_addresses = each(rows(), "a verifiable address", &mut unreadable, verifiable);
    out.recovery_addresses = each(rows(), "a recovery address", &mut unreadable, recovery);
    let sessions = rows();
    let mut devices = grouped(rows());
    let owner = out.id;
    out.sessions = each(sessions, "a session", &mut unreadable, |row| {
        let devices = row.first().cloned().flatten().and_then(|id| devices.remove(&id)).unwrap_or_default();
        session(row, devices, owner)
    });
    out.unreadable = unreadable;
    Ok(out)
}

fn each<T>(
    rows: Vec<RawRow>,
    what: &str,
    unreadable: &mut Vec<String>,
    mut read: impl FnMut(RawRow) -> Result<T, Wrong>,
) -> Vec<T> {
    let mut out = Vec::with_capacity(rows.len());
    for row in rows {
        match read(row) {
            Ok(value) => out.push(value),
            Err(wrong) => unreadable.push(format!("{what}: {wrong}")),
        }
    }
    out
}

fn credential(row: RawRow, identifiers: Vec<String>, kinds: &HashMap<String, String>) -> Result<Credential, Wrong> {
    let mut row = Texts::new(row);
    let id = row.id()?;
    let kind = row.next().and_then(|id| kinds.get(&id)).ok_or("its type is not in the list of types")?;
    let kind: CredentialType = kind.parse().map_err(|_| format!("the type {kind:?} is not known here"))?;
    Ok(Credential {
        id,
        kind,
        identifiers,
        config: row.json("its data")?,
        version: row.next().and_then(|v| v.parse().ok()).unwrap_or(0),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

fn via(word: &str) -> Result<Via, Wrong> {
    match word {
        "email" => Ok(Via::Email),
        "sms" | "phone" => Ok(Via::Sms),
        _ => Err("its channel is neither email nor sms".to_owned()),
    }
}

fn verifiable(row: RawRow) -> Result<VerifiableAddress, Wrong> {
    let mut row = Texts::new(row);
    Ok(VerifiableAddress {
        id: row.id()?,
        value: row.text(),
        verified: row.flag(),
        via: via(&row.text())?,
        status: match row.text().as_str() {
            "completed" => AddressStatus::Completed,
            "sent" => AddressStatus::Sent,
            _ => AddressStatus::Pending,
        },
        verified_at: row.opt_time(),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

fn recovery(row: RawRow) -> Result<RecoveryAddress, Wrong> {
    let mut row = Texts::new(row);
    Ok(RecoveryAddress {
        id: row.id()?,
        value: row.text(),
        via: via(&row.text())?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

fn session(row: RawRow, devices: Vec<RawRow>, identity_id: Uuid) -> Result<OldSession, Wrong> {
    let mut row = Texts::new(row);
    let id = row.id()?;
    let token = row.text();
    let active = row.flag();
    let level = row.text();
    let methods = methods(&row.json("its list of methods")?);
    let authenticated_at = row.opt_time();
    let issued_at = row.time("issued_at")?;
    let session = Session {
        id,
        identity_id,
        active,
        aal: aal(&level).unwrap_or_else(|| Session::level_of(&methods)),
        methods,
        authenticated_at: authenticated_at.unwrap_or(issued_at),
        issued_at,
        expires_at: row.time("expires_at")?,
        devices: devices.into_iter().filter_map(device).collect(),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    };
    Ok(OldSession { session, token })
}

fn aal(word: &str) -> Option<Aal> {
    [Aal::Aal0, Aal::Aal1, Aal::Aal2].into_iter().find(|level| level.as_str() == word)
}

/// The proofs of a session. One without a level is a first factor; that server wrote none in its early releases.
fn methods(list: &Value) -> Vec<AuthenticationMethod> {
    let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
    let one = |entry: &Value| {
        let completed_at = text(entry, "completed_at").and_then(|t| time_of(&t)).unwrap_or(Timestamp::from_micros(0));
        let level = text(entry, "aal").and_then(|word| aal(&word)).unwrap_or(Aal::Aal1);
        let method = AuthenticationMethod::new(&text(entry, "method")?, level, completed_at);
        Some(AuthenticationMethod { provider: text(entry, "provider"), organization: text(entry, "organization"), ..method })
    };
    list.as_array().into_iter().flatten().filter_map(one).collect()
}

fn device(row: RawRow) -> Option<Device> {
    let mut row = Texts::new(row);
    Some(Device { id: row.id().ok()?, ip_address: row.text(), user_agent: row.text(), location: row.text() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_every_driver_are_read() {
        let moment = Timestamp::parse("2024-01-02T03:04:05.678901Z").unwrap();
        for (text, expected) in [
            ("2024-01-02 03:04:05.678901", Some(moment)),
            ("2024-01-02 03:04:05.678901+00", Some(moment)),
            ("2024-01-02 03:04:05.678901123+00:00", Some(moment)),
            ("2024-01-02T03:04:05.678901Z", Some(moment)),
            ("2024-01-02 03:04:05.678901 +0000 UTC", Some(moment)),
            ("2024-01-02 03:04:05.678901 +0000 UTC m=+0.000000001", Some(moment)),
            ("2024-01-02 05:04:05.678901+02:00", Some(moment)),
            ("2024-01-02 03:04:05", Timestamp::parse("2024-01-02T03:04:05Z").ok()),
            ("2024-01-02", None),
            ("yesterday, at about three o'clock", None),
            ("ä2024-01-02 03:04:05", None),
            ("", None),
        ] {
            assert_eq!(time_of(text), expected, "{text}");
        }
    }

    #[test]
    fn proofs_are_read_as_far_as_they_go() {
        let list = serde_json::json!([
            {"method": "password", "aal": "aal1", "completed_at": "2024-01-02T03:04:05Z"},
            {"method": "oidc", "provider": "hub", "organization": ""},
            {"aal": "aal2"},
            7
        ]);
        let read = methods(&list);
        assert_eq!(
            read.iter().map(|m| (m.method.as_str(), m.aal)).collect::<Vec<_>>(),
            [("password", Aal::Aal1), ("oidc", Aal::Aal1)]
        );
        assert_eq!((read[1].provider.as_deref(), read[1].organization.as_deref()), (Some("hub"), None));
        assert!(methods(&Value::Null).is_empty());
    }
}
