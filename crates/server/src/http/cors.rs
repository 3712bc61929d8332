//! Cross-origin requests (Fetch Standard, section 3.2): which origins may read answers, and what they may send.
//!
//! Nothing is refused here: a request of an origin that is not let in runs like any other, its answer only lacks the
//! headers without which a browser keeps it from the page.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// What the configuration says about other origins.
#[derive(Clone, Debug, Default)]
pub struct Settings<'c> {
    /// Origins; each may hold one `*`. An empty list lets every origin in.
    pub origins: &'c [String],
    /// Methods that a preflight may ask for.
    pub methods: &'c [String],
    /// Headers that a preflight may ask for; `*` stands for all.
    pub headers: &'c [String],
    /// Headers of answers that pages may read.
    pub exposed: &'c [String],
    /// Whether pages may send cookies.
    pub credentials: bool,
    /// Seconds for which a browser may remember a preflight; zero is not sent.
    pub max_age: u64,
    /// Whether preflights reach the routes as well.
    pub passthrough: bool,
    /// Whether wildcards over public suffixes count.
    pub insecure_wildcards: bool,
    /// Whether it is logged who is let in and who is not.
    pub debug: bool,
}

/// One entry of the list of origins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Exact(String),
    Around(String, String),
}

/// The rules of one configuration, ready for use.
#[derive(Clone, Debug)]
pub struct Cors {
    star: bool,
    patterns: Vec<Pattern>,
    methods: Vec<String>,
    any_header: bool,
    headers: Vec<String>,
    exposed: Option<HeaderValue>,
    credentials: bool,
    max_age: Option<HeaderValue>,
    passthrough: bool,
    debug: bool,
}

impl Cors {
    /// The rules that the configuration asks for.
    #[must_use]
    pub fn new(settings: &Settings<'_>) -> Self {
        let star = settings.origins.is_empty() || settings.origins.iter().any(|o| o == "*");
        let exposed = settings.exposed.join(", ");
        Self {
            star,
            patterns: settings.origins.iter().filter_map(|o| pattern(o, settings.insecure_wildcards)).collect(),
            methods: settings.methods.iter().map(|m| m.to_ascii_uppercase()).collect(),
            any_header: settings.headers.iter().any(|h| h == "*"),
            headers: settings.headers.iter().map(|h| h.trim().to_ascii_lowercase()).collect(),
            exposed: if exposed.is_empty() { None } else { HeaderValue::try_from(exposed).ok() },
            credentials: settings.credentials,
            max_age: if settings.max_age > 0 { Some(HeaderValue::from(settings.max_age)) } else { None },
            passthrough: settings.passthrough,
            debug: settings.debug,
        }
    }

    /// Whether a request is a preflight that ends here.
    #[must_use]
    pub fn answers_preflight(&self, method: &Method, headers: &HeaderMap) -> bool {
        !self.passthrough && method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// The headers of a preflight's answer, which has status 204 and no body.
    #[must_use]
    pub fn preflight(&self, asked: &HeaderMap) -> HeaderMap {
        let granted = self.granted(asked);
        self.tell(asked, "preflight", granted.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        granted
    }

    /// Logs a decision, where the operator wants to see them.
    fn tell(&self, asked: &HeaderMap, kind: &str, let_in: bool) {
        if self.debug
            && let Some(origin) = asked.get(ORIGIN)
        {
            let wish = |name: HeaderName| asked.get(name).and_then(|v| v.to_str().ok());
            let (method, headers) = (wish(ACCESS_CONTROL_REQUEST_METHOD), wish(ACCESS_CONTROL_REQUEST_HEADERS));
            tracing::info!(target: "portcullis::cors", kind, ?origin, method, headers, let_in, "a request of another origin");
        }
    }

    fn granted(&self, asked: &HeaderMap) -> HeaderMap {
        let mut out = HeaderMap::with_capacity(6);
        out.insert(VARY, HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers"));
        let Some(origin) = self.let_in(asked) else { return out };
        let Some(method) = asked.get(ACCESS_CONTROL_REQUEST_METHOD) else { return out };
        let wanted = asked.get(ACCESS_CONTROL_REQUEST_HEADERS);
        if !self.takes_method(method) || !wanted.is_none_or(|w| self.takes_headers(w)) {
            return out;
        }
        out.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        out.insert(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
        if let Some(wanted) = wanted.filter(|w| !w.is_empty()) {
            out.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        if self.credentials {
            out.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if let Some(age) = &self.max_age {
            out.insert(ACCESS_CONTROL_MAX_AGE, age.clone());
        }
        out
    }

    /// The value of `Access-Control-Allow-Origin` for a request; `None` if its origin is not let in.
    #[must_use]
    pub fn let_in(&self, asked: &HeaderMap) -> Option<HeaderValue> {
        let origin = asked.get(ORIGIN)?;
        if self.star {
            return Some(HeaderValue::from_static("*"));
        }
        let text = origin.to_str().ok()?.to_ascii_lowercase();
        let fits = |p: &Pattern| match p {
            Pattern::Exact(whole) => *whole == text,
            Pattern::Around(head, tail) => {
                text.len() >= head.len() + tail.len() && text.starts_with(head.as_str()) && text.ends_with(tail.as_str())
            }
        };
        self.patterns.iter().any(fits).then(|| origin.clone())
    }

    /// Puts the headers of an ordinary answer beside those it has.
    pub fn mark(&self, asked: &HeaderMap, headers: &mut HeaderMap) {
        headers.append(VARY, HeaderValue::from_static("Origin"));
        let origin = self.let_in(asked);
        self.tell(asked, "request", origin.is_some());
        let Some(origin) = origin else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if let Some(exposed) = &self.exposed {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
    }

    fn takes_method(&self, method: &HeaderValue) -> bool {
        method.to_str().is_ok_and(|asked| self.methods.iter().any(|m| m == asked))
    }

    fn takes_headers(&self, list: &HeaderValue) -> bool {
        let Ok(list) = list.to_str() else { return false };
        let mut asked = list.split(',').map(str::trim).filter(|h| !h.is_empty());
        self.any_header || asked.all(|h| self.headers.iter().any(|known| known.eq_ignore_ascii_case(h)))
    }
}

/// An entry in lower case. `None` for the star alone, for several stars, and for a wildcard over a public suffix.
fn pattern(entry: &str, insecure: bool) -> Option<Pattern> {
    let entry = entry.trim().to_ascii_lowercase();
    let Some((head, tail)) = entry.split_once('*') else { return Some(Pattern::Exact(entry)) };
    if tail.contains('*') || (head.is_empty() && tail.is_empty()) {
        return None;
    }
    let host = tail.split_once('.').map(|(_, rest)| rest.split([':', '/']).next().unwrap_or_default());
    let registrable = host.is_some_and(|h| psl::domain(h.as_bytes()).is_some());
    (insecure || registrable).then(|| Pattern::Around(head.to_owned(), tail.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[&str]) -> Vec<String> {
        items.iter().map(|s| (*s).to_owned()).collect()
    }

    fn asked(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (http::HeaderName::from_static(k), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn origins_are_equal_or_fit_one_wildcard_below_a_registrable_domain() {
        let origins = list(&[
            "https://app.example.org",
            "https://*.example.com",
            "https://app-*.example.net",
            "https://*.com",
            "https://*.co.uk",
            "https://Upper.example.org",
        ]);
        let cors = Cors::new(&Settings { origins: &origins, ..Settings::default() });
        for (origin, let_in) in [
            ("https://app.example.org", true),
            ("http://app.example.org", false),
            ("https://app.example.org:8443", false),
            ("https://a.example.com", true),
            ("https://a.b.example.com", true),
            ("https://example.com", false),
            ("http://a.example.com", false),
            ("https://evil-example.com", false),
            ("https://app-1.example.net", true),
            ("https://app.example.net", false),
            ("https://evil.com", false),
            ("https://evil.co.uk", false),
            ("https://upper.example.org", true),
            ("null", false),
            ("https://app.example.org.evil.net", false),
        ] {
            assert_eq!(cors.let_in(&asked(&[("origin", origin)])).is_some(), let_in, "{origin}");
        }
        let insecure = Cors::new(&Settings { origins: &origins, insecure_wildcards: true, ..Settings::default() });
        assert!(insecure.let_in(&asked(&[("origin", "https://evil.com")])).is_some());
    }

    #[test]
    fn a_star_or_no_list_lets_everyone_in() {
        for origins in [list(&["*"]), list(&[])] {
            let cors = Cors::new(&Settings { origins: &origins, ..Settings::default() });
            assert_eq!(cors.let_in(&asked(&[("origin", "https://anyone.example")])).unwrap(), "*");
            assert_eq!(cors.let_in(&asked(&[])), None);
        }
    }

    #[test]
    fn a_preflight_is_granted_wholly_or_not_at_all() {
        let origins = list(&["https://app.example.org"]);
        let (methods, headers) = (list(&["GET", "POST"]), list(&["X-Custom", "content-type"]));
        let cors = Cors::new(&Settings {
            origins: &origins,
            methods: &methods,
            headers: &headers,
            credentials: true,
            max_age: 77,
            ..Settings::default()
        });
        let origin = ("origin", "https://app.example.org");
        for (pairs, granted) in [
            (&[origin, ("access-control-request-method", "POST")][..], true),
            (&[("origin", "https://evil.example.org"), ("access-control-request-method", "POST")], false),
            (&[origin, ("access-control-request-method", "PUT")], false),
            (
                &[origin, ("access-control-request-method", "POST"), ("access-control-request-headers", "content-type,x-custom")],
                true,
            ),
            (
                &[
                    origin,
                    ("access-control-request-method", "POST"),
                    ("access-control-request-headers", "Content-Type, X-CUSTOM"),
                ],
                true,
            ),
            (&[origin, ("access-control-request-method", "POST"), ("access-control-request-headers", "x-other")], false),
        ] {
            let answer = cors.preflight(&asked(pairs));
            assert_eq!(answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), granted, "{pairs:?}");
            assert_eq!(answer.get(ACCESS_CONTROL_MAX_AGE).is_some(), granted);
            assert_eq!(answer.get(ACCESS_CONTROL_ALLOW_CREDENTIALS).is_some(), granted);
            assert!(answer.contains_key(VARY));
        }
    }
}
