//! Parked submits: a change that waits while the person signs in again or proves a second factor.
//!
//! What waits is the change itself, sealed, never a password: that is hashed before. It is bound to the flow, the identity
//! and to who parked it: the browser, by an HttpOnly cookie of which only a hash is kept, or the session, for native
//! clients; also to the level of the session. It is taken once, in the same commit that applies it, and ends after fifteen
//! minutes, or when a way to sign in to the account is changed or removed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_model::clock::random_text;
use portcullis_model::error::ApiError;
use portcullis_model::flow::{Flow, FlowType};
use portcullis_model::json;
use portcullis_model::session::{Aal, Session};
use portcullis_model::time::Timestamp;
use portcullis_store::{Changes, parked};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::change::Change;
use super::fault::store_error;
use super::reply::CookieChange;
use crate::app::Cx;
use crate::crypto::Purpose;

/// How long a change waits.
const WAIT: Duration = Duration::from_secs(15 * 60);

/// A change that waits, and the proof of who parked it.
pub struct Parked {
    /// The change.
    pub change: Change,
    /// Since when it waits.
    pub since: Timestamp,
    /// The level of the session that parked it.
    pub aal: Aal,
    /// Whether it waits no longer, and is only there to be told of.
    pub is_over: bool,
    holder: Vec<u8>,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Waiting {
    change: Change,
    aal: Aal,
}

/// Parks a change, in place of any that waits in this flow: the newest submit counts. Browsers get a cookie.
pub fn park(cx: &Cx, changes: &mut Changes, flow: &Flow, change: &Change, session: &Session) -> Option<CookieChange> {
    let expires_at = cx.now.plus(WAIT);
    let (holder, cookie) = match flow.flow_type {
        FlowType::Api => (of_session(cx, session), None),
        FlowType::Browser => {
            let known = cx.request.parked_cookie.as_deref().map(|handle| core_of(handle).to_owned());
            let handle = known.unwrap_or_else(|| random_text(cx.rng(), 43));
            (of_browser(cx, &handle), Some(CookieChange::SetParked { handle, expires_at }))
        }
    };
    let waiting = Waiting { change: change.clone(), aal: session.aal };
    let plain = serde_json::to_vec(&waiting).unwrap_or_default();
    parked::put(
        changes,
        &parked::Parked {
            flow_id: flow.id,
            identity_id: session.identity_id,
            holder_hash: holder,
            native: flow.is_native(),
            sealed: cx.keys().seal(cx.rng(), Purpose::ParkedSubmit, flow.id.as_bytes(), &plain),
            created_at: cx.now,
            expires_at,
        },
    );
    cookie
}

/// The change that waits in a flow, if this client parked it.
///
/// # Errors
/// If the database fails.
pub async fn unpark(cx: &Cx, flow: &Flow, session: &Session) -> Result<Option<Parked>, ApiError> {
    let Some(row) = parked::get(cx.store(), flow.id).await.map_err(|e| store_error(&e))? else { return Ok(None) };
    let holder = match (row.native, &cx.request.parked_cookie) {
        (true, _) => of_session(cx, session),
        (false, Some(handle)) => of_browser(cx, handle),
        (false, None) => return Ok(None),
    };
    let theirs = bool::from(holder.as_slice().ct_eq(row.holder_hash.as_slice()))
        && row.native == flow.is_native()
        && row.identity_id == session.identity_id;
    if !theirs {
        return Ok(None);
    }
    let waiting = cx
        .keys()
        .open(Purpose::ParkedSubmit, flow.id.as_bytes(), &row.sealed)
        .and_then(|plain| json::read_back::<Waiting>(&plain).ok());
    Ok(waiting.map(|Waiting { change, aal }| Parked {
        change,
        since: row.created_at,
        aal,
        is_over: cx.now >= row.expires_at,
        holder,
    }))
}

/// Takes a parked change out, in the commit that applies it. The commit fails if somebody else took it first.
pub fn take_parked(changes: &mut Changes, flow: &Flow, parked: &Parked) {
    parked::take(changes, flow.id, &parked.holder);
}

/// The cookie of a browser that parked something lives on for as long as something that it parks now would wait: other
/// forms may still hold what it opens.
#[must_use]
pub fn prolong_parking(cx: &Cx) -> Option<CookieChange> {
    let handle = cx.request.parked_cookie.clone().filter(|handle| !handle.starts_with(TRIP))?;
    Some(CookieChange::SetParked { handle, expires_at: cx.now.plus(WAIT) })
}

/// What the cookie's value begins with in a browser that parked nothing, but was sent elsewhere and is to be known again when it
/// comes back.
const TRIP: &str = "trip.";

fn core_of(handle: &str) -> &str {
    handle.strip_prefix(TRIP).unwrap_or(handle)
}

/// Has a browser that is sent elsewhere be known again when it comes back, for as long as that may take: the hash to keep, and
/// its cookie.
pub fn hold_trip(cx: &Cx, longest: Duration) -> (String, CookieChange) {
    let handle = cx.request.parked_cookie.clone().unwrap_or_else(|| format!("{TRIP}{}", random_text(cx.rng(), 43)));
    let holder = STANDARD.encode(of_browser(cx, &handle));
    (holder, CookieChange::SetParked { handle, expires_at: cx.now.plus(longest) })
}

/// The hash of the cookie that a browser came back with.
#[must_use]
pub fn trip_holder(cx: &Cx) -> Option<String> {
    cx.request.parked_cookie.as_deref().map(|handle| STANDARD.encode(of_browser(cx, handle)))
}

/// The hash by which a browser's cookie finds what it parked.
#[must_use]
pub fn of_browser(cx: &Cx, handle: &str) -> Vec<u8> {
    cx.keys().token_hash(core_of(handle)).to_vec()
}

/// The hash by which a session finds what it parked.
#[must_use]
pub fn of_session(cx: &Cx, session: &Session) -> Vec<u8> {
    cx.keys().token_hash(&session.id.to_string()).to_vec()
}
