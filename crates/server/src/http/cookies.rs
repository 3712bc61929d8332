//! Cookies: reading those that a request brings (RFC 6265, section 5.4) and writing those that an answer sets.
//!
//! Everything but the value and its age is fixed by the configuration, so each kind of cookie is a [`Shape`] made once
//! for a configuration. Cookies are always `HttpOnly`.

use std::fmt::Write as _;
use std::time::Duration;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use portcullis_core::config::{CookieAttributes, SameSite};

/// What a kind of cookie looks like under one configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    name: String,
    /// Everything after value and age.
    attributes: String,
    persistent: bool,
}

impl Shape {
    /// A cookie's shape. `SameSite=None` without `Secure` becomes `Lax`, since browsers drop the former.
    #[must_use]
    pub fn new(cookie: &CookieAttributes) -> Self {
        let mut attributes = String::new();
        let path = if cookie.path.is_empty() { "/" } else { &cookie.path };
        let _ = write!(attributes, "; Path={path}");
        if let Some(domain) = cookie.domain.as_deref().filter(|d| !d.is_empty()) {
            let _ = write!(attributes, "; Domain={domain}");
        }
        attributes.push_str("; HttpOnly");
        if cookie.secure {
            attributes.push_str("; Secure");
        }
        let same_site = if cookie.same_site == SameSite::None && !cookie.secure { SameSite::Lax } else { cookie.same_site };
        let _ = write!(attributes, "; SameSite={}", same_site.as_str());
        Self { name: cookie.name.clone(), attributes, persistent: cookie.persistent }
    }

    /// The cookie's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A `Set-Cookie` value that lasts for `age`, or as long as the browser runs if the cookie is not persistent. `None`
    /// if the value cannot stand in a header.
    #[must_use]
    pub fn set(&self, value: &str, age: Duration) -> Option<HeaderValue> {
        let mut out = String::with_capacity(self.name.len() + value.len() + self.attributes.len() + 24);
        let _ = write!(out, "{}={value}", self.name);
        if self.persistent {
            let _ = write!(out, "; Max-Age={}", age.as_secs());
        }
        out.push_str(&self.attributes);
        HeaderValue::try_from(out).ok()
    }

    /// A `Set-Cookie` value that removes the cookie. `None` if the text cannot be a header.
    #[must_use]
    pub fn remove(&self) -> Option<HeaderValue> {
        let gone = format!("{}=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT{}", self.name, self.attributes);
        HeaderValue::try_from(gone).ok()
    }
}

/// All cookies of a request as (name, value), in the order in which they came. Pieces without `=` are passed over;
/// quotes around a value are taken off.
pub fn each(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim();
        let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
        Some((name.trim(), inner))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_carry_the_configured_attributes() {
        let day = Duration::from_secs(86400);
        let shape = |domain: Option<&str>, path: &str, same_site, secure, persistent| {
            let (name, domain, path) = ("s".to_owned(), domain.map(str::to_owned), path.to_owned());
            Shape::new(&CookieAttributes { name, domain, path, same_site, secure, persistent })
        };
        for (shape, expected) in [
            (shape(None, "/", SameSite::Lax, false, true), "s=v; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax"),
            (
                shape(Some("example.org"), "", SameSite::Strict, true, true),
                "s=v; Max-Age=86400; Path=/; Domain=example.org; HttpOnly; Secure; SameSite=Strict",
            ),
            (shape(Some(""), "/a", SameSite::None, true, true), "s=v; Max-Age=86400; Path=/a; HttpOnly; Secure; SameSite=None"),
            (shape(None, "/", SameSite::None, false, true), "s=v; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax"),
            (shape(None, "/", SameSite::Lax, true, false), "s=v; Path=/; HttpOnly; Secure; SameSite=Lax"),
        ] {
            assert_eq!(shape.set("v", day).unwrap(), expected);
        }
        let shape = shape(None, "/", SameSite::Lax, true, true);
        assert!(shape.remove().unwrap().to_str().unwrap().starts_with("s=; Max-Age=0; Expires=Thu, 01 Jan 1970"));
        assert_eq!(shape.set("a\r\nSet-Cookie: b=c", day), None);
    }

    #[test]
    fn cookies_are_read_from_every_line() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; b=\"2\";c = 3 ; rubbish; d="));
        headers.append(COOKIE, HeaderValue::from_static("a=4=5"));
        let all: Vec<_> = each(&headers).collect();
        assert_eq!(all, [("a", "1"), ("b", "2"), ("c", "3"), ("d", ""), ("a", "4=5")]);
    }
}
