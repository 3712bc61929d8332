//! Kinds of values that configuration keys hold: secrets, lengths of time, sizes, loose booleans, base URLs.

use std::fmt;
use std::time::Duration;

use portcullis_model::time::parse_duration;
use serde::{Deserialize, Deserializer, de};
use url::Url;
use zeroize::Zeroizing;

/// A text that must not be seen: `Debug` hides it, and its memory is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. Whoever calls this takes care of where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "\"\"" } else { "[hidden]" })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// An address that other addresses begin with: absolute, http or https.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    url: Url,
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl BaseUrl {
    /// Parses a base URL; `None` if it is not absolute, not http(s), or has user, password, query or fragment.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let fits =
            matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none() && url.fragment().is_none();
        fits.then(|| Self { text: text.to_owned(), url })
    }

    /// As it was configured, letter by letter.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// As a URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The address of a path (which may bring a query) below this one: the base's own path stays in front.
    #[must_use]
    pub fn join(&self, path: &str) -> Url {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{}", self.url.path().trim_end_matches('/'), path.trim_start_matches('/')));
        url.set_query(query);
        url
    }
}

impl<'de> Deserialize<'de> for BaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("no base URL"))
    }
}

/// Parses a size in bytes: a whole number with `B KB MB GB TB PB EB`, each 1024 times the one before.
#[must_use]
pub fn parse_byte_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let power = ["B", "KB", "MB", "GB", "TB", "PB", "EB"].iter().position(|u| *u == unit)?;
    number.parse::<u64>().ok()?.checked_mul(1024u64.checked_pow(u32::try_from(power).ok()?)?)
}

/// The words that Go's `strconv.ParseBool` takes for a truth value.
#[must_use]
pub(crate) fn parse_boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).ok_or_else(|| de::Error::custom("no length of time"))
}

pub(super) fn optional_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

pub(super) fn byte_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_byte_size(&text).ok_or_else(|| de::Error::custom("no size in bytes"))
}

/// `true`, `false`, or such a word as a text; an empty text is as good as none.
pub(super) fn loose_boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Loose {
        Plain(bool),
        Word(String),
    }
    match Loose::deserialize(deserializer)? {
        Loose::Plain(value) => Ok(Some(value)),
        Loose::Word(word) if word.is_empty() => Ok(None),
        Loose::Word(word) => parse_boolean(&word).map(Some).ok_or_else(|| de::Error::custom("no truth value")),
    }
}

/// A text; an empty one is as good as none.
pub(super) fn non_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(Some(text).filter(|t| !t.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in
            [("0B", 0), ("7B", 7), ("512KB", 524_288), ("128MB", 134_217_728), ("1GB", 1_073_741_824), ("15EB", 15 << 60)]
        {
            assert_eq!(parse_byte_size(text), Some(bytes), "{text}");
        }
        for bad in ["", "1", "MB", "1mb", "1 MB", "1.5GB", "-1B", "16EB", "1GBs", "٣MB"] {
            assert_eq!(parse_byte_size(bad), None, "{bad}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let secret = Secret::new("hunter2hunter2");
        assert_eq!(format!("{secret:?}"), "[hidden]");
        assert_eq!(secret.expose(), "hunter2hunter2");
    }

    #[test]
    fn base_urls_keep_their_path_and_text() {
        let base = BaseUrl::parse("https://example.org/auth/").expect("a base URL");
        assert_eq!(base.as_str(), "https://example.org/auth/");
        assert_eq!(
            base.join("/self-service/login?flow=a%20b").as_str(),
            "https://example.org/auth/self-service/login?flow=a%20b"
        );
        let bare = BaseUrl::parse("http://127.0.0.1:4433").expect("a base URL");
        assert_eq!(bare.join("x").as_str(), "http://127.0.0.1:4433/x");
        for bad in [
            "",
            "/auth",
            "example.org",
            "ftp://example.org",
            "https://",
            "https://example.org/?a=b",
            "https://example.org/#a",
            "http://h:99999",
        ] {
            assert!(BaseUrl::parse(bad).is_none(), "{bad}");
        }
    }
}
