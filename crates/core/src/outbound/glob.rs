//! The patterns of `clients.http.private_ip_exception_urls`.
//!
//! `*` stands for any characters but `.` and `/`, `**` for any characters, `?` for one character but those two. Matching
//! takes time in proportion to pattern times text.

/// Whether the whole text fits the pattern.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let is_separator = |c: char| c == '.' || c == '/';
    // fits[i]: the pattern read so far fits the first i characters.
    let mut fits = vec![false; text.len() + 1];
    if let Some(start) = fits.first_mut() {
        *start = true;
    }
    let mut rest = pattern;
    while let Some(token) = rest.chars().next() {
        let (any, next) = match rest.strip_prefix("**") {
            Some(next) => (true, next),
            None => (false, rest.get(token.len_utf8()..).unwrap_or_default()),
        };
        let mut now = vec![false; fits.len()];
        let mut before = false;
        for (i, place) in now.iter_mut().enumerate() {
            let here = fits.get(i).copied().unwrap_or_default();
            let previous = i.checked_sub(1);
            let letter = previous.and_then(|p| text.get(p)).copied();
            let moved = previous.and_then(|p| fits.get(p)).copied().unwrap_or_default();
            *place = match token {
                _ if any => here || before,
                '*' => here || (before && letter.is_some_and(|c| !is_separator(c))),
                '?' => moved && letter.is_some_and(|c| !is_separator(c)),
                _ => moved && letter == Some(token),
            };
            before = *place;
        }
        fits = now;
        rest = next;
    }
    fits.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_fit() {
        for (pattern, text, fit) in [
            ("http://a.internal/x", "http://a.internal/x", true),
            ("http://a.internal/x", "http://a.internal/xy", false),
            ("http://*.internal/x", "http://a.internal/x", true),
            ("http://*.internal/x", "http://.internal/x", true),
            ("http://*.internal/x", "http://a.b.internal/x", false),
            ("http://**.internal/x", "http://a.b.internal/x", true),
            ("http://127.0.0.1:*/**", "http://127.0.0.1:8080/a/b?c=d.e", true),
            ("http://127.0.0.1:*/*", "http://127.0.0.1:8080/a/b", false),
            ("http://h/?", "http://h/a", true),
            ("http://h/?", "http://h//", false),
            ("**", "", true),
            ("*", "a.b", false),
            ("", "", true),
            ("", "a", false),
            ("ü*", "üä", true),
        ] {
            assert_eq!(matches(pattern, text), fit, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_do_not_take_forever() {
        assert!(!matches(&"*a".repeat(500), &"a".repeat(499)));
    }
}
