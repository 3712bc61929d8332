//! Flat tables of literal routes, and finding a request's place in one.
//!
//! Paths are compared byte for byte and segment by segment; `{}` in a pattern stands for one segment that is not empty.
//! Paths without such a segment are found by hash. A table never changes after it was made.

use std::borrow::Cow;
use std::collections::HashMap;
use std::pin::Pin;

use http::Method;
use percent_encoding::percent_decode_str;
use portcullis_core::app::Cx;
use portcullis_core::config::Config;
use portcullis_core::flow::engine::Reply;

use super::edge::Edge;
use super::reply::Response;

/// A future that an action gives.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a route does.
#[derive(Clone, Copy)]
pub enum Action {
    /// An operation of the core, whose reply the edge turns into HTTP.
    Operation(for<'a> fn(&'a Cx, &'a Params<'a>) -> Answering<'a, Reply>),
    /// An answer that is HTTP by nature: health, metrics, scripts, pages.
    Direct(for<'a> fn(&'a Edge, &'a Cx, &'a Params<'a>) -> Answering<'a, Response>),
    /// A built-in page. Where the configuration leads to a page of the operator's own, there is nothing at its path.
    Page {
        /// Whether the page exists under a configuration.
        exists: fn(&Config) -> bool,
        /// Gives the page.
        run: for<'a> fn(&'a Cx) -> Answering<'a, Response>,
    },
    /// The other port answers it: the client is sent there.
    OtherPort,
}

/// The values of a path's `{}` segments, percent-decoded, in order. There are at most two.
#[derive(Default)]
pub struct Params<'p> {
    values: [Cow<'p, str>; 2],
}

impl Params<'_> {
    /// The first value; empty if the pattern has none.
    #[must_use]
    pub fn first(&self) -> &str {
        &self.values[0]
    }

    /// The second value; empty if the pattern has only one.
    #[must_use]
    pub fn second(&self) -> &str {
        &self.values[1]
    }
}

/// A set of methods. The names are in alphabetical order, as `Allow` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods(u8);

impl Methods {
    const NAMES: [(Method, u8); 6] =
        [(Method::DELETE, 1), (Method::GET, 2), (Method::HEAD, 4), (Method::PATCH, 8), (Method::POST, 16), (Method::PUT, 32)];
    /// GET, and HEAD with it.
    pub const GET: Self = Self(2 | 4);
    /// HEAD alone, for where GET has effects that HEAD must not have (RFC 9110, section 9.2.1).
    pub const HEAD: Self = Self(4);
    /// POST.
    pub const POST: Self = Self(16);
    /// PUT.
    pub const PUT: Self = Self(32);
    /// PATCH.
    pub const PATCH: Self = Self(8);
    /// DELETE.
    pub const DELETE: Self = Self(1);
    /// Every method, known or not.
    pub const ANY: Self = Self(255);

    fn has(self, method: &Method) -> bool {
        self == Self::ANY || Self::NAMES.iter().any(|(name, bit)| self.0 & bit != 0 && name == method)
    }

    fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// As the header `Allow` lists them.
    fn allow(self) -> String {
        let names: Vec<_> = Self::NAMES.iter().filter(|(_, bit)| self.0 & bit != 0).map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    }
}

/// One row: methods, path and what is done.
pub type Row = (Methods, &'static str, Action);

/// A row whose action is an operation of the core.
pub fn operation(methods: Methods, path: &'static str, run: for<'a> fn(&'a Cx, &'a Params<'a>) -> Answering<'a, Reply>) -> Row {
    (methods, path, Action::Operation(run))
}

/// A row whose action answers in HTTP.
pub fn direct(
    methods: Methods,
    path: &'static str,
    run: for<'a> fn(&'a Edge, &'a Cx, &'a Params<'a>) -> Answering<'a, Response>,
) -> Row {
    (methods, path, Action::Direct(run))
}

/// A row whose action is a built-in page.
pub fn page(
    methods: Methods,
    path: &'static str,
    exists: fn(&Config) -> bool,
    run: for<'a> fn(&'a Cx) -> Answering<'a, Response>,
) -> Row {
    (methods, path, Action::Page { exists, run })
}

/// All rows of one path.
pub struct Place {
    /// The pattern: what metrics name the path by.
    pub pattern: &'static str,
    number: usize,
    /// `Allow` of an answer to another method.
    pub allow: String,
    rows: Vec<(Methods, Action)>,
}

impl Place {
    /// Whether there is anything at this path under a configuration.
    #[must_use]
    pub fn exists(&self, config: &Config) -> bool {
        self.rows.iter().any(|(_, action)| match action {
            Action::Page { exists, .. } => exists(config),
            Action::Operation(_) | Action::Direct(_) | Action::OtherPort => true,
        })
    }

    /// Whether the path is written out, without a `{}` segment.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !self.pattern.contains("{}")
    }

    /// What is done for a method; `None` if the path does not know it.
    #[must_use]
    pub fn action(&self, method: &Method) -> Option<Action> {
        self.rows.iter().find(|(methods, _)| methods.has(method)).map(|(_, action)| *action)
    }
}

/// A table of routes.
pub struct Table {
    places: Vec<Place>,
    literal: HashMap<&'static str, usize>,
    patterns: Vec<usize>,
}

impl Table {
    /// A table of these rows. Of several rows that fit a request the first counts.
    #[must_use]
    pub fn new(rows: impl IntoIterator<Item = Row>) -> Self {
        let mut places: Vec<Place> = Vec::new();
        let mut known: HashMap<&'static str, usize> = HashMap::new();
        for (methods, pattern, action) in rows {
            let number = *known.entry(pattern).or_insert(places.len());
            match places.get_mut(number) {
                Some(place) => place.rows.push((methods, action)),
                None => places.push(Place { pattern, number, allow: String::new(), rows: vec![(methods, action)] }),
            }
        }
        for place in &mut places {
            place.allow = place.rows.iter().fold(Methods(0), |all, (methods, _)| all.or(*methods)).allow();
        }
        let patterns = places.iter().filter(|p| !p.is_literal()).map(|p| p.number).collect();
        known.retain(|pattern, _| !pattern.contains("{}"));
        Self { places, literal: known, patterns }
    }

    /// The place of a path, with the values of its `{}` segments.
    #[must_use]
    pub fn find<'p>(&self, path: &'p str) -> Option<(&Place, Params<'p>)> {
        if let Some(place) = self.literal.get(path).and_then(|n| self.places.get(*n)) {
            return Some((place, Params::default()));
        }
        self.patterns.iter().filter_map(|n| self.places.get(*n)).find_map(|place| Some((place, fit(place.pattern, path)?)))
    }

    /// All places, for metrics and tests.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }
}

fn fit<'p>(pattern: &str, path: &'p str) -> Option<Params<'p>> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut params = Params::default();
    let mut free = params.values.iter_mut();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(params),
            (Some("{}"), Some(segment)) if !segment.is_empty() => *free.next()? = percent_decode_str(segment).decode_utf8_lossy(),
            (Some(a), Some(b)) if a == b => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new([
            (Methods::GET, "/identities", Action::OtherPort),
            (Methods::POST, "/identities", Action::OtherPort),
            (Methods::PATCH, "/identities", Action::OtherPort),
            (Methods::GET, "/identities/by/external/{}", Action::OtherPort),
            (Methods::DELETE, "/identities/{}", Action::OtherPort),
            (Methods::DELETE, "/identities/{}/credentials/{}", Action::OtherPort),
            (Methods::ANY, "/sessions/whoami", Action::OtherPort),
            (Methods::DELETE, "/sessions/{}", Action::OtherPort),
        ])
    }

    #[test]
    fn paths_find_their_place() {
        let table = table();
        for (path, expected) in [
            ("/identities", Some(("/identities", "", ""))),
            ("/identities/", None),
            ("/Identities", None),
            ("/identities/7", Some(("/identities/{}", "7", ""))),
            ("/identities/7/", None),
            ("/identities/7/credentials/", None),
            ("/identities/7/credentials/totp", Some(("/identities/{}/credentials/{}", "7", "totp"))),
            ("/identities/7/credentials/totp/x", None),
            ("/identities/by/external/a%2Fb%20c", Some(("/identities/by/external/{}", "a/b c", ""))),
            ("/identities/by/external/", None),
            ("/sessions/whoami", Some(("/sessions/whoami", "", ""))),
            ("/sessions/%77hoami", Some(("/sessions/{}", "whoami", ""))),
            ("/identities/%FF", Some(("/identities/{}", "\u{fffd}", ""))),
            ("/", None),
            ("", None),
        ] {
            let found = table.find(path);
            let got = found.as_ref().map(|(place, params)| (place.pattern, params.first(), params.second()));
            assert_eq!(got, expected, "{path}");
        }
    }

    #[test]
    fn methods_are_known_sorted_and_head_goes_with_get() {
        let table = table();
        let (place, _) = table.find("/identities").unwrap();
        assert_eq!(place.allow, "GET, HEAD, PATCH, POST");
        for (method, known) in
            [(Method::GET, true), (Method::HEAD, true), (Method::PATCH, true), (Method::PUT, false), (Method::OPTIONS, false)]
        {
            assert_eq!(place.action(&method).is_some(), known, "{method}");
        }
        let (whoami, _) = table.find("/sessions/whoami").unwrap();
        assert!(whoami.action(&Method::OPTIONS).is_some());
        assert!(whoami.action(&Method::from_bytes(b"BREW").unwrap()).is_some());
    }
}
