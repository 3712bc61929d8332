//! The generic rules of the anti-CSRF cookie: which paths set it, and when one that came is good.
//!
//! The cookie holds a secret of 32 bytes. Forms carry tokens made from it; flows check those themselves. The edge only
//! makes sure that a browser on a guarded path has a good cookie.

use portcullis_core::crypto::tokens::CsrfSecret;
use portcullis_core::flow::engine::CsrfCookie;

/// How long a browser keeps the cookie: a year.
pub const MAX_AGE: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 3600);

/// Whether a public path is guarded: it sets the cookie where it is missing, and unsafe methods need a token.
///
/// Left out are paths that native apps and machines use, submit routes, which check their token themselves, and the
/// way back from a social sign-in, which another site posts to.
#[must_use]
pub fn is_guarded(path: &str) -> bool {
    const FLOWS: [&str; 5] = ["login", "registration", "settings", "recovery", "verification"];
    let below = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
    let at = |prefix: &str| path == prefix || below(prefix);
    if let Some(rest) = path.strip_prefix("/self-service/") {
        let (head, tail) = rest.split_once('/').map_or((rest, None), |(head, tail)| (head, Some(tail)));
        let of_flow = FLOWS.contains(&head) && matches!(tail, None | Some("api"));
        return !(of_flow || rest == "logout/api" || rest == "login/test" || rest.starts_with("methods/oidc/callback"));
    }
    !(at("/health")
        || at("/assets")
        || at("/sessions")
        || at("/identities")
        || at("/admin/identities")
        || below("/schemas")
        || below("/admin/schemas"))
}

/// What the request's cookies say. Two cookies of the name count as none: somebody may have planted one of them.
#[must_use]
pub fn read(cookies: &[(&str, &str)], name: &str) -> CsrfCookie {
    let mut ours = cookies.iter().filter(|(key, _)| *key == name).map(|(_, value)| *value);
    match (ours.next(), ours.next()) {
        (Some(value), None) => CsrfSecret::from_cookie(value).map_or(CsrfCookie::Missing, CsrfCookie::Secret),
        _ if cookies.is_empty() => CsrfCookie::NoCookies,
        _ => CsrfCookie::Missing,
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::crypto::random::SeededRng;

    use super::*;

    #[test]
    fn every_path_is_guarded_but_those_listed() {
        for (path, guarded) in [
            ("/self-service/login/browser", true),
            ("/self-service/login/flows", true),
            ("/self-service/login/api", false),
            ("/self-service/login/test", false),
            ("/self-service/login", false),
            ("/self-service/settings", false),
            ("/self-service/verification/api", false),
            ("/self-service/logout", true),
            ("/self-service/logout/browser", true),
            ("/self-service/logout/api", false),
            ("/self-service/errors", true),
            ("/self-service/methods/oidc/callback/google", false),
            ("/self-service/methods/oidc/callback", false),
            ("/self-service/fed-cm/token", true),
            ("/sessions/whoami", false),
            ("/sessions", false),
            ("/sessions/x", false),
            ("/sessionsx", true),
            ("/schemas", true),
            ("/schemas/default", false),
            ("/identities/x", false),
            ("/admin/identities", false),
            ("/admin/courier/messages", true),
            ("/health/alive", false),
            ("/assets/portcullis.css", false),
            ("/.well-known/change-password", true),
            ("/", true),
        ] {
            assert_eq!(is_guarded(path), guarded, "{path}");
        }
    }

    #[test]
    fn only_one_good_cookie_counts() {
        let secret = CsrfSecret::new(&SeededRng::new(1));
        let good = secret.cookie_value();
        let short = &good[4..];
        let name = "csrf_token_x";
        for (cookies, expected) in [
            (vec![], CsrfCookie::NoCookies),
            (vec![("other", "1")], CsrfCookie::Missing),
            (vec![("other", "1"), (name, good.as_str())], CsrfCookie::Secret(secret.clone())),
            (vec![(name, "rubbish")], CsrfCookie::Missing),
            (vec![(name, short)], CsrfCookie::Missing),
            (vec![(name, good.as_str()), (name, good.as_str())], CsrfCookie::Missing),
        ] {
            assert!(read(&cookies, name) == expected, "{cookies:?}");
        }
    }
}
