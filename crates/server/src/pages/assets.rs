//! The style sheet, the script and the icon of the pages, as part of the program.
//!
//! Their addresses carry a digest of their content, so browsers keep them for good and never show an old one.

use std::sync::LazyLock;

use http::HeaderValue;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, ETAG, X_CONTENT_TYPE_OPTIONS};
use portcullis_core::app::Cx;
use portcullis_core::config::Config;
use portcullis_core::credential::webauthn;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::http::path::Mount;
use crate::http::reply::{self, Response};

/// Where the style sheet is.
pub(super) const STYLE_PATH: &str = "/assets/portcullis.css";
/// Where the script is.
pub(super) const SCRIPT_PATH: &str = "/assets/portcullis.js";
/// Where the icon is.
pub(super) const ICON_PATH: &str = "/assets/portcullis.svg";

/// One file.
pub(super) struct Asset {
    path: &'static str,
    content_type: &'static str,
    content: &'static str,
    digest: String,
    /// The base URL below which it is.
    base: fn(&Config) -> &Url,
}

impl Asset {
    fn new(path: &'static str, content_type: &'static str, content: &'static str) -> Self {
        let hash = Sha256::digest(content.as_bytes());
        let digest = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { path, content_type, content, digest, base: Config::public_base_url }
    }

    /// The same file on the admin port, at another path.
    fn of_admin(other: &Self, path: &'static str) -> Self {
        Self { path, digest: other.digest.clone(), base: Config::admin_base_url, ..*other }
    }

    /// Its address on the port's own host, below the mount.
    #[must_use]
    pub(super) fn address(&self, cx: &Cx) -> String {
        format!("{}{}?v={}", Mount::of((self.base)(cx.config())).as_str(), self.path, self.digest)
    }

    /// The file; 304 without content if the browser has it already (RFC 9110, section 13.1.2).
    pub(super) fn answer(&self, cx: &Cx) -> Response {
        let tag = format!("\"{}\"", self.digest);
        let known = cx.request.header("if-none-match").is_some_and(|list| is_listed(list, &tag));
        let mut response = if known { reply::empty(304) } else { reply::content(200, self.content_type, self.content) };
        let headers = response.headers_mut();
        // Only the address with the digest stands for this content for ever.
        let is_exact = cx.request.parameter("v") == Some(self.digest.as_str());
        let caching = if is_exact { "public, max-age=31536000, immutable" } else { "public, no-cache" };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(ETAG, tag);
        }
        response
    }
}

fn is_listed(list: &str, tag: &str) -> bool {
    list.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

/// Where the style sheet is on the admin port.
pub(super) const MAILBOX_STYLE_PATH: &str = "/dev/mailbox/portcullis.css";
/// Where the script is on the admin port.
pub(super) const MAILBOX_SCRIPT_PATH: &str = "/dev/mailbox/portcullis.js";
/// Where the icon is on the admin port.
pub(super) const MAILBOX_ICON_PATH: &str = "/dev/mailbox/portcullis.svg";

/// The style sheet: what all pages have, forms, settings, the mailbox, trials, print.
const STYLE_TEXT: &str = concat!(
    include_str!("assets/page.css"),
    include_str!("assets/form.css"),
    include_str!("assets/settings.css"),
    include_str!("assets/mailbox.css"),
    include_str!("assets/trial.css"),
    include_str!("assets/print.css"),
);

/// The style sheet.
pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| Asset::new(STYLE_PATH, "text/css; charset=utf-8", STYLE_TEXT));
/// The script.
pub(super) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(SCRIPT_PATH, "text/javascript; charset=utf-8", include_str!("assets/portcullis.js")));
/// The icon.
pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(ICON_PATH, "image/svg+xml", include_str!("assets/portcullis.svg")));

/// The script that calls the browser's Web Authentication API, for all front ends.
static KEYS: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(webauthn::SCRIPT_PATH, "text/javascript; charset=utf-8", webauthn::SCRIPT));

/// The style sheet on the admin port.
pub(super) static MAILBOX_STYLE: LazyLock<Asset> = LazyLock::new(|| Asset::of_admin(&STYLE, MAILBOX_STYLE_PATH));
/// The script on the admin port.
pub(super) static MAILBOX_SCRIPT: LazyLock<Asset> = LazyLock::new(|| Asset::of_admin(&SCRIPT, MAILBOX_SCRIPT_PATH));
/// The icon on the admin port.
pub(super) static MAILBOX_ICON: LazyLock<Asset> = LazyLock::new(|| Asset::of_admin(&ICON, MAILBOX_ICON_PATH));

/// `GET /assets/portcullis.css`.
pub(super) fn style(cx: &Cx) -> Response {
    STYLE.answer(cx)
}

/// `GET /assets/portcullis.js`.
pub(super) fn script(cx: &Cx) -> Response {
    SCRIPT.answer(cx)
}

/// `GET /assets/portcullis.svg`.
pub(super) fn icon(cx: &Cx) -> Response {
    ICON.answer(cx)
}

/// `GET /.well-known/ory/webauthn.js`. Pages of other origins load it with its digest, which takes CORS; it is no secret.
pub(super) fn keys(cx: &Cx) -> Response {
    let mut response = reply::content(200, KEYS.content_type, KEYS.content);
    if cx.request.header("origin").is_some() {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_has_the_content_is_recognised() {
        for (list, expected) in
            [("\"a\"", true), ("W/\"a\"", true), ("\"b\", \"a\"", true), ("*", true), ("\"b\"", false), ("a", false), ("", false)]
        {
            assert_eq!(is_listed(list, "\"a\""), expected, "{list}");
        }
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for asset in [&STYLE, &SCRIPT, &ICON, &KEYS] {
            let foreign = asset
                .content
                .match_indices("http")
                .filter(|(at, _)| !asset.content[*at..].starts_with("http://www.w3.org/2000/svg"));
            assert_eq!(foreign.count(), 0, "{}", asset.path);
            assert!(!asset.content.contains("@import") && !asset.content.contains("url("), "{}", asset.path);
        }
    }
}
