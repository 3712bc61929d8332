//! The move itself: part by part, each identity in a commit of its own.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use portcullis_model::identity::IdentityWithCredentials;
use portcullis_store::identities::{self, AddressPurpose, IdentityFilter, Page};
use portcullis_store::kratos::{Contents, Source};
use portcullis_store::{Changes, Constraint, Store, StoreError, sessions};
use serde::Serialize;
use uuid::Uuid;

use super::cipher::OldCipher;
use super::identity::{Moved, translate};
use crate::app::{App, Cx};
use crate::flow::engine::Request;
use crate::identity::{Taken, conflict, insert};

/// How many identities are read and written at once: enough for commits that are worth their syncing, and a few megabytes.
const PART: u32 = 500;

/// How many ids a report names for each reason.
const EXAMPLES: usize = 10;

/// Why a move ended before its end. What came over stays, and the next one goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The database that is read.
    #[error("the database to move from cannot be read: {0}")]
    Source(StoreError),
    /// The database that is written.
    #[error("the own database cannot be used: {0}")]
    Target(StoreError),
}

/// What there is to tell while it goes on.
pub enum Event<'e> {
    /// So many identities have been looked at by now.
    Seen(u64),
    /// Something did not come, or not as it was.
    Left(&'e Left),
}

/// Something that did not come, or not as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Left {
    /// The identity's id, as it stands there.
    pub id: String,
    /// Why, in words that hold no values.
    pub reason: String,
    /// Whether the identity came all the same.
    pub taken: bool,
}

/// Those with the same reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub examples: Vec<String>,
}

/// What came of a move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Identities that came now.
    pub identities: u64,
    /// Identities that were here already.
    pub identities_already_here: u64,
    /// Sessions that came now.
    pub sessions: u64,
    /// Sessions that were over.
    pub sessions_over: u64,
    /// Messages that still waited there: they belong to flows, which stay behind.
    pub messages_left: u64,
    /// Identities of other networks in the same database.
    pub foreign_identities_left: u64,
    /// Identities that did not come, by reason.
    pub not_taken: BTreeMap<String, Group>,
    /// Identities that came, but not with everything as it was, by reason.
    pub changed: BTreeMap<String, Group>,
}

impl Report {
    fn note(&mut self, left: &Left) {
        let groups = if left.taken { &mut self.changed } else { &mut self.not_taken };
        let group = groups.entry(left.reason.clone()).or_default();
        group.count += 1;
        if group.examples.len() < EXAMPLES {
            group.examples.push(left.id.clone());
        }
    }
}

/// Takes over everybody of a Kratos database. `standing` is given in a rehearsal: the database that would be written, if it
/// is there; the application's own is a scratch one then.
///
/// # Errors
/// If one of the databases fails. The move can be repeated: whoever is here already is left as they are, and only sessions
/// that are missing are added.
pub async fn move_in(
    app: &Arc<App>,
    source: &Source,
    contents: Contents,
    standing: Option<&Store>,
    tell: &mut (dyn FnMut(Event<'_>) + Send),
) -> Result<Report, MoveError> {
    let mut report = Report {
        messages_left: contents.queued_messages,
        foreign_identities_left: contents.foreign_identities,
        ..Report::default()
    };
    let mut seen = 0;
    let mut part = source.part(None, PART).await.map_err(MoveError::Source)?;
    loop {
        let next = part.next.take();
        let cx = Cx::new(app, Request::default());
        let cipher = OldCipher::new(cx.config().secrets.cipher_keys());
        let mut left = Vec::new();
        let mut moved = Vec::with_capacity(part.identities.len());
        seen += u64::try_from(part.identities.len()).unwrap_or(0);
        for old in part.identities {
            match old {
                Err(unreadable) => left.push(Left { id: unreadable.id, reason: unreadable.reason, taken: false }),
                Ok(old) => {
                    let id = old.id;
                    match translate(&cx, &cipher, old) {
                        Ok(one) => moved.push(one),
                        Err(reason) => left.push(Left { id: id.to_string(), reason, taken: false }),
                    }
                }
            }
        }
        // The next part is read while this one is written.
        let reading = async {
            match &next {
                Some(place) => source.part(Some(place), PART).await.map(Some),
                None => Ok(None),
            }
        };
        let (read, written) = tokio::join!(reading, write(&cx, standing, moved, &mut report));
        left.extend(written.map_err(MoveError::Target)?);
        for left in &left {
            report.note(left);
            tell(Event::Left(left));
        }
        tell(Event::Seen(seen));
        match read.map_err(MoveError::Source)? {
            Some(following) => part = following,
            None => return Ok(report),
        }
    }
}

/// Writes a part. Tells what did not come.
async fn write(cx: &Cx, standing: Option<&Store>, moved: Vec<Moved>, report: &mut Report) -> Result<Vec<Left>, StoreError> {
    let here = present(standing.unwrap_or_else(|| cx.store()), &moved).await?;
    let mut left = Vec::new();
    let (mut changes, mut names) = (Vec::with_capacity(moved.len()), Vec::with_capacity(moved.len()));
    for Moved { who, sessions, ended, notes } in moved {
        let id = who.identity.id;
        report.sessions_over += ended;
        let is_new = !here.identities.contains(&id);
        if is_new
            && let Some(standing) = standing
            && let Some(taken) = taken(standing, &who).await?
        {
            left.push(Left { id: id.to_string(), reason: words(taken).to_owned(), taken: false });
            continue;
        }
        let mut c = Changes::new();
        if is_new {
            insert(&mut c, &who);
        }
        let mut count = 0;
        for (session, hash) in sessions.iter().filter(|(session, _)| !here.sessions.contains(&session.id)) {
            count += 1;
            // In a rehearsal whoever is here already is not in the scratch database.
            if is_new || standing.is_none() {
                sessions::insert(&mut c, session, hash);
            }
        }
        changes.push(c);
        names.push((id, is_new, count, notes));
    }
    let answers = cx.store().commit_each(changes).await;
    for ((id, is_new, count, notes), answer) in names.into_iter().zip(answers) {
        match answer {
            Ok(_) => {
                report.sessions += count;
                if is_new {
                    report.identities += 1;
                    left.extend(notes.into_iter().map(|reason| Left { id: id.to_string(), reason, taken: true }));
                } else {
                    report.identities_already_here += 1;
                }
            }
            Err(error) => left.push(Left { id: id.to_string(), reason: refused(error)?, taken: false }),
        }
    }
    Ok(left)
}

/// What of a part is here already.
struct Present {
    identities: HashSet<Uuid>,
    sessions: HashSet<Uuid>,
}

async fn present(store: &Store, moved: &[Moved]) -> Result<Present, StoreError> {
    let ids: Vec<Uuid> = moved.iter().map(|m| m.who.identity.id).collect();
    let page = Page { after: None, limit: PART };
    let found = identities::list(store, &IdentityFilter::Ids(ids), page, false).await?;
    let identities: HashSet<Uuid> = found.into_iter().map(|who| who.identity.id).collect();
    let theirs = moved.iter().filter(|m| identities.contains(&m.who.identity.id)).flat_map(|m| &m.sessions);
    let theirs: Vec<Uuid> = theirs.map(|(session, _)| session.id).collect();
    let sessions = sessions::known(store, &theirs).await?;
    Ok(Present { identities, sessions })
}

/// What of an identity is another's already; asked in rehearsals, where no commit tells, and in the order of a commit.
async fn taken(store: &Store, who: &IdentityWithCredentials) -> Result<Option<Taken>, StoreError> {
    let identity = &who.identity;
    if let Some(id) = &identity.external_id
        && identities::get_by_external_id(store, id).await?.is_some()
    {
        return Ok(Some(Taken::ExternalId));
    }
    let verifiable = identity.verifiable_addresses.iter().map(|a| (AddressPurpose::Verifiable, a.via, &a.value));
    let recovery = identity.recovery_addresses.iter().map(|a| (AddressPurpose::Recovery, a.via, &a.value));
    for (purpose, via, value) in verifiable.chain(recovery) {
        if identities::find_by_address(store, purpose, via, value).await?.is_some() {
            return Ok(Some(Taken::Address));
        }
    }
    for credential in &who.credentials {
        for identifier in &credential.identifiers {
            if identities::find_by_identifier(store, &[credential.kind], identifier).await?.is_some() {
                return Ok(Some(Taken::Identifier));
            }
        }
    }
    Ok(None)
}

/// Why an identity was not stored. What is no fault of the identity ends the move.
fn refused(error: StoreError) -> Result<String, StoreError> {
    if let Some(taken) = conflict(&error) {
        return Ok(words(taken).to_owned());
    }
    match error {
        StoreError::Unique(Constraint::SessionToken) => Ok("another session has one of its tokens".to_owned()),
        StoreError::Unique(_) => Ok("it was made here at the same moment".to_owned()),
        StoreError::Conflict { .. } => Ok("it was deleted here at the same moment".to_owned()),
        StoreError::Unsupported(what) => Ok(what),
        trouble => Err(trouble),
    }
}

fn words(taken: Taken) -> &'static str {
    match taken {
        Taken::Identifier => "another identity here has one of its identifiers",
        Taken::Address => "another identity here has one of its addresses",
        Taken::ExternalId => "another identity here has its external id",
    }
}
