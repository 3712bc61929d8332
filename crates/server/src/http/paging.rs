//! Pages of lists: reading the parameters and writing the header `Link` (RFC 8288).
//!
//! Links are paths below the mount, with the request's own parameters and those of the other page, so that filters page too.

use portcullis_core::app::Cx;
use portcullis_core::crypto::Purpose;
use portcullis_core::flow::engine::{Body, Reply, Request};
use portcullis_model::error::ApiError;
use serde_json::Value;
use url::form_urlencoded;
use uuid::Uuid;

/// Bounds of a page's size.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// The size when none is asked for.
    pub default: u32,
    /// The largest; more is cut.
    pub most: u32,
}

impl Sizes {
    /// Of pages that follow each other by a token: empty, zero and negative mean the default.
    ///
    /// # Errors
    /// 400 if the parameter is no whole number.
    pub fn of_keyset(self, request: &Request, name: &str) -> Result<u32, ApiError> {
        let Some(text) = request.parameter(name) else { return Ok(self.default) };
        match text.parse::<i64>() {
            Ok(size) if size < 1 => Ok(self.default),
            Ok(size) => Ok(u32::try_from(size).unwrap_or(u32::MAX).min(self.most)),
            Err(_) => Err(ApiError::bad_request(format!("The parameter {name} must be a whole number."))),
        }
    }

    /// Of numbered pages: what is no number means the default, and a page has at least one entry.
    pub fn of_numbered(self, request: &Request, names: &[&str]) -> u32 {
        let text = names.iter().find_map(|name| request.parameter(name));
        match text.map(str::parse::<i64>) {
            Some(Ok(size)) => u32::try_from(size.max(1)).unwrap_or(u32::MAX).min(self.most),
            _ => self.default,
        }
    }
}

/// The entry that the page before ended with, by the request's `page_token`; `None` for the first page.
///
/// # Errors
/// 400 if the token was not given out for this list.
pub fn after(cx: &Cx, path: &str) -> Result<Option<Uuid>, ApiError> {
    let Some(text) = cx.request.parameter("page_token") else { return Ok(None) };
    let id = read_token(cx, path, text).and_then(|plain| Uuid::parse_str(&plain).ok());
    id.map(Some).ok_or_else(|| ApiError::bad_request("This page token was not given out by this server."))
}

/// Cuts what was read, which is one more than a page if there are more, to the page; gives the token of the next one.
pub fn cut<T>(cx: &Cx, path: &str, found: &mut Vec<T>, size: u32, id: impl Fn(&T) -> Uuid) -> Option<String> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let more = found.len() > size;
    found.truncate(size);
    found.last().filter(|_| more).map(|last| token(cx, path, &id(last).to_string()))
}

/// How many entries of a list are written before others get their turn: about a quarter of a millisecond.
const TURN: usize = 32;

/// 200 with a list. A long one is written in turns with what else is to be done, so that nobody waits behind all of it.
pub async fn written<T: Sync>(entries: &[T], show: impl Fn(&T) -> Value + Send + Sync) -> Reply {
    let mut out = vec![b'['];
    for (number, entry) in entries.iter().enumerate() {
        if number > 0 {
            out.push(b',');
            if number.is_multiple_of(TURN) {
                tokio::task::yield_now().await;
            }
        }
        // A value goes into memory: nothing of it can fail.
        out.extend(serde_json::to_vec(&show(entry)).unwrap_or_default());
    }
    out.push(b']');
    Reply { status: 200, body: Body::Written(out), cookies: Vec::new(), headers: Vec::new() }
}

/// Whether a parameter is there at all, be it empty.
pub fn has(request: &Request, name: &str) -> bool {
    request.query.iter().any(|(key, _)| key == name)
}

/// A number of a page; what is none, and less than `first`, is the first page.
pub fn page_number(request: &Request, names: &[&str], first: u32) -> u32 {
    let text = names.iter().find_map(|name| request.parameter(name));
    text.and_then(|t| t.parse::<i64>().ok()).map_or(first, |n| u32::try_from(n.max(0)).unwrap_or(u32::MAX).max(first))
}

/// One link: the request's parameters without those in `set` and `without`, and then those in `set`.
fn link(path: &str, request: &Request, without: &[&str], set: &[(&str, &str)], rel: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (key, value) in &request.query {
        if !without.contains(&key.as_str()) && !set.iter().any(|(name, _)| name == key) {
            query.append_pair(key, value);
        }
    }
    query.extend_pairs(set);
    format!("<{}{path}?{}>; rel=\"{rel}\"", request.mount, query.finish())
}

/// The links of a keyset page: to the first, and to the next if there is one. `first` is the token of the first page, if
/// that has one.
pub fn keyset_links(reply: Reply, path: &str, request: &Request, size: u32, first: Option<&str>, next: Option<&str>) -> Reply {
    let size = size.to_string();
    let numbered = ["page", "per_page"];
    let mut links = match first {
        Some(token) => link(path, request, &numbered, &[("page_size", &size), ("page_token", token)], "first"),
        None => link(path, request, &["page", "per_page", "page_token"], &[("page_size", &size)], "first"),
    };
    if let Some(token) = next {
        links.push(',');
        links.push_str(&link(path, request, &numbered, &[("page_size", &size), ("page_token", token)], "next"));
    }
    reply.header("link", links)
}

/// A page among numbered ones.
#[derive(Clone, Copy)]
pub struct Numbered<'a> {
    /// The path of the list.
    pub path: &'a str,
    /// The number of the first page: 0 or 1.
    pub first: u32,
    /// This page's number.
    pub page: u32,
    /// The size of a page.
    pub size: u32,
    /// The parameter that names the size.
    pub size_name: &'a str,
    /// How many entries there are in all pages.
    pub total: u64,
}

impl Numbered<'_> {
    /// How many entries come before this page.
    pub fn offset(&self) -> u32 {
        self.page.saturating_sub(self.first).saturating_mul(self.size)
    }

    /// The header `X-Total-Count` and the links: to the first page and the previous one unless this is the first, to the
    /// next and the last one unless this is the last. A list of one page has a link to it.
    pub fn links(&self, reply: Reply, request: &Request) -> Reply {
        let pages = self.total.div_ceil(u64::from(self.size.max(1))).max(1);
        let first = u64::from(self.first);
        let last = first + pages - 1;
        let page = u64::from(self.page);
        let mut targets = Vec::with_capacity(4);
        if pages == 1 || page > first {
            targets.push(("first", first));
        }
        if page > first && pages > 1 {
            targets.push(("prev", (page - 1).min(last)));
        }
        if page < last {
            targets.push(("next", page + 1));
            targets.push(("last", last));
        }
        let size = self.size.to_string();
        let without = ["page_token", "page_size", "per_page"];
        let links: Vec<String> = targets
            .into_iter()
            .map(|(rel, number)| {
                let number = number.to_string();
                link(self.path, request, &without, &[("page", &number), (self.size_name, &size)], rel)
            })
            .collect();
        reply.header("x-total-count", self.total.to_string()).header("link", links.join(","))
    }
}

/// A page token as clients get it: encrypted where the configuration has secrets for that, plain otherwise.
pub fn token(cx: &Cx, list: &str, plain: &str) -> String {
    if cx.config().secrets.pagination.is_empty() {
        plain.to_owned()
    } else {
        cx.keys().seal_text(cx.rng(), Purpose::Pagination, list.as_bytes(), plain.as_bytes())
    }
}

/// What stands in a page token of a list. `None` if this server did not give it out.
pub fn read_token(cx: &Cx, list: &str, text: &str) -> Option<String> {
    if cx.config().secrets.pagination.is_empty() {
        Some(text.to_owned())
    } else {
        String::from_utf8(cx.keys().open_text(Purpose::Pagination, list.as_bytes(), text)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(query: &[(&str, &str)]) -> Request {
        Request { query: query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(), ..Request::default() }
    }

    fn rels(page: u32, total: u64) -> String {
        let numbered = Numbered { path: "/x", first: 0, page, size: 2, size_name: "per_page", total };
        let reply = numbered.links(Reply::no_content(), &request(&[("page", "7"), ("a", "b c")]));
        let links = reply.headers.iter().find(|(name, _)| *name == "link").map(|(_, v)| v.clone()).unwrap();
        let mut out = Vec::new();
        for part in links.split(',') {
            let number = part.split("page=").nth(1).unwrap().split('&').next().unwrap();
            let rel = part.split("rel=\"").nth(1).unwrap().trim_end_matches('"');
            assert!(part.starts_with("</x?a=b+c&page="), "{part}");
            out.push(format!("{rel} {number}"));
        }
        out.join(", ")
    }

    #[test]
    fn numbered_pages_link_to_each_other() {
        assert_eq!(rels(0, 5), "next 1, last 2");
        assert_eq!(rels(1, 5), "first 0, prev 0, next 2, last 2");
        assert_eq!(rels(2, 5), "first 0, prev 1");
        assert_eq!(rels(9, 5), "first 0, prev 2");
        assert_eq!(rels(0, 2), "first 0");
        assert_eq!(rels(0, 0), "first 0");
    }

    #[test]
    fn sizes_are_bounded() {
        let sizes = Sizes { default: 250, most: 500 };
        for (text, want) in [("", 250), ("0", 250), ("-1", 250), ("1", 1), ("1000", 500), ("99999999999", 500)] {
            assert_eq!(sizes.of_keyset(&request(&[("page_size", text)]), "page_size").ok(), Some(want), "{text:?}");
        }
        for bad in ["many", "1.5"] {
            assert!(sizes.of_keyset(&request(&[("page_size", bad)]), "page_size").is_err(), "{bad}");
        }
        for (text, want) in [("x", 250), ("", 250), ("0", 1), ("-3", 1), ("9999", 500)] {
            assert_eq!(sizes.of_numbered(&request(&[("per_page", text)]), &["per_page"]), want, "{text:?}");
        }
    }
}
