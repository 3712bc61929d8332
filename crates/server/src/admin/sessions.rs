//! Sessions by the admin API: finding, extending and ending them, one by one or many at once.

use portcullis_core::app::Cx;
use portcullis_core::flow::engine::{Reply, Request, TRIES, store_error};
use portcullis_core::identity::view::Parts;
use portcullis_core::session::life;
use portcullis_core::session::view::{self, SessionView};
use portcullis_model::error::ApiError;
use portcullis_model::identity::Identity;
use portcullis_model::session::Session;
use portcullis_store::{Changes, StoreError, sessions};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::http::paging::{self, Sizes};
use super::super::http::sessions::{numbered, revoked};
use super::body;

const PATH: &str = "/admin/sessions";
const SIZES: Sizes = Sizes { default: 250, most: 1000 };
/// How many ids one bulk request may name.
const MOST_NAMED: usize = 500;
/// How many sessions one request ends that is meant for all there are.
const LOT: u32 = 5000;

/// What of a session is shown beside itself.
#[derive(Clone, Copy, Default)]
struct Expand {
    identity: bool,
    devices: bool,
}

fn expand(request: &Request) -> Result<Expand, ApiError> {
    let mut out = Expand::default();
    for (_, word) in request.query.iter().filter(|(key, _)| key == "expand") {
        match word.to_ascii_lowercase().as_str() {
            "identity" => out.identity = true,
            "devices" => out.devices = true,
            _ => return Err(ApiError::bad_request("expand is identity or devices.")),
        }
    }
    Ok(out)
}

/// The filter `active`, in any of Go's words for true and false.
fn active(request: &Request) -> Result<Option<bool>, ApiError> {
    match request.parameter("active") {
        None => Ok(None),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(Some(true)),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(Some(false)),
        Some(_) => Err(ApiError::bad_request("active is true or false.")),
    }
}

fn id_of(text: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(text).map_err(|_| ApiError::bad_request("This is no UUID."))
}

fn unknown() -> ApiError {
    ApiError::not_found("There is no session of this id.")
}

async fn load(cx: &Cx, id: Uuid) -> Result<(Session, Identity), ApiError> {
    sessions::get(cx.store(), id).await.map_err(|e| store_error(&e))?.ok_or_else(unknown)
}

/// `GET /admin/sessions/{id}`.
pub async fn get(cx: &Cx, id: &str) -> Reply {
    let found = async {
        let id = id_of(id)?;
        let expand = expand(&cx.request)?;
        let (session, identity) = load(cx, id).await?;
        let mut out = view::session(cx, &session);
        if !expand.devices {
            out = out.no_devices();
        }
        if expand.identity {
            out = out.identity(cx, &identity, Parts::ADMIN);
        }
        Ok(Reply::json(200, out.to_value()))
    };
    found.await.unwrap_or_else(Reply::error)
}

/// `GET /admin/sessions`: all sessions there are, newest first.
pub async fn list(cx: &Cx) -> Reply {
    all(cx).await.unwrap_or_else(Reply::error)
}

async fn all(cx: &Cx) -> Result<Reply, ApiError> {
    let request = &cx.request;
    let (expand, active) = (expand(request)?, active(request)?);
    let size = SIZES.of_keyset(request, "page_size")?;
    let after = paging::after(cx, PATH)?;
    let mut found = sessions::list_all(cx.store(), active, cx.now, after, size + 1).await.map_err(|e| store_error(&e))?;
    let next = paging::cut(cx, PATH, &mut found, size, |(session, _)| session.id);
    let show = |(session, identity): &(Session, Identity)| {
        let mut out = view::session(cx, session);
        if !expand.devices {
            out = out.null_devices();
        }
        if expand.identity {
            out = out.identity(cx, identity, Parts::ADMIN_BRIEF);
        }
        out.to_value()
    };
    let reply = paging::written(&found, show).await;
    Ok(paging::keyset_links(reply, PATH, request, size, None, next.as_deref()))
}

/// `DELETE /admin/sessions/{id}`: the session ends and is kept.
pub async fn revoke(cx: &Cx, id: &str) -> Reply {
    let ended = async {
        let id = id_of(id)?;
        load(cx, id).await?;
        let mut c = Changes::new();
        sessions::revoke(&mut c, id, None, cx.now);
        cx.store().commit(c).await.map_err(|e| store_error(&e))?;
        Ok(revoked())
    };
    ended.await.unwrap_or_else(Reply::error)
}

/// `PATCH /admin/sessions/{id}/extend`: the session lasts from now on, unless it is too early for that or too late.
pub async fn extend(cx: &Cx, id: &str) -> Reply {
    extended(cx, id).await.unwrap_or_else(Reply::error)
}

async fn extended(cx: &Cx, id: &str) -> Result<Reply, ApiError> {
    let id = id_of(id)?;
    for _ in 0..TRIES {
        let (session, identity) = load(cx, id).await?;
        let longer = life::extended(cx.config(), cx.now, &session);
        if let Some(longer) = &longer {
            let mut c = Changes::new();
            sessions::update(&mut c, longer);
            match cx.store().commit(c).await {
                Ok(_) => {}
                // It ended meanwhile: what is true now is read again.
                Err(StoreError::Conflict { .. }) => continue,
                Err(error) => return Err(store_error(&error)),
            }
        }
        if cx.config().feature_flags.faster_session_extend {
            return Ok(Reply::no_content());
        }
        let shown = longer.as_ref().unwrap_or(&session);
        let out: SessionView<'_> = view::session(cx, shown).no_devices().identity(cx, &identity, Parts::PUBLIC);
        return Ok(Reply::json(200, out.to_value()));
    }
    Err(ApiError::conflict("The session changed at the same time. Try again."))
}

/// `GET /admin/identities/{id}/sessions`: the sessions of one identity, newest first.
pub async fn of_identity(cx: &Cx, id: &str) -> Reply {
    let page = async {
        let identity_id = id_of(id)?;
        let active = active(&cx.request)?;
        let identity = portcullis_store::identities::get(cx.store(), identity_id).await.map_err(|e| store_error(&e))?;
        let path = format!("/admin/identities/{identity_id}/sessions");
        let mut page = numbered(cx, &path);
        let (found, total) = sessions::list_by_identity(cx.store(), identity_id, active, cx.now, None, page.offset(), page.size)
            .await
            .map_err(|e| store_error(&e))?;
        page.total = total;
        let shown = found.iter().map(|session| match &identity {
            Some(identity) => view::session(cx, session).identity(cx, identity, Parts::ADMIN_BRIEF).to_value(),
            None => view::session(cx, session).to_value(),
        });
        Ok(page.links(Reply::json(200, Value::Array(shown.collect())), &cx.request))
    };
    page.await.unwrap_or_else(Reply::error)
}

/// `DELETE /admin/identities/{id}/sessions`: the sessions of one identity go for good.
pub async fn delete_of_identity(cx: &Cx, id: &str) -> Reply {
    let gone = async {
        let id = id_of(id)?;
        let mut c = Changes::new();
        sessions::delete_all(&mut c, id);
        let done = cx.store().commit(c).await.map_err(|e| store_error(&e))?;
        if done.counts.iter().sum::<u64>() == 0 {
            return Err(ApiError::not_found("The identity has no sessions."));
        }
        Ok(Reply::no_content())
    };
    gone.await.unwrap_or_else(Reply::error)
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Action {
    /// Sessions end and are kept.
    Disable,
    /// Sessions go for good.
    Delete,
}

#[derive(Deserialize)]
struct Bulk {
    action: Action,
    sessions: Option<Vec<String>>,
    identities: Option<Vec<String>>,
}

/// What a bulk request names.
#[derive(Debug, PartialEq)]
enum Named {
    Sessions(Vec<Uuid>),
    Identities(Vec<Uuid>),
    Everything,
}

/// Exactly one list that is not empty, with at most 500 ids, or the star for everybody's sessions.
fn named(bulk: &Bulk) -> Result<Named, ApiError> {
    let sessions = bulk.sessions.as_deref().unwrap_or_default();
    let identities = bulk.identities.as_deref().unwrap_or_default();
    let (list, of_sessions) = match (sessions, identities) {
        (list @ [_, ..], []) => (list, true),
        ([], list @ [_, ..]) => (list, false),
        _ => return Err(ApiError::bad_request("Name either sessions or identities.")),
    };
    if list.len() > MOST_NAMED {
        return Err(ApiError::bad_request(format!("At most {MOST_NAMED} can be named at once.")));
    }
    if !of_sessions
        && let [star] = list
        && star == "*"
    {
        return Ok(Named::Everything);
    }
    let mut ids = list
        .iter()
        .map(|text| Uuid::parse_str(text))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| ApiError::bad_request("Ids are UUIDs; the star stands alone, for identities."))?;
    ids.sort();
    ids.dedup();
    Ok(if of_sessions { Named::Sessions(ids) } else { Named::Identities(ids) })
}

/// `POST /admin/sessions`: ends or deletes many sessions.
pub async fn bulk(cx: &Cx) -> Reply {
    many(cx).await.unwrap_or_else(Reply::error)
}

async fn many(cx: &Cx) -> Result<Reply, ApiError> {
    let bulk: Bulk = body::read(&cx.request)?;
    let mut c = Changes::new();
    let mut more = false;
    match (named(&bulk)?, bulk.action) {
        (Named::Sessions(ids), Action::Disable) => sessions::revoke_many(&mut c, &ids, cx.now),
        (Named::Sessions(ids), Action::Delete) => sessions::delete_many(&mut c, &ids),
        (Named::Identities(ids), Action::Disable) => {
            ids.into_iter().for_each(|id| sessions::revoke_all(&mut c, id, None, cx.now));
        }
        (Named::Identities(ids), Action::Delete) => ids.into_iter().for_each(|id| sessions::delete_all(&mut c, id)),
        (Named::Everything, action) => {
            // In lots, so that no single change holds up everybody else for long.
            let which = (action == Action::Disable).then_some(true);
            let found = sessions::list_all(cx.store(), which, cx.now, None, LOT + 1).await.map_err(|e| store_error(&e))?;
            more = found.len() > LOT as usize;
            let ids: Vec<Uuid> = found.iter().take(LOT as usize).map(|(session, _)| session.id).collect();
            match action {
                Action::Disable => sessions::revoke_many(&mut c, &ids, cx.now),
                Action::Delete => sessions::delete_many(&mut c, &ids),
            }
        }
    }
    let processed =
        if c.is_empty() { 0 } else { cx.store().commit(c).await.map_err(|e| store_error(&e))?.counts.iter().sum::<u64>() };
    Ok(Reply::json(200, json!({ "processed": processed, "more": more })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn which(text: &str) -> Option<Named> {
        named(&serde_json::from_str(text).ok()?).ok()
    }

    #[test]
    fn a_bulk_request_names_one_list() {
        const ID: &str = "6f1c2f33-0000-4000-8000-000000000000";
        let id = Uuid::parse_str(ID).unwrap();
        assert_eq!(which(&format!(r#"{{"action":"disable","sessions":["{ID}","{ID}"]}}"#)), Some(Named::Sessions(vec![id])));
        assert_eq!(which(&format!(r#"{{"action":"delete","identities":["{ID}"]}}"#)), Some(Named::Identities(vec![id])));
        assert_eq!(which(r#"{"action":"delete","identities":["*"]}"#), Some(Named::Everything));
        let many = format!(r#"{{"action":"disable","sessions":[{}]}}"#, vec![format!("\"{ID}\""); 501].join(","));
        for bad in [
            r#"{"action":"forget","sessions":["6f1c2f33-0000-4000-8000-000000000000"]}"#.to_owned(),
            r#"{"sessions":["6f1c2f33-0000-4000-8000-000000000000"]}"#.to_owned(),
            r#"{"action":"disable"}"#.to_owned(),
            r#"{"action":"disable","sessions":[],"identities":[]}"#.to_owned(),
            format!(r#"{{"action":"disable","sessions":["{ID}"],"identities":["{ID}"]}}"#),
            r#"{"action":"disable","sessions":["nonsense"]}"#.to_owned(),
            r#"{"action":"disable","sessions":["*"]}"#.to_owned(),
            format!(r#"{{"action":"disable","identities":["*","{ID}"]}}"#),
            many,
        ] {
            assert_eq!(which(&bad), None, "{}", bad.get(..80).unwrap_or(&bad));
        }
    }
}
