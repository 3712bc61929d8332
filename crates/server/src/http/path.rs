//! Paths as they are asked: the clean form of an unclean one, the mount that a base URL gives, and the admin prefix.
//!
//! Nothing here decodes: routes are compared byte for byte, so an encoded slash never becomes a separator, and an encoded
//! dot never climbs.

use url::Url;

/// The clean form of a path that has doubled slashes, `.` or `..` segments; `None` for a path that is clean, and for what is
/// no path: the `*` of `OPTIONS *` (RFC 9110, section 7.1).
///
/// The result begins with exactly one slash, so that it can be sent as a `Location` without naming a host.
/// A slash at the end is kept.
#[must_use]
pub fn cleaned(path: &str) -> Option<String> {
    let unclean = path.contains("//") || path.split('/').any(|segment| segment == "." || segment == "..");
    if !unclean || !path.starts_with('/') {
        return None;
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    let ends_as_folder = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    if ends_as_folder || out.is_empty() {
        out.push('/');
    }
    Some(out)
}

/// Where a port's routes stand besides their plain paths: the path of its base URL, such as `/auth`. Whole segments, no
/// slash at the end; empty for a base URL without path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount(String);

impl Mount {
    /// The mount that a base URL gives.
    #[must_use]
    pub fn of(base: &Url) -> Self {
        let clean = cleaned(base.path());
        Self(clean.as_deref().unwrap_or(base.path()).trim_end_matches('/').to_owned())
    }

    /// The prefix as text: empty, or beginning with a slash and ending without one.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is left of a path below this mount, beginning with a slash. The mount itself stands for its root. `/authentic` is
    /// not below `/auth`, and the empty mount has nothing below it.
    #[must_use]
    pub fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        if self.0.is_empty() {
            return None;
        }
        let rest = path.strip_prefix(self.0.as_str())?;
        if rest.is_empty() { Some("/") } else { rest.starts_with('/').then_some(rest) }
    }
}

/// The path below `/admin` that the admin port routes by: `/admin` may be given or left out.
///
/// The test for the prefix is one of plain text: `/administrator` has it, and nothing is found below it.
#[must_use]
pub fn without_admin(path: &str) -> Option<&str> {
    match path.strip_prefix("/admin") {
        Some(rest) => rest.starts_with('/').then_some(rest),
        None => Some(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(base: &str) -> Mount {
        Mount::of(&base.parse().unwrap())
    }

    #[test]
    fn unclean_paths_have_one_clean_form() {
        for (asked, clean) in [
            ("/a/b", None),
            ("/a/b/", None),
            ("/", None),
            ("/a..b/c.", None),
            ("/self-service//login/browser", Some("/self-service/login/browser")),
            ("//evil.example/x", Some("/evil.example/x")),
            ("/a//", Some("/a/")),
            ("/a/./b", Some("/a/b")),
            ("/a/../b", Some("/b")),
            ("/../../b", Some("/b")),
            ("/a/..", Some("/")),
            ("//", Some("/")),
            ("/a/%2e%2e/b", None),
            ("/a%2f%2fb", None),
            ("", None),
            ("*", None),
            ("a//b", None),
        ] {
            assert_eq!(cleaned(asked).as_deref(), clean, "{asked}");
        }
    }

    #[test]
    fn a_mount_is_whole_segments() {
        for (base, path, rest) in [
            ("https://h/auth", "/auth/sessions/whoami", Some("/sessions/whoami")),
            ("https://h/auth/", "/auth/sessions/whoami", Some("/sessions/whoami")),
            ("https://h/auth", "/auth/", Some("/")),
            ("https://h/auth", "/auth", Some("/")),
            ("https://h/auth", "/authentic/y", None),
            ("https://h/auth", "/auth%2Fsessions", None),
            ("https://h/auth", "/AUTH/sessions", None),
            ("https://h/auth", "/sessions/whoami", None),
            ("https://h/auth", "/auth/auth/x", Some("/auth/x")),
            ("https://h/a/b", "/a/b/c", Some("/c")),
            ("https://h/a/b", "/a/c", None),
            ("https://h/a/b", "/b/c", None),
            ("https://h/a/b", "/a/bc", None),
            ("https://h/", "/sessions/whoami", None),
        ] {
            assert_eq!(mount(base).below(path), rest, "{base} {path}");
        }
        for (base, expected) in [
            ("https://h", ""),
            ("https://h/", ""),
            ("https://h//", ""),
            ("https://h/auth/", "/auth"),
            ("https://h/auth//", "/auth"),
            ("https://h//a//b/", "/a/b"),
            ("https://h/a/../b/", "/b"),
            ("https://h/a%20b/", "/a%20b"),
        ] {
            assert_eq!(mount(base).as_str(), expected, "{base}");
        }
    }

    #[test]
    fn the_admin_prefix_is_optional_and_plain_text() {
        for (path, rest) in [
            ("/admin/identities", Some("/identities")),
            ("/identities", Some("/identities")),
            ("/admin", None),
            ("/administrator/x", None),
            ("/admin/", Some("/")),
            ("/", Some("/")),
        ] {
            assert_eq!(without_admin(path), rest, "{path}");
        }
    }
}
