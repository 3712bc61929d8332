//! Listing identities, by pages and filters.

use portcullis_core::app::Cx;
use portcullis_core::flow::engine::{Reply, Request, store_error};
use portcullis_core::identity::view::{self, Parts};
use portcullis_model::error::ApiError;
use portcullis_model::identity::IdentityWithCredentials;
use portcullis_model::normal;
use portcullis_store::identities::{self, IdentityFilter, Page};
use uuid::Uuid;

use super::super::super::http::paging::{self, Numbered, Sizes};
use super::included;

const PATH: &str = "/admin/identities";
const SIZES: Sizes = Sizes { default: 250, most: 500 };
/// How many ids a list may be asked for.
const MOST_IDS: usize = 500;
/// How many entries may lie before a numbered page.
const MOST_SKIPPED: u32 = 1000;

/// `GET /admin/identities`.
pub async fn list(cx: &Cx) -> Reply {
    run(cx).await.unwrap_or_else(Reply::error)
}

async fn run(cx: &Cx) -> Result<Reply, ApiError> {
    let request = &cx.request;
    let include = included(cx)?;
    let filter = filter(request)?;
    let by_identifier = matches!(filter, IdentityFilter::Identifier { .. } | IdentityFilter::IdentifierPrefix(_));
    let with_credentials = !include.is_empty() || by_identifier;
    let show = |who: &IdentityWithCredentials| {
        if with_credentials { view::admin(cx, who, &include) } else { view::identity(cx, &who.identity, Parts::ADMIN).to_value() }
    };

    if paging::has(request, "page") && !paging::has(request, "page_size") && !paging::has(request, "page_token") {
        let mut page = Numbered {
            path: PATH,
            first: 0,
            page: paging::page_number(request, &["page"], 0),
            size: SIZES.of_numbered(request, &["per_page"]),
            size_name: "per_page",
            total: 0,
        };
        if page.offset() > MOST_SKIPPED {
            return Err(ApiError::bad_request("Numbered pages end after a thousand entries. Follow page tokens instead."));
        }
        page.total = identities::count(cx.store(), &filter).await.map_err(|e| store_error(&e))?;
        let found = identities::list_offset(cx.store(), &filter, page.offset(), page.size, with_credentials)
            .await
            .map_err(|e| store_error(&e))?;
        return Ok(page.links(paging::written(&found, show).await, request));
    }

    let size_name = if paging::has(request, "page_size") { "page_size" } else { "per_page" };
    let size = SIZES.of_keyset(request, size_name)?;
    let after = paging::after(cx, PATH)?;
    let page = Page { after, limit: size + 1 };
    let mut found = identities::list(cx.store(), &filter, page, with_credentials).await.map_err(|e| store_error(&e))?;
    let next = paging::cut(cx, PATH, &mut found, size, |who| who.identity.id);
    let first = paging::token(cx, PATH, &Uuid::nil().to_string());
    let reply = paging::written(&found, show).await;
    Ok(paging::keyset_links(reply, PATH, request, size, Some(&first), next.as_deref()))
}

/// The one filter that a request names. Empty ones do not count, except for ids, where an empty text is no id.
fn filter(request: &Request) -> Result<IdentityFilter, ApiError> {
    let no_id = || ApiError::bad_request("ids and organization_id must be UUIDs.");
    let mut filters = Vec::new();
    let ids: Vec<&str> = request.query.iter().filter(|(key, _)| key == "ids").map(|(_, v)| v.as_str()).collect();
    if ids.len() > MOST_IDS {
        return Err(ApiError::bad_request(format!("At most {MOST_IDS} ids can be asked for.")));
    }
    if !ids.is_empty() {
        let mut ids = ids.into_iter().map(Uuid::parse_str).collect::<Result<Vec<_>, _>>().map_err(|_| no_id())?;
        ids.sort();
        ids.dedup();
        filters.push(IdentityFilter::Ids(ids));
    }
    if let Some(id) = request.parameter("organization_id") {
        filters.push(IdentityFilter::Organization(Uuid::parse_str(id).map_err(|_| no_id())?));
    }
    if let Some(text) = request.parameter("credentials_identifier") {
        filters.push(IdentityFilter::Identifier { normal: normal::identifier(text), exact: text.to_owned() });
    }
    if let Some(text) = request.parameter("preview_credentials_identifier_similar") {
        filters.push(IdentityFilter::IdentifierPrefix(normal::identifier(text)));
    }
    if filters.len() > 1 {
        return Err(ApiError::bad_request("A list takes one filter at a time."));
    }
    Ok(filters.pop().unwrap_or(IdentityFilter::All))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(query: &[(&str, &str)]) -> Result<IdentityFilter, ApiError> {
        let query = query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        filter(&Request { query, ..Request::default() })
    }

    #[test]
    fn one_filter_at_a_time() {
        let id = "6f1c2f33-0000-4000-8000-000000000000";
        assert!(matches!(filtered(&[]), Ok(IdentityFilter::All)));
        assert!(matches!(
            filtered(&[("ids", id), ("ids", id), ("credentials_identifier", "")]),
            Ok(IdentityFilter::Ids(ids)) if ids.len() == 1
        ));
        assert!(matches!(filtered(&[("credentials_identifier", "a")]), Ok(IdentityFilter::Identifier { .. })));
        for bad in [
            &[("ids", "")][..],
            &[("ids", "nope")],
            &[("organization_id", "acme")],
            &[("ids", id), ("organization_id", id)],
            &[("credentials_identifier", "x"), ("preview_credentials_identifier_similar", "x")],
        ] {
            assert!(filtered(bad).is_err(), "{bad:?}");
        }
    }
}
