//! The move itself: part by part, each identity in a commit of its own.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use portcullis_model::identity::IdentityWithCredentials;
use portcullis_store::identities::{self, AddressPurpose, IdentityFilter, Page};
use portcullis_store::kratos::again::{self as standing_here, Standing};
use portcullis_store::kratos::{Contents, Source};
use portcullis_store::{Changes, Constraint, Store, StoreError, sessions};
use serde::Serialize;
use uuid::Uuid;

use super::again::{self, Verdict};
use super::cipher::OldCipher;
use super::courier;
use super::identity::{Moved, translate};
use crate::app::{App, Cx};
use crate::flow::engine::Request;
use crate::identity::{Taken, conflict, insert};

/// How many identities are read and written at once: enough for commits that are worth their syncing, and a few megabytes.
pub(super) const PART: u32 = 500;

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
    /// Identities that were here already, in the same state.
    pub identities_already_here: u64,
    /// Identities that were here already, but changed there since, and were taken over anew.
    pub identities_updated: u64,
    /// Sessions that came now.
    pub sessions: u64,
    /// Sessions that were here already and last longer now, or have another level.
    pub sessions_renewed: u64,
    /// Sessions that were here already and were ended there since.
    pub sessions_ended: u64,
    /// Sessions that were over.
    pub sessions_over: u64,
    /// Messages that waited there and came.
    pub messages: u64,
    /// Messages that waited there and had come before.
    pub messages_already_here: u64,
    /// Messages that waited there and were not asked for.
    pub messages_left: u64,
    /// Identities of other networks in the same database.
    pub foreign_identities_left: u64,
    /// Identities that did not come, by reason.
    pub not_taken: BTreeMap<String, Group>,
    /// Identities that came, but not with everything as it was, by reason.
    pub changed: BTreeMap<String, Group>,
    /// Identities that are here and differ there, and were left as they are here, by reason.
    pub left_as_here: BTreeMap<String, Group>,
    /// Messages that were asked for and did not come, by reason.
    pub messages_not_taken: BTreeMap<String, Group>,
}

impl Report {
    fn note(&mut self, left: &Left) {
        count(if left.taken { &mut self.changed } else { &mut self.not_taken }, &left.reason, &left.id);
    }

    /// A message that did not come.
    pub(super) fn message(&mut self, id: &str, reason: &str) {
        count(&mut self.messages_not_taken, reason, id);
    }
}

fn count(groups: &mut BTreeMap<String, Group>, reason: &str, id: &str) {
    let group = groups.entry(reason.to_owned()).or_default();
    group.count += 1;
    if group.examples.len() < EXAMPLES {
        group.examples.push(id.to_owned());
    }
}

/// An identity that changed on both sides.
const BOTH: &str = "it changed there, and here too";

/// An identity that is here only.
const GONE: &str = "it is not there any more, or never was";

/// How much is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Identities with their sessions.
    People,
    /// Messages that wait to be sent, too: for when that server has stopped.
    PeopleAndMessages,
}

/// Takes over everybody of a Kratos database. `standing` is given in a rehearsal: the database that would be written, if it
/// is there; the application's own is a scratch one then.
///
/// # Errors
/// If one of the databases fails. The move can be repeated: whoever is here already and changed there since is taken over
/// anew, unless they changed here too; sessions follow.
pub async fn move_in(
    app: &Arc<App>,
    source: &Source,
    contents: Contents,
    extent: Extent,
    standing: Option<&Store>,
    tell: &mut (dyn FnMut(Event<'_>) + Send),
) -> Result<Report, MoveError> {
    let mut report = Report { foreign_identities_left: contents.foreign_identities, ..Report::default() };
    let own = standing.unwrap_or(&app.store);
    let was_here = identities::count(own, &IdentityFilter::All).await.map_err(MoveError::Target)?;
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
            None => break,
        }
    }
    if was_here > 0 {
        gone(own, source, &mut report).await?;
    }
    match extent {
        Extent::People => report.messages_left = contents.queued_messages,
        Extent::PeopleAndMessages => courier::messages(app, source, standing, &mut report).await?,
    }
    Ok(report)
}

/// Tells whom that server deleted since they came. They stay here: that they are missing there may have another reason.
async fn gone(own: &Store, source: &Source, report: &mut Report) -> Result<(), MoveError> {
    let mut after = None;
    loop {
        let page = Page { after, limit: PART };
        let found = identities::list(own, &IdentityFilter::All, page, false).await.map_err(MoveError::Target)?;
        let Some(last) = found.last() else { return Ok(()) };
        after = Some(last.identity.id);
        // Whoever was made here has an id that tells the time (version 7).
        let theirs = found.iter().map(|who| who.identity.id).filter(|id| id.get_version_num() != 7);
        let theirs: Vec<Uuid> = theirs.collect();
        let known = source.known(&theirs).await.map_err(MoveError::Source)?;
        for id in theirs.iter().filter(|id| !known.contains(id)) {
            count(&mut report.left_as_here, GONE, &id.to_string());
        }
    }
}

/// What is to be told of an identity whose changes were committed.
struct Told {
    id: Uuid,
    came: Came,
    sessions: again::Sessions,
    notes: Vec<String>,
}

/// How an identity comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    New,
    Again(Verdict),
}

/// Writes a part. Tells what did not come.
async fn write(cx: &Cx, standing: Option<&Store>, moved: Vec<Moved>, report: &mut Report) -> Result<Vec<Left>, StoreError> {
    let here = present(standing.unwrap_or_else(|| cx.store()), &moved).await?;
    let mut left = Vec::new();
    let (mut all, mut told) = (Vec::with_capacity(moved.len()), Vec::with_capacity(moved.len()));
    for mut moved in moved {
        let id = moved.who.identity.id;
        report.sessions_over += u64::try_from(moved.all_sessions.len() - moved.sessions.len()).unwrap_or(0);
        let (mut c, came, followed) = match here.identities.get(&id) {
            None => {
                if let Some(standing) = standing
                    && let Some(taken) = taken(standing, &moved.who).await?
                {
                    left.push(Left { id: id.to_string(), reason: words(taken).to_owned(), taken: false });
                    continue;
                }
                let mut c = Changes::new();
                insert(&mut c, &moved.who);
                for (session, hash) in &moved.sessions {
                    sessions::insert(&mut c, session, hash);
                }
                let new = u64::try_from(moved.sessions.len()).unwrap_or(0);
                (c, Came::New, again::Sessions { new, ..again::Sessions::default() })
            }
            Some(ours) => {
                let mut c = Changes::new();
                let verdict = again::compare(cx, ours, &mut moved.who);
                if verdict == Verdict::Changed {
                    again::take(&mut c, ours, &moved.who);
                }
                let theirs = here.standing.get(&id).map_or(&[][..], Vec::as_slice);
                let followed = again::follow(cx, &mut c, &moved, |session| here.sessions.contains(&session), theirs);
                (c, Came::Again(verdict), followed)
            }
        };
        if standing.is_some() && came != Came::New {
            // In a rehearsal whoever is here already is not in the scratch database.
            c = Changes::new();
        }
        all.push(c);
        told.push(Told { id, came, sessions: followed, notes: moved.notes });
    }
    let answers = cx.store().commit_each(all).await;
    for (Told { id, came, sessions, notes }, answer) in told.into_iter().zip(answers) {
        if let Err(error) = answer {
            left.push(Left { id: id.to_string(), reason: refused(error)?, taken: false });
            continue;
        }
        report.sessions += sessions.new;
        report.sessions_renewed += sessions.renewed;
        report.sessions_ended += sessions.ended;
        match came {
            Came::New => report.identities += 1,
            Came::Again(Verdict::Same) => report.identities_already_here += 1,
            Came::Again(Verdict::Changed) => report.identities_updated += 1,
            Came::Again(Verdict::Both) => count(&mut report.left_as_here, BOTH, &id.to_string()),
        }
        if matches!(came, Came::New | Came::Again(Verdict::Changed)) {
            left.extend(notes.into_iter().map(|reason| Left { id: id.to_string(), reason, taken: true }));
        }
    }
    Ok(left)
}

/// What of a part is here already.
struct Present {
    identities: HashMap<Uuid, IdentityWithCredentials>,
    /// Their sessions that are not revoked.
    standing: HashMap<Uuid, Vec<Standing>>,
    /// Which of the sessions that would come are here, in whatever state.
    sessions: HashSet<Uuid>,
}

async fn present(store: &Store, moved: &[Moved]) -> Result<Present, StoreError> {
    let ids: Vec<Uuid> = moved.iter().map(|m| m.who.identity.id).collect();
    let page = Page { after: None, limit: PART };
    let found = identities::list(store, &IdentityFilter::Ids(ids), page, true).await?;
    let identities: HashMap<Uuid, IdentityWithCredentials> = found.into_iter().map(|who| (who.identity.id, who)).collect();
    let owners: Vec<Uuid> = identities.keys().copied().collect();
    let theirs = moved.iter().filter(|m| identities.contains_key(&m.who.identity.id)).flat_map(|m| &m.sessions);
    let theirs: Vec<Uuid> = theirs.map(|(session, _)| session.id).collect();
    let sessions = sessions::known(store, &theirs).await?;
    let standing = standing_here::sessions(store, &owners).await?;
    Ok(Present { identities, standing, sessions })
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
