//! Random load on a store, and a ledger of what it answered.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::flow::{FlowKind, FlowType};
use portcullis_model::identity::{AddressStatus, Factors, Identity, State, VerifiableAddress, Via};
use portcullis_model::session::{Aal, AuthenticationMethod, Session};
use portcullis_model::time::Timestamp;
use portcullis_store::flows::{self, FlowRow};
use portcullis_store::{Changes, Durability, OpenOptions, Store, StoreError, credentials, identities, sessions};
use serde_json::json;
use uuid::Uuid;

use crate::chance::Chance;
use crate::disk::{Disk, Due, Syncs};
use crate::vfs;

/// How many write at once.
const WRITERS: usize = 8;
/// How many accounts a writer keeps before it changes old ones only.
const PEOPLE: usize = 6;

/// An account. Its n-th change writes n everywhere: into the row of the identity, into its credential, its address, and a
/// session; it ends the session of the change before.
#[derive(Clone, Debug, Default)]
struct Person {
    number: u64,
    /// The last change that was answered and was to survive. Zero: none.
    sure: u64,
    /// The last change that was answered.
    answered: u64,
    /// The last change that was asked for.
    asked: u64,
    /// The change that deleted it.
    deleted: Option<u64>,
    /// Flows that were begun, each with the last change answered before it.
    flows: Vec<(Uuid, u64)>,
}

fn at(number: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + i64::try_from(number).unwrap_or(0))
}

impl Person {
    fn id(&self) -> Uuid {
        Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(self.number))
    }

    fn session_id(&self, change: u64) -> Uuid {
        Uuid::from_u128(0x0191_0000_0000_7000_8000_0000_0000_0000 + (u128::from(self.number) << 24) + u128::from(change))
    }

    fn identity(&self, change: u64, text: &str) -> Identity {
        let address = VerifiableAddress {
            id: self.session_id(change),
            value: format!("{}-{change}@example.org", self.number),
            verified: false,
            via: Via::Email,
            status: AddressStatus::Pending,
            verified_at: None,
            created_at: at(0),
            updated_at: at(0),
        };
        Identity {
            id: self.id(),
            schema_id: "default".into(),
            traits: json!({ "change": change, "text": text }),
            state: State::Active,
            state_changed_at: at(0),
            metadata_public: json!(change),
            metadata_admin: json!(null),
            external_id: None,
            organization_id: None,
            verifiable_addresses: vec![address],
            recovery_addresses: vec![],
            factors: Factors { first: vec![CredentialType::Password], second: vec![] },
            credentials_version: 1,
            version: i64::try_from(change).unwrap_or(0),
            created_at: at(0),
            updated_at: at(change),
        }
    }

    fn credential(&self, change: u64) -> Credential {
        Credential {
            id: self.id(),
            kind: CredentialType::Password,
            identifiers: vec![format!("{}-{change}", self.number)],
            config: json!({ "change": change }),
            version: 1,
            created_at: at(0),
            updated_at: at(change),
        }
    }

    fn session(&self, change: u64) -> Session {
        Session {
            id: self.session_id(change),
            identity_id: self.id(),
            active: true,
            aal: Aal::Aal1,
            methods: vec![AuthenticationMethod::new("password", Aal::Aal1, at(0))],
            authenticated_at: at(0),
            issued_at: at(0),
            expires_at: at(0).plus(Duration::from_secs(3600)),
            devices: vec![],
            created_at: at(change),
            updated_at: at(change),
        }
    }

    fn token_hash(&self, change: u64) -> [u8; 32] {
        let mut hash = [0; 32];
        hash[..16].copy_from_slice(self.session_id(change).as_bytes());
        hash
    }

    /// The account's n-th change.
    fn change(&self, change: u64, text: &str) -> Changes {
        let mut c = Changes::new();
        let identity = self.identity(change, text);
        if change == 1 {
            identities::insert(&mut c, &identity);
            credentials::insert(&mut c, self.id(), &self.credential(change));
        } else {
            identities::update(&mut c, &self.identity(change - 1, ""), &identity);
            credentials::replace(&mut c, self.id(), &self.credential(change - 1), &self.credential(change));
            sessions::revoke(&mut c, self.session_id(change - 1), Some(self.id()), at(change));
        }
        sessions::insert(&mut c, &self.session(change), &self.token_hash(change));
        c
    }
}

/// A writer's own accounts and chance. Only trouble of the database ends its work.
struct Writer {
    store: Store,
    chance: Chance,
    people: Vec<Person>,
    numbers: Arc<AtomicU64>,
    /// The most bytes of text in an account.
    text: usize,
    left: u64,
}

impl Writer {
    /// Works until there is trouble or enough is done; gives the accounts back, and what went wrong.
    async fn run(mut self) -> (Vec<Person>, Vec<String>) {
        let mut faults = Vec::new();
        while self.left > 0 && faults.is_empty() {
            self.left -= 1;
            match self.step().await {
                Ok(()) => {}
                // What a server tells its client: it did not work, or nobody knows.
                Err(StoreError::Unavailable(_) | StoreError::Full | StoreError::Busy | StoreError::Corrupt(_)) => break,
                Err(other) => faults.push(format!("a writer was answered: {other}")),
            }
        }
        (self.people, faults)
    }

    async fn step(&mut self) -> Result<(), StoreError> {
        let living: Vec<usize> = (0..self.people.len()).filter(|n| self.people[*n].deleted.is_none()).collect();
        let place = if living.len() < PEOPLE && (living.is_empty() || self.chance.percent(30)) {
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            self.people.push(Person { number, ..Person::default() });
            self.people.len() - 1
        } else {
            living[self.chance.index(living.len())]
        };
        if self.chance.percent(20) {
            self.begin_flow(place).await?;
        }
        if self.chance.percent(10) {
            self.fail(place).await?;
        }
        let length = self.chance.index(self.text);
        let text: String = (0..length).map(|n| char::from(b'a' + u8::try_from((n * 7 + length) % 26).unwrap_or(0))).collect();
        let person = &mut self.people[place];
        person.asked += 1;
        let change = person.asked;
        let mut c = if change > 1 && self.chance.percent(5) {
            person.deleted = Some(change);
            let mut c = Changes::new();
            identities::delete(&mut c, person.id());
            c
        } else {
            person.change(change, &text)
        };
        let relaxed = self.chance.percent(25);
        if relaxed {
            c.durability(Durability::Relaxed);
        }
        self.store.commit(c).await?;
        let person = &mut self.people[place];
        person.answered = change;
        if !relaxed {
            person.sure = change;
        }
        let found = identities::get(&self.store, person.id()).await?;
        let seen = found.map(|found| found.version);
        let wanted = person.deleted.is_none().then_some(i64::try_from(change).unwrap_or(0));
        if seen == wanted { Ok(()) } else { Err(StoreError::Unsupported(format!("{person:?} is read as {seen:?}"))) }
    }

    /// The start of a flow, which may be lost.
    async fn begin_flow(&mut self, place: usize) -> Result<(), StoreError> {
        let person = &mut self.people[place];
        let flow = FlowRow {
            id: Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + u128::from(self.chance.next())),
            kind: FlowKind::Login,
            flow_type: FlowType::Api,
            identity_id: None,
            expires_at: at(0),
            version: 1,
            sealed: vec![7; self.chance.index(2000)],
        };
        let mut c = Changes::new();
        flows::insert(&mut c, &flow);
        self.store.commit(c).await?;
        person.flows.push((flow.id, person.answered));
        Ok(())
    }

    /// A change that is refused, so that a group loses one of its members.
    async fn fail(&mut self, place: usize) -> Result<(), StoreError> {
        let person = &self.people[place];
        if person.answered == 0 {
            return Ok(());
        }
        let mut c = Changes::new();
        sessions::delete_all(&mut c, person.id());
        identities::update(&mut c, &person.identity(0, ""), &person.identity(999_999, ""));
        match self.store.commit(c).await {
            Err(StoreError::Conflict { .. }) => Ok(()),
            Err(other) => Err(other),
            Ok(_) => Err(StoreError::Unsupported("a guard was passed".into())),
        }
    }
}

/// Rounds of load and power cuts on one disk.
pub(crate) struct Trial {
    disk: Arc<Disk>,
    folder: PathBuf,
    chance: Chance,
    people: Vec<Vec<Person>>,
    numbers: Arc<AtomicU64>,
    rounds: u64,
    /// Changes in doubt that had happened, and that had not.
    happened: u64,
    undone: u64,
    /// Relaxed changes and flows that were answered and lost, which may be.
    relaxed_lost: u64,
}

impl Trial {
    pub(crate) fn new(syncs: Syncs, seed: u64) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut chance = Chance::new(seed);
        let disk = Disk::new(syncs, chance.split());
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("portcullis-power-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        vfs::mount(&folder, &disk);
        let people = vec![Vec::new(); WRITERS];
        let numbers = Arc::new(AtomicU64::new(1));
        Self { disk, folder, chance, people, numbers, rounds: 0, happened: 0, undone: 0, relaxed_lost: 0 }
    }

    pub(crate) fn summary(&self, seed: u64) -> String {
        let (cuts, synced, lost) = self.disk.counts();
        let people: usize = self.people.iter().map(Vec::len).sum();
        format!(
            "seed {seed}: {} rounds, {cuts} power cuts, {synced} syncs, {lost} sectors lost or torn; {people} accounts, in doubt \
             {} happened and {} not, {} relaxed ones lost",
            self.rounds, self.happened, self.undone, self.relaxed_lost
        )
    }

    async fn open(&self) -> Result<Store, StoreError> {
        let store = Store::open(&format!("sqlite://{}/db.sqlite", self.folder.display()), OpenOptions::default()).await?;
        store.migrate().await?;
        Ok(store)
    }

    /// Load, a power cut, and a look at what is left. Gives the faults.
    pub(crate) async fn round(&mut self) -> Vec<String> {
        self.rounds += 1;
        // Now and then the start after the last cut is cut short as well.
        while self.chance.percent(20) {
            self.disk.cut_after(Due::Changes(self.chance.of_any_size(5)));
            if let Ok(store) = self.open().await {
                let _ = store.close().await;
            }
            self.disk.cut();
            self.disk.power_on();
        }
        let mut faults = self.load().await;
        self.disk.power_on();
        if faults.is_empty() {
            match self.look().await {
                Ok(found) => faults.extend(found),
                Err(error) => faults.push(format!("after a power cut the database cannot be used: {error}")),
            }
        }
        faults
    }

    async fn load(&mut self) -> Vec<String> {
        // Large accounts fill the log, so that it is moved into the file again and again.
        let (text, most) = if self.chance.percent(30) { (40_000, 14) } else { (1_500, 11) };
        let due = match self.chance.below(3) {
            0 => Due::Changes(self.chance.of_any_size(most)),
            1 => Due::Changes(self.chance.below(1 << most)),
            _ => Due::Syncs(self.chance.below(30)),
        };
        self.disk.cut_after(due);
        let store = match self.open().await {
            Ok(store) => store,
            Err(error) if self.disk.is_on() => return vec![format!("the store does not open: {error}")],
            Err(_) => return Vec::new(),
        };
        let mut tasks = Vec::new();
        for people in &mut self.people {
            let writer = Writer {
                store: store.clone(),
                chance: self.chance.split(),
                people: std::mem::take(people),
                numbers: Arc::clone(&self.numbers),
                text,
                left: self.chance.of_any_size(10),
            };
            tasks.push(tokio::spawn(writer.run()));
        }
        let mut faults = Vec::new();
        for (people, task) in self.people.iter_mut().zip(tasks) {
            match task.await {
                Ok((theirs, found)) => {
                    *people = theirs;
                    faults.extend(found);
                }
                Err(error) => faults.push(error.to_string()),
            }
        }
        // The power may also go while the store is closed in order, or after.
        if self.chance.percent(30) {
            let _ = store.close().await;
        }
        self.disk.cut();
        faults
    }

    /// Opens the store and compares; settles what was in doubt.
    async fn look(&mut self) -> Result<Vec<String>, StoreError> {
        let store = self.open().await?;
        let mut faults = Vec::new();
        for people in &mut self.people {
            for person in people.iter_mut() {
                let before = person.clone();
                match seen(&store, person).await? {
                    Ok(change) => {
                        self.happened += change.saturating_sub(before.answered);
                        self.undone += before.asked.saturating_sub(change.max(before.answered));
                        self.relaxed_lost += before.answered.saturating_sub(change);
                        let (kept, lost) = flows_of(&store, person).await?;
                        faults.extend(
                            lost.iter().filter(|(_, after)| *after < before.sure).map(|(flow, _)| {
                                format!("the flow {flow} is gone, though a later change was synced: {before:?}")
                            }),
                        );
                        self.relaxed_lost += lost.len() as u64;
                        person.flows = kept;
                        if person.deleted.is_some_and(|deleted| deleted > change) {
                            person.deleted = None;
                        }
                        (person.sure, person.answered, person.asked) = (change, change, change);
                    }
                    Err(fault) => faults.push(format!("{before:?}: {fault}")),
                }
            }
            people.retain(|person| person.asked > 0 && person.deleted.is_none());
        }
        if self.chance.percent(50) {
            store.close().await?;
        } else {
            drop(store);
        }
        faults.extend(self.sound().map_err(|e| StoreError::Corrupt(e.to_string()))?);
        Ok(faults)
    }

    /// What SQLite says itself, and what no constraint says.
    fn sound(&self) -> rusqlite::Result<Vec<String>> {
        let connection = rusqlite::Connection::open(self.folder.join("db.sqlite"))?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        let mut faults = Vec::new();
        let mut check = connection.prepare("PRAGMA integrity_check")?;
        let verdict: Vec<String> = check.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        if verdict != ["ok"] {
            faults.push(format!("integrity_check: {verdict:?}"));
        }
        for (what, sql) in [
            ("rows without their owner", "SELECT COUNT(*) FROM pragma_foreign_key_check"),
            (
                "accounts whose unique rows are not theirs",
                "SELECT COUNT(*) FROM identities i WHERE \
                 (SELECT json_group_array(value) FROM verifiable_addresses WHERE identity_id = i.id) IS NOT \
                 (SELECT json_group_array(j.value ->> 'value') FROM json_each(i.verifiable_addresses) j) OR \
                 (SELECT json_group_array(identifier) FROM credential_identifiers WHERE identity_id = i.id) IS NOT \
                 (SELECT c.identifiers FROM credentials c WHERE c.identity_id = i.id)",
            ),
        ] {
            let count: i64 = connection.query_row(sql, [], |row| row.get(0))?;
            if count != 0 {
                faults.push(format!("{count} {what}"));
            }
        }
        Ok(faults)
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        vfs::unmount(&self.folder);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Which change of an account is there, if it is there whole and may be the one.
async fn seen(store: &Store, person: &Person) -> Result<Result<u64, String>, StoreError> {
    let found = identities::get_with_credentials(store, person.id()).await?;
    let Some(found) = found else {
        return Ok(match person.deleted {
            _ if person.sure == 0 => Ok(0),
            Some(deleted) => Ok(deleted),
            None => Err("it is gone".into()),
        });
    };
    let identity = found.identity;
    let change = identity.traits["change"].as_u64().unwrap_or(0);
    let deleted = person.deleted.is_some_and(|deleted| person.sure >= deleted);
    if change < person.sure || change > person.asked || deleted {
        return Ok(Err(format!("change {change} is there")));
    }
    let wanted = person.credential(change);
    if identity.metadata_public != json!(change)
        || identity.version != i64::try_from(change).unwrap_or(0)
        || identity.verifiable_addresses != person.identity(change, "").verifiable_addresses
        || found.credentials != [wanted]
    {
        return Ok(Err(format!("change {change} is there in parts: {identity:?}, {:?}", found.credentials)));
    }
    let (listed, _) = sessions::list_by_identity(store, person.id(), None, at(0), None, 0, 10_000).await?;
    let listed: HashMap<Uuid, bool> = listed.into_iter().map(|session| (session.id, session.active)).collect();
    let expected: HashMap<Uuid, bool> = (1..=change).map(|n| (person.session_id(n), n == change)).collect();
    if listed != expected {
        return Ok(Err(format!("change {change} is there with {} sessions", listed.len())));
    }
    Ok(Ok(change))
}

type Flows = Vec<(Uuid, u64)>;

/// The flows that are there, and those that are not.
async fn flows_of(store: &Store, person: &Person) -> Result<(Flows, Flows), StoreError> {
    let (mut kept, mut lost) = (Flows::new(), Flows::new());
    for (id, after) in &person.flows {
        if flows::get(store, *id).await?.is_some() {
            // From now on it is on the medium like all else that was found.
            kept.push((*id, 0));
        } else {
            lost.push((*id, *after));
        }
    }
    Ok((kept, lost))
}
