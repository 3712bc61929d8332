//! Moving in once more: what became of an identity there since it came, and of our copy of it.

use std::collections::HashMap;

use portcullis_model::credential::{Credential, CredentialType};
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_store::kratos::again::{Standing, is_as_it_came, take_anew};
use portcullis_store::{Changes, sessions};
use uuid::Uuid;

use super::identity::Moved;
use crate::app::Cx;
use crate::identity::{sealed, update};

/// What a repeated move does about an identity that is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is what it was, there and here.
    Same,
    /// It changed there only: it is taken over anew.
    Changed,
    /// It changed there, and here too: nobody can know which is right.
    Both,
}

/// Compares our copy with what would come now. In `theirs`, what is the same becomes our copy's to the letter, since what is
/// sealed never looks the same twice.
pub(super) fn compare(cx: &Cx, ours: &IdentityWithCredentials, theirs: &mut IdentityWithCredentials) -> Verdict {
    let id = ours.identity.id;
    theirs.identity.version = ours.identity.version;
    theirs.identity.credentials_version = ours.identity.credentials_version;
    let is_later = theirs.identity.updated_at != ours.identity.updated_at;
    for credential in &mut theirs.credentials {
        let Some(own) = ours.credential(credential.kind) else { continue };
        let shown = |c: &Credential| sealed::show(cx.keys(), id, c.kind, c.config.clone());
        if shown(own) == shown(credential) {
            credential.config = own.config.clone();
            credential.updated_at = own.updated_at;
        } else if credential.kind == CredentialType::Password && own.updated_at > credential.updated_at && !is_later {
            // The same password, which was hashed anew when its owner signed in here.
            *credential = own.clone();
        }
    }
    if theirs == ours {
        Verdict::Same
    } else if is_as_it_came(&ours.identity) {
        Verdict::Changed
    } else {
        Verdict::Both
    }
}

/// Adds what makes our copy the same as what is there.
pub(super) fn take(c: &mut Changes, ours: &IdentityWithCredentials, theirs: &IdentityWithCredentials) {
    take_anew(c, &ours.identity, |c| {
        update(c, ours, theirs);
    });
}

/// What a repeated move does about the sessions of an identity that is here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sessions {
    /// Those that came now.
    pub(super) new: u64,
    /// Those that last longer, or were raised to another level, since they came.
    pub(super) renewed: u64,
    /// Those that were ended there since they came.
    pub(super) ended: u64,
}

/// Adds what brings the sessions of an identity up to date. `known` says whether a session is here, in whatever state; what is
/// over here stays over.
pub(super) fn follow(cx: &Cx, c: &mut Changes, moved: &Moved, known: impl Fn(Uuid) -> bool, standing: &[Standing]) -> Sessions {
    let mut out = Sessions::default();
    let here: HashMap<Uuid, &Standing> = standing.iter().map(|s| (s.id, s)).collect();
    for (session, hash) in &moved.sessions {
        match here.get(&session.id) {
            Some(own) if session.expires_at > own.expires_at || session.authenticated_at > own.authenticated_at => {
                out.renewed += 1;
                sessions::update(c, session);
            }
            Some(_) => {}
            None if known(session.id) => {}
            None => {
                out.new += 1;
                sessions::insert(c, session, hash);
            }
        }
    }
    for own in standing {
        let there = moved.all_sessions.iter().find(|(id, _)| *id == own.id);
        // Sessions that began here have ids that tell the time (version 7); theirs have none.
        let is_theirs = own.id.get_version_num() != 7;
        if there.map_or(is_theirs, |(_, is_revoked)| *is_revoked) {
            out.ended += 1;
            sessions::revoke(c, own.id, None, cx.now);
        }
    }
    out
}
