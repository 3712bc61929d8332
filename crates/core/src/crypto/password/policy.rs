//! Whether a new password may be used.
//!
//! Lengths are those of the UTF-8 bytes. The first fault ends the check, so that one input always gets one answer.

use std::time::Duration;

use reqwest::Method;
use sha1::{Digest as _, Sha1};
use url::Url;

use super::{Algorithm, MAX_BCRYPT_LENGTH, MAX_LENGTH};
use crate::crypto::secrets::Secret;
use crate::outbound::{self, HeaderValue, OutboundError, Purpose, Request, Trust};

/// The configured policy (`selfservice.methods.password.config`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySettings {
    /// `min_password_length`, in characters.
    pub min_length: usize,
    /// `identifier_similarity_check_enabled`.
    pub refuse_similar: bool,
    /// The breach lookup, if `haveibeenpwned_enabled`.
    pub breaches: Option<BreachSettings>,
}

/// The lookup of passwords that have leaked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreachSettings {
    /// `haveibeenpwned_host`: a host, asked over https, or a whole base URL.
    pub host: String,
    /// `max_breaches`: how often a password may have leaked.
    pub max_breaches: u64,
    /// `ignore_network_errors`: passwords pass while the service does not answer.
    pub ignore_network_errors: bool,
}

/// Why a password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyViolation {
    /// 4000032.
    TooShort {
        /// The least length, in characters.
        min_length: usize,
        /// The password's: in bytes if those are too few already, else in characters.
        actual_length: usize,
    },
    /// 4000031: too much like an identifier.
    TooSimilar,
    /// 4000034.
    Breached {
        /// How often it has leaked.
        breaches: u64,
    },
    /// 4000033: longer than the hasher can tell apart.
    TooLong {
        /// The longest possible, in bytes.
        max_length: usize,
        /// The password's, in bytes.
        actual_length: usize,
    },
    /// It contains a NUL character, which bcrypt cannot hash.
    ContainsNul,
}

/// The breach lookup gave no answer, and that is not to be ignored. HTTP: 502.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The service cannot be reached.
    #[error("the breach lookup failed: {0}")]
    Outbound(#[source] OutboundError),
    /// The service answered something else than a list.
    #[error("the breach lookup answered with status {0}")]
    Status(u16),
}

/// Checks a new password against the policy. `identifiers` are those that the password will sign in with.
///
/// # Errors
/// If the breach lookup fails and its failures are not ignored.
pub async fn check(
    settings: &PolicySettings,
    hasher: Algorithm,
    client: &outbound::Client,
    password: &Secret,
    identifiers: &[String],
) -> Result<Option<PolicyViolation>, LookupError> {
    let text = password.expose();
    // Characters are what people count; a text that has too few bytes is told its bytes, as clients know it.
    let characters = text.chars().count();
    if characters < settings.min_length {
        let actual_length = if text.len() < settings.min_length { text.len() } else { characters };
        return Ok(Some(PolicyViolation::TooShort { min_length: settings.min_length, actual_length }));
    }
    if settings.refuse_similar && identifiers.iter().any(|identifier| is_similar(text, identifier)) {
        return Ok(Some(PolicyViolation::TooSimilar));
    }
    if let Some(settings) = &settings.breaches {
        match breaches(settings, client, text).await {
            Ok(breaches) if breaches > settings.max_breaches => return Ok(Some(PolicyViolation::Breached { breaches })),
            Ok(_) => {}
            Err(error) if settings.ignore_network_errors => {
                tracing::warn!(%error, "the breach lookup failed; the password passes");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(hashable(hasher, text))
}

fn hashable(hasher: Algorithm, text: &str) -> Option<PolicyViolation> {
    let max_length = match hasher {
        Algorithm::Bcrypt => MAX_BCRYPT_LENGTH,
        Algorithm::Argon2id => MAX_LENGTH,
    };
    if text.len() > max_length {
        Some(PolicyViolation::TooLong { max_length, actual_length: text.len() })
    } else if hasher == Algorithm::Bcrypt && text.contains('\0') {
        Some(PolicyViolation::ContainsNul)
    } else {
        None
    }
}

/// Longer texts are not compared: it takes time in proportion to the product of both lengths.
const MAX_COMPARED: usize = 256;
const MIN_DISTANCE: usize = 5;

fn is_similar(password: &str, identifier: &str) -> bool {
    let (password, identifier) = (password.to_lowercase(), identifier.to_lowercase());
    if password.is_empty() || password.len() > MAX_COMPARED || identifier.len() > MAX_COMPARED {
        return false;
    }
    strsim::levenshtein(&password, &identifier) < MIN_DISTANCE
        || longest_common(password.as_bytes(), identifier.as_bytes()) * 2 > password.len()
}

/// The length of the longest run of bytes that is in both.
fn longest_common(a: &[u8], b: &[u8]) -> usize {
    let mut longest = 0;
    // runs[j]: how long a run ends at the present byte of `a` and the j-th of `b`.
    let mut runs = vec![0usize; b.len()];
    for x in a {
        let mut diagonal = 0;
        for (run, y) in runs.iter_mut().zip(b) {
            let above = std::mem::replace(run, if x == y { diagonal + 1 } else { 0 });
            longest = longest.max(*run);
            diagonal = above;
        }
    }
    longest
}

/// How often a password has leaked. The service learns five of the forty hexadecimal digits of its SHA-1 digest, and
/// padding hides from onlookers how many digests begin so.
async fn breaches(settings: &BreachSettings, client: &outbound::Client, password: &str) -> Result<u64, LookupError> {
    let digest: String = Sha1::digest(password).iter().map(|byte| format!("{byte:02X}")).collect();
    let (start, end) = digest.split_at(5);
    let base = if settings.host.contains("://") { settings.host.clone() } else { format!("https://{}", settings.host) };
    let url = Url::parse(&format!("{}/range/{start}", base.trim_end_matches('/')));
    let mut request = Request::new(Method::GET, url.map_err(|_| LookupError::Outbound(OutboundError::Url))?, Trust::Operator);
    request.headers.insert("add-padding", HeaderValue::from_static("true"));
    // Somebody is waiting for their form.
    request.timeout = Some(Duration::from_secs(5));
    let answer = client.ask(Purpose::BreachedPasswords, request).await.map_err(LookupError::Outbound)?;
    if !answer.is_success() {
        return Err(LookupError::Status(answer.status));
    }
    let list = String::from_utf8_lossy(&answer.body);
    let found = list.lines().filter_map(|line| line.trim().split_once(':')).find(|(rest, _)| rest.eq_ignore_ascii_case(end));
    Ok(found.and_then(|(_, count)| count.trim().parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wiremock::matchers::{header, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;
    use crate::crypto::random::SystemClock;

    fn client() -> outbound::Client {
        // Fails if another test has been faster.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        outbound::Client::new(outbound::Settings::default(), Arc::new(SystemClock)).expect("the client can be set up")
    }

    fn policy(breaches: Option<BreachSettings>) -> PolicySettings {
        PolicySettings { min_length: 8, refuse_similar: true, breaches }
    }

    async fn violation(
        settings: &PolicySettings,
        hasher: Algorithm,
        password: &str,
        identifiers: &[&str],
    ) -> Option<PolicyViolation> {
        let identifiers: Vec<String> = identifiers.iter().map(|i| (*i).to_owned()).collect();
        check(settings, hasher, &client(), &Secret::from(password), &identifiers).await.expect("no lookup is needed")
    }

    #[tokio::test]
    async fn length_is_counted_in_characters() {
        use PolicyViolation::{ContainsNul, TooLong, TooShort};
        let (bcrypt, argon2, settings) = (Algorithm::Bcrypt, Algorithm::Argon2id, policy(None));
        for (hasher, password, expected) in [
            (bcrypt, "1234567".to_owned(), Some(TooShort { min_length: 8, actual_length: 7 })),
            (bcrypt, "äöü1".to_owned(), Some(TooShort { min_length: 8, actual_length: 7 })),
            (bcrypt, "äöüß€".to_owned(), Some(TooShort { min_length: 8, actual_length: 5 })),
            (bcrypt, "k3Vx9-2Q".to_owned(), None),
            (bcrypt, "x".repeat(72), None),
            (bcrypt, "x".repeat(73), Some(TooLong { max_length: 72, actual_length: 73 })),
            (bcrypt, "ä".repeat(37), Some(TooLong { max_length: 72, actual_length: 74 })),
            (bcrypt, "with\0a-nul".to_owned(), Some(ContainsNul)),
            (argon2, "with\0a-nul".to_owned(), None),
            (argon2, "x".repeat(73), None),
            (argon2, "x".repeat(4097), Some(TooLong { max_length: 4096, actual_length: 4097 })),
        ] {
            assert_eq!(violation(&settings, hasher, &password, &["nobody@example.org"]).await, expected, "{password}");
        }
    }

    #[tokio::test]
    async fn passwords_like_an_identifier_are_refused() {
        let settings = policy(None);
        let long = "q".repeat(257);
        for (password, identifiers, similar) in [
            ("ada.lovelace@example.org", &["ada.lovelace@example.org"][..], true),
            ("ADA.lovelace@EXAMPLE.org", &["ada.Lovelace@example.org"], true),
            ("ada.lovelace", &["ada.lovelace@example.org"], true),
            ("ada.lovelace@example.org42", &["ada.lovelace@example.org"], true),
            ("xx-lovelace", &["ada.lovelace@example.org"], true),
            ("lovexlace.z", &["ada.lovelace@example.org"], false),
            ("k3Vx9-2QkZ", &["ada.lovelace@example.org"], false),
            ("k3Vx9-2QkZ", &["ada.lovelace@example.org", "k3Vx9-2QkY"], true),
            ("k3Vx9-2QkZ", &[], false),
            (&long, &[&long], false),
        ] {
            assert_eq!(is_expected(&settings, password, identifiers).await, similar, "{password} {identifiers:?}");
        }
        let off = PolicySettings { refuse_similar: false, ..settings };
        assert!(!is_expected(&off, "ada.lovelace@example.org", &["ada.lovelace@example.org"]).await);
    }

    async fn is_expected(settings: &PolicySettings, password: &str, identifiers: &[&str]) -> bool {
        violation(settings, Algorithm::Argon2id, password, identifiers).await == Some(PolicyViolation::TooSimilar)
    }

    #[test]
    fn the_longest_common_run_is_found() {
        for (a, b, length) in
            [("", "", 0), ("abc", "", 0), ("abc", "xabcx", 3), ("abcd", "bcab", 2), ("aaaa", "aa", 2), ("abab", "baba", 3)]
        {
            assert_eq!(longest_common(a.as_bytes(), b.as_bytes()), length, "{a} {b}");
        }
    }

    /// SHA-1 of "password": 5BAA6 1E4C9B93F3F0682250B6CF8331B7EE68FD8.
    #[tokio::test]
    async fn leaked_passwords_are_refused() {
        let server = MockServer::start().await;
        let list = "0018A45C4D1DEF81644B54AB7F969B88D65:3\r\n1E4C9B93F3F0682250B6CF8331B7EE68FD8:42\r\nFFF:0\r\n";
        Mock::given(method("GET"))
            .and(path("/range/5BAA6"))
            .and(header("add-padding", "true"))
            .respond_with(ResponseTemplate::new(200).set_body_string(list))
            .mount(&server)
            .await;
        let settings = |max_breaches, ignore_network_errors| {
            policy(Some(BreachSettings { host: server.uri(), max_breaches, ignore_network_errors }))
        };
        let ask = async |settings: &PolicySettings, password: &str| {
            check(settings, Algorithm::Bcrypt, &client(), &Secret::from(password), &[]).await.map_err(|e| e.to_string())
        };
        assert_eq!(ask(&settings(41, false), "password").await, Ok(Some(PolicyViolation::Breached { breaches: 42 })));
        assert_eq!(ask(&settings(42, false), "password").await, Ok(None));
        let failed = Err(LookupError::Status(404).to_string());
        assert_eq!(ask(&settings(0, false), "another password").await, failed);
        assert_eq!(ask(&settings(0, true), "another password").await, Ok(None));
        assert_eq!(
            ask(&settings(0, false), "short").await,
            Ok(Some(PolicyViolation::TooShort { min_length: 8, actual_length: 5 }))
        );
        let down = |ignore| {
            policy(Some(BreachSettings { host: "127.0.0.1:1".to_owned(), max_breaches: 0, ignore_network_errors: ignore }))
        };
        assert!(ask(&down(false), "password").await.is_err());
        assert_eq!(ask(&down(true), "password").await, Ok(None));
    }
}
