//! A database as an Ory Kratos server has it: its tables by their names, with as many columns as matter, and people in it.

use std::path::Path;

use rusqlite::Connection;
use uuid::Uuid;

/// Which release made the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// v1.3.
    Old,
    /// v26.2: identities have external ids.
    New,
}

/// The id of the network, and that of another one in the same database.
const NETWORK: &str = "11111111-0000-4000-8000-000000000001";
const ELSEWHERE: &str = "11111111-0000-4000-8000-000000000002";

/// The types of credentials; each has an id that differs in its last digit.
const KINDS: [&str; 9] = ["password", "oidc", "totp", "lookup_secret", "webauthn", "code", "passkey", "saml", "hologram"];

/// Statements that make the tables, for either database.
pub(crate) struct OldServer {
    release: Release,
    is_file: bool,
    statements: Vec<String>,
}

/// A person of the other server.
pub(crate) struct OldPerson {
    pub(crate) id: Uuid,
    pub(crate) email: String,
}

impl OldServer {
    /// An empty database in a file.
    pub(crate) fn in_file(release: Release) -> Self {
        Self::new(release, true)
    }

    /// An empty database on a PostgreSQL server.
    pub(crate) fn on_server(release: Release) -> Self {
        Self::new(release, false)
    }

    fn new(release: Release, is_file: bool) -> Self {
        let (id, time, json) = if is_file { ("char(36)", "DATETIME", "TEXT") } else { ("UUID", "timestamp", "jsonb") };
        let bytes = if is_file { "BLOB" } else { "BYTEA" };
        let channel = if release == Release::New { ", channel VARCHAR(32)" } else { "" };
        let external = if release == Release::New { ", external_id VARCHAR(64)" } else { "" };
        let times = format!("created_at {time} NOT NULL, updated_at {time} NOT NULL");
        let key = format!("id {id} PRIMARY KEY, nid {id} NOT NULL");
        let tables = [
            format!("networks (id {id} PRIMARY KEY, {times})"),
            format!(
                "identities ({key}, schema_id VARCHAR(2048) NOT NULL, traits {json} NOT NULL, state VARCHAR(255) NOT NULL, \
                 state_changed_at {time}, metadata_public {json}, metadata_admin {json}, available_aal VARCHAR(4), \
                 organization_id {id}{external}, {times})"
            ),
            format!("identity_credential_types (id {id} PRIMARY KEY, name VARCHAR(32) NOT NULL)"),
            format!(
                "identity_credentials ({key}, identity_id {id} NOT NULL, identity_credential_type_id {id} NOT NULL, \
                 config {json} NOT NULL, version INT NOT NULL DEFAULT 0, {times})"
            ),
            format!(
                "identity_credential_identifiers ({key}, identifier VARCHAR(255) NOT NULL, identity_credential_id {id} NOT NULL, \
                 identity_credential_type_id {id} NOT NULL, {times})"
            ),
            format!(
                "identity_verifiable_addresses ({key}, identity_id {id} NOT NULL, value VARCHAR(400) NOT NULL, verified bool NOT NULL, \
                 via VARCHAR(16) NOT NULL, status VARCHAR(16) NOT NULL, verified_at {time}, {times})"
            ),
            format!(
                "identity_recovery_addresses ({key}, identity_id {id} NOT NULL, value VARCHAR(400) NOT NULL, via VARCHAR(16) NOT NULL, {times})"
            ),
            format!(
                "sessions ({key}, identity_id {id} NOT NULL, token VARCHAR(39), logout_token VARCHAR(39), active bool, aal VARCHAR(4), \
                 authentication_methods {json}, authenticated_at {time} NOT NULL, issued_at {time} NOT NULL, expires_at {time} NOT NULL, {times})"
            ),
            format!(
                "session_devices ({key}, session_id {id} NOT NULL, ip_address VARCHAR(50), user_agent VARCHAR(512), location VARCHAR(512), {times})"
            ),
            format!(
                "courier_messages ({key}, type INT NOT NULL, status INT NOT NULL, recipient VARCHAR(400) NOT NULL, subject VARCHAR(255), \
                 body VARCHAR(255), template_type VARCHAR(255), template_data {bytes}, send_count INT NOT NULL DEFAULT 0{channel}, {times})"
            ),
        ];
        let mut out =
            Self { release, is_file, statements: tables.into_iter().map(|table| format!("CREATE TABLE {table}")).collect() };
        out.statements.push("CREATE INDEX c_owner ON identity_credentials (identity_id)".to_owned());
        out.statements.push("CREATE INDEX i_owner ON identity_credential_identifiers (identity_credential_id)".to_owned());
        out.statements.push("CREATE INDEX v_owner ON identity_verifiable_addresses (identity_id)".to_owned());
        out.statements.push("CREATE INDEX r_owner ON identity_recovery_addresses (identity_id)".to_owned());
        out.statements.push("CREATE INDEX s_owner ON sessions (identity_id)".to_owned());
        out.statements.push("CREATE INDEX d_owner ON session_devices (session_id)".to_owned());
        // The older network counts, in whichever order they stand.
        for (network, year) in [(ELSEWHERE, 2021), (NETWORK, 2020)] {
            out.insert("networks", &[("id", network)], year);
        }
        for (place, kind) in KINDS.iter().enumerate() {
            out.statements
                .push(format!("INSERT INTO identity_credential_types (id, name) VALUES ('{}', '{kind}')", kind_id(place)));
        }
        out
    }

    /// A row with these texts; `NULL` is nothing, `true` and `false` are flags.
    fn insert(&mut self, table: &str, values: &[(&str, &str)], year: u32) {
        // As the drivers for Go write it.
        let zone = if self.is_file { "+00:00" } else { "" };
        let time = format!("{year}-03-04 05:06:07.123456{zone}");
        let all = values.iter().copied().chain([("created_at", time.as_str()), ("updated_at", time.as_str())]);
        let (names, texts): (Vec<_>, Vec<_>) = all.map(|(name, text)| (name, literal(text))).unzip();
        self.statements.push(format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), texts.join(", ")));
    }

    /// Adds somebody with these traits.
    pub(crate) fn person(&mut self, n: u128, email: &str) -> OldPerson {
        self.identity(n, email, "default", NETWORK)
    }

    /// Adds somebody who follows a schema.
    pub(crate) fn follower(&mut self, n: u128, email: &str, schema: &str) -> OldPerson {
        self.identity(n, email, schema, NETWORK)
    }

    /// Adds somebody of another network.
    pub(crate) fn foreigner(&mut self, n: u128, email: &str) -> OldPerson {
        self.identity(n, email, "default", ELSEWHERE)
    }

    fn identity(&mut self, n: u128, email: &str, schema: &str, network: &str) -> OldPerson {
        let id = Uuid::from_u128(0x2222_2222_0000_4000_8000_0000_0000_0000 + n);
        let (text, external) = (id.to_string(), format!("external-{n}"));
        let traits = format!(r#"{{"email": "{email}", "name": {{"first": "Number", "last": "{n}"}}}}"#);
        let mut values = vec![
            ("id", text.as_str()),
            ("nid", network),
            ("schema_id", schema),
            ("traits", &traits),
            ("state", "active"),
            ("state_changed_at", "2022-01-01 00:00:00"),
            ("metadata_public", r#"{"theme": "dark"}"#),
            ("metadata_admin", "NULL"),
            ("available_aal", "aal1"),
            ("organization_id", "NULL"),
        ];
        if self.release == Release::New {
            values.push(("external_id", &external));
        }
        self.insert("identities", &values, 2022);
        OldPerson { id, email: email.to_owned() }
    }

    /// Gives somebody a credential.
    pub(crate) fn credential(&mut self, who: &OldPerson, kind: &str, identifiers: &[&str], config: &str) {
        let place = KINDS.iter().position(|k| *k == kind).unwrap();
        let (id, owner) = (self.next_id(), who.id.to_string());
        let kind = kind_id(place);
        let values = [
            ("id", id.as_str()),
            ("nid", NETWORK),
            ("identity_id", &owner),
            ("identity_credential_type_id", &kind),
            ("config", config),
        ];
        self.insert("identity_credentials", &values, 2023);
        for identifier in identifiers {
            let own = self.next_id();
            let values = [
                ("id", own.as_str()),
                ("nid", NETWORK),
                ("identifier", identifier),
                ("identity_credential_id", &id),
                ("identity_credential_type_id", &kind),
            ];
            self.insert("identity_credential_identifiers", &values, 2023);
        }
    }

    /// Gives somebody their address, verified and fit for recovery.
    pub(crate) fn addresses(&mut self, who: &OldPerson) {
        let owner = who.id.to_string();
        let (first, second) = (self.next_id(), self.next_id());
        let values = [
            ("id", first.as_str()),
            ("nid", NETWORK),
            ("identity_id", &owner),
            ("value", &who.email),
            ("verified", "true"),
            ("via", "email"),
            ("status", "completed"),
            ("verified_at", "2022-02-02 02:02:02"),
        ];
        self.insert("identity_verifiable_addresses", &values, 2022);
        let values =
            [("id", second.as_str()), ("nid", NETWORK), ("identity_id", &owner), ("value", &who.email), ("via", "email")];
        self.insert("identity_recovery_addresses", &values, 2022);
    }

    /// Gives somebody a session until a year.
    pub(crate) fn session(&mut self, who: &OldPerson, token: &str, active: bool, until: u32) -> Uuid {
        let (id, device, owner) = (self.next_id(), self.next_id(), who.id.to_string());
        let until = format!("{until}-01-01 00:00:00");
        let values = [
            ("id", id.as_str()),
            ("nid", NETWORK),
            ("identity_id", &owner),
            ("token", token),
            ("logout_token", "x"),
            ("active", if active { "true" } else { "false" }),
            ("aal", "aal1"),
            ("authentication_methods", r#"[{"method": "password", "aal": "aal1", "completed_at": "2026-11-12T13:14:15.678Z"}]"#),
            ("authenticated_at", "2026-11-12 13:14:15.678"),
            ("issued_at", "2026-11-12 13:14:15.678"),
            ("expires_at", &until),
        ];
        self.insert("sessions", &values, 2026);
        let values = [
            ("id", device.as_str()),
            ("nid", NETWORK),
            ("session_id", &id),
            ("ip_address", "192.0.2.7"),
            ("user_agent", "an old browser"),
            ("location", "Bern, CH"),
        ];
        self.insert("session_devices", &values, 2026);
        id.parse().unwrap()
    }

    /// A message that waits to be sent.
    pub(crate) fn message(&mut self) {
        let id = self.next_id();
        let values = [("id", id.as_str()), ("nid", NETWORK), ("type", "1"), ("status", "1"), ("recipient", "x")];
        self.insert("courier_messages", &values, 2026);
    }

    /// A message of a kind (1: mail, 2: text message) and a status (1: queued, 2: sent, 3: being sent, 4: given up), asked for
    /// at a time.
    pub(crate) fn mail(&mut self, kind: u8, status: u8, template: &str, data: &str, at: &str) {
        let (id, kind, status) = (self.next_id(), kind.to_string(), status.to_string());
        let values = [
            ("id", id.as_str()),
            ("nid", NETWORK),
            ("type", kind.as_str()),
            ("status", status.as_str()),
            ("recipient", "ada@example.org"),
            ("subject", "an old subject"),
            ("template_type", template),
            ("template_data", data),
        ];
        self.insert("courier_messages", &values, 2026);
        self.change("courier_messages", &[("id", id.as_str())], &[("created_at", at)]);
    }

    /// Changes the rows of a table for which all of these columns have these values.
    pub(crate) fn change(&mut self, table: &str, whose: &[(&str, &str)], values: &[(&str, &str)]) {
        let values: Vec<String> = values.iter().map(|(name, text)| format!("{name} = {}", literal(text))).collect();
        self.statements.push(format!("UPDATE {table} SET {}{}", values.join(", "), condition(whose)));
    }

    /// Removes such rows.
    pub(crate) fn remove(&mut self, table: &str, whose: &[(&str, &str)]) {
        self.statements.push(format!("DELETE FROM {table}{}", condition(whose)));
    }

    /// An id that follows from what is there already.
    fn next_id(&self) -> String {
        Uuid::from_u128(0x3333_3333_0000_4000_8000_0000_0000_0000 + self.statements.len() as u128 * 16).to_string()
    }

    /// Writes everything to a file, and gives its data source name.
    pub(crate) fn write(&self, path: &Path) -> String {
        let mut connection = Connection::open(path).unwrap();
        let transaction = connection.transaction().unwrap();
        for statement in &self.statements {
            transaction.execute(statement, []).unwrap_or_else(|e| panic!("{e}: {statement}"));
        }
        transaction.commit().unwrap();
        format!("sqlite://{}?_fk=true", path.display())
    }

    /// Everything as one text for a server.
    pub(crate) fn script(&self) -> String {
        self.statements.join(";\n")
    }
}

/// A text as it stands in a statement; `NULL` is nothing, `true` and `false` are flags.
fn literal(text: &str) -> String {
    let is_bare = matches!(text, "NULL" | "true" | "false");
    if is_bare { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

fn condition(whose: &[(&str, &str)]) -> String {
    let all: Vec<String> = whose.iter().map(|(name, text)| format!("{name} = {}", literal(text))).collect();
    format!(" WHERE {}", all.join(" AND "))
}

fn kind_id(place: usize) -> String {
    format!("44444444-0000-4000-8000-00000000000{place}")
}
