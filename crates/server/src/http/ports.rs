//! What is asked of the wrong port: sent on with 307 to the other port's base URL, path and query kept.

use super::path;
use super::table::{Action, Methods, Row};

/// One of the two listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Port {
    /// For browsers and apps.
    Public,
    /// For operators and back ends.
    Admin,
}

impl Port {
    /// Its word in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Admin => "admin",
        }
    }
}

/// Rows of the public port that belong to the admin port: all about identities but the batch, and what else clients look for
/// here.
#[must_use]
pub fn admin_rows() -> Vec<Row> {
    let both = [
        (Methods::GET, "/identities", "/admin/identities"),
        (Methods::POST, "/identities", "/admin/identities"),
        (Methods::GET, "/identities/{}", "/admin/identities/{}"),
        (Methods::PUT, "/identities/{}", "/admin/identities/{}"),
        (Methods::PATCH, "/identities/{}", "/admin/identities/{}"),
        (Methods::DELETE, "/identities/{}", "/admin/identities/{}"),
        (Methods::GET, "/identities/by/external/{}", "/admin/identities/by/external/{}"),
        (Methods::DELETE, "/identities/{}/credentials/{}", "/admin/identities/{}/credentials/{}"),
        (Methods::DELETE, "/identities/{}/sessions", "/admin/identities/{}/sessions"),
        (Methods::GET, "/courier/messages", "/admin/courier/messages"),
        (Methods::GET, "/courier/messages/{}", "/admin/courier/messages/{}"),
        (Methods::POST, "/recovery/code", "/admin/recovery/code"),
        (Methods::POST, "/recovery/link", "/admin/recovery/link"),
    ];
    let both = both.into_iter().flat_map(|(methods, plain, prefixed)| [(methods, plain), (methods, prefixed)]);
    both.map(|(methods, path)| (methods, path, Action::OtherPort)).collect()
}

/// Rows of the admin port that belong to the public port, without the admin prefix.
#[must_use]
pub fn public_rows() -> Vec<Row> {
    let mut rows: Vec<(Methods, &'static str)> = Vec::new();
    for (browser, api, flows, submit) in [
        ("/self-service/login/browser", "/self-service/login/api", "/self-service/login/flows", "/self-service/login"),
        (
            "/self-service/registration/browser",
            "/self-service/registration/api",
            "/self-service/registration/flows",
            "/self-service/registration",
        ),
        (
            "/self-service/settings/browser",
            "/self-service/settings/api",
            "/self-service/settings/flows",
            "/self-service/settings",
        ),
        (
            "/self-service/recovery/browser",
            "/self-service/recovery/api",
            "/self-service/recovery/flows",
            "/self-service/recovery",
        ),
        (
            "/self-service/verification/browser",
            "/self-service/verification/api",
            "/self-service/verification/flows",
            "/self-service/verification",
        ),
    ] {
        rows.extend([
            (Methods::GET, browser),
            (Methods::GET, api),
            (Methods::GET, flows),
            (Methods::GET, submit),
            (Methods::POST, submit),
        ]);
    }
    rows.extend([
        (Methods::GET, "/self-service/logout/browser"),
        (Methods::GET, "/self-service/logout"),
        (Methods::DELETE, "/self-service/logout/api"),
        (Methods::GET, "/self-service/errors"),
        (Methods::GET, "/schemas"),
        (Methods::GET, "/schemas/{}"),
        (Methods::GET, "/sessions/whoami"),
    ]);
    rows.into_iter().map(|(methods, path)| (methods, path, Action::OtherPort)).collect()
}

/// Where a request asked of the wrong port is sent: the other port's base URL (without slash at the end), the path with the
/// admin prefix for the admin port and without it for the public one, and the query.
#[must_use]
pub fn location(asked_of: Port, other_base: &str, asked: &str, query: Option<&str>) -> String {
    let rest = path::without_admin(asked).unwrap_or(asked);
    let prefix = if asked_of == Port::Public { "/admin" } else { "" };
    let (mark, query) = query.map_or(("", ""), |q| ("?", q));
    format!("{other_base}{prefix}{rest}{mark}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_keep_path_and_query() {
        for (port, base, path, query, expected) in [
            (Port::Public, "http://h:4434", "/identities", None, "http://h:4434/admin/identities"),
            (
                Port::Public,
                "http://h:4434",
                "/admin/identities",
                Some("page_size=2"),
                "http://h:4434/admin/identities?page_size=2",
            ),
            (Port::Public, "https://a.example/base", "/recovery/code", None, "https://a.example/base/admin/recovery/code"),
            (Port::Admin, "https://id.example/auth", "/schemas/default", None, "https://id.example/auth/schemas/default"),
            (
                Port::Admin,
                "http://h",
                "/admin/self-service/login/browser",
                Some("x=1"),
                "http://h/self-service/login/browser?x=1",
            ),
        ] {
            assert_eq!(location(port, base, path, query), expected);
        }
    }
}
