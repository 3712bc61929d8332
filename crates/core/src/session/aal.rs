//! Which level an identity can reach, which one is demanded, and what is told to a session below it.
//!
//! The level that an identity can reach goes by its usable credentials of methods that are switched on now. One second
//! factor is enough for `aal2`: no first factor is needed for that.

use portcullis_model::credential::CredentialType;
use portcullis_model::error::{ApiError, ErrorId};
use portcullis_model::identity::Identity;
use portcullis_model::session::{Aal, Session};
use portcullis_model::time::Timestamp;
use url::form_urlencoded;

use crate::app::Cx;
use crate::config::session::RequiredAal;

/// The highest level that an identity can prove now.
#[must_use]
pub fn available(cx: &Cx, identity: &Identity) -> Aal {
    if proves(cx, Aal::Aal2, &identity.factors.second) {
        Aal::Aal2
    } else if proves(cx, Aal::Aal1, &identity.factors.first) {
        Aal::Aal1
    } else {
        Aal::Aal0
    }
}

/// Whether a method that is switched on takes one of these credentials as a proof of a level.
fn proves(cx: &Cx, level: Aal, usable: &[CredentialType]) -> bool {
    // Most identities have no second factor: that is known without asking anybody.
    !usable.is_empty()
        && cx.app.methods.enabled(cx.config()).any(|method| match (method.credential(), method.login()) {
            (Some(credential), Some(login)) => usable.contains(&credential.kind()) && login.serves(cx.config(), level),
            _ => false,
        })
}

/// Whether a session is strong enough.
#[must_use]
pub fn satisfies(cx: &Cx, required: RequiredAal, session: &Session, identity: &Identity) -> bool {
    match required {
        RequiredAal::Aal1 => session.aal >= Aal::Aal1,
        RequiredAal::HighestAvailable => session.aal >= Aal::Aal2 || available(cx, identity) < Aal::Aal2,
    }
}

/// The level at which a session is refreshed: a sign-in is fresh only if it is as strong as the session. A session of two
/// factors gives the second one again, as long as the account has one.
#[must_use]
pub fn to_refresh(cx: &Cx, session: &Session, identity: &Identity) -> Aal {
    session.aal.min(available(cx, identity)).max(Aal::Aal1)
}

/// When somebody last proved themselves at a level in this session.
#[must_use]
pub fn proved_at(session: &Session, level: Aal) -> Timestamp {
    match level {
        Aal::Aal2 => {
            let second = session.methods.iter().filter(|m| m.aal == Aal::Aal2).map(|m| m.completed_at);
            second.max().unwrap_or(session.issued_at)
        }
        Aal::Aal0 | Aal::Aal1 => session.authenticated_at,
    }
}

/// Where a browser signs in again at a level, to come back to `return_to`.
#[must_use]
pub fn refresh_url(cx: &Cx, level: Aal, return_to: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if level == Aal::Aal2 {
        query.append_pair("aal", level.as_str());
    }
    query.append_pair("refresh", "true").append_pair("return_to", return_to);
    cx.public_url(&format!("/self-service/login/browser?{}", query.finish()))
}

/// Where a browser steps up, and comes back from if `return_to` says where to.
#[must_use]
pub fn step_up_url(cx: &Cx, return_to: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("aal", Aal::Aal2.as_str());
    if let Some(return_to) = return_to {
        query.append_pair("return_to", return_to);
    }
    cx.public_url(&format!("/self-service/login/browser?{}", query.finish()))
}

/// What a session is told that is not strong enough: 403 with the way up, as [`step_up_url`] makes it.
#[must_use]
pub fn required(url: &str) -> ApiError {
    ApiError::forbidden("The session does not have the level that is needed here. Prove a second factor to raise it.")
        .id(ErrorId::SessionAal2Required)
        .detail("redirect_browser_to", url)
        .beside("redirect_browser_to", url)
}
