//! Paths as they are asked: the clean form of an unclean one, a mount's prefix, and the admin prefix.
//!
//! Nothing here decodes: routes are compared byte for byte, so an encoded slash never becomes a separator.

/// The clean form of a path that has doubled slashes, `.` or `..` segments; `None` for a path that is clean.
///
/// The result begins with exactly one slash, so that it can be sent as a `Location` without naming a host.
/// A slash at the end is kept.
#[must_use]
pub fn cleaned(path: &str) -> Option<String> {
    let unclean = path.contains("//") || path.split('/').any(|segment| segment == "." || segment == "..");
    if !unclean && path.starts_with('/') {
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

/// What is left of `path` below `mount`, beginning with a slash. A mount is `/auth`: whole segments, no slash at its end.
/// The empty mount has nothing below it.
#[must_use]
pub fn below<'p>(mount: &str, path: &'p str) -> Option<&'p str> {
    if mount.is_empty() {
        return None;
    }
    path.strip_prefix(mount).filter(|rest| rest.starts_with('/'))
}

/// The path of a base URL as a mount: without slash at the end, empty for none.
#[must_use]
pub fn mount_of(base_path: &str) -> &str {
    base_path.trim_end_matches('/')
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
            ("", Some("/")),
            ("*", Some("/*")),
        ] {
            assert_eq!(cleaned(asked).as_deref(), clean, "{asked}");
        }
    }

    #[test]
    fn a_mount_is_whole_segments() {
        for (mount, path, rest) in [
            ("/auth", "/auth/sessions/whoami", Some("/sessions/whoami")),
            ("/auth", "/auth/", Some("/")),
            ("/auth", "/auth", None),
            ("/auth", "/authx/y", None),
            ("/auth", "/sessions/whoami", None),
            ("/a/b", "/a/b/c", Some("/c")),
            ("", "/sessions/whoami", None),
        ] {
            assert_eq!(below(mount, path), rest, "{mount} {path}");
        }
        for (path, mount) in [("/", ""), ("/auth/", "/auth"), ("/auth", "/auth"), ("", "")] {
            assert_eq!(mount_of(path), mount);
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
